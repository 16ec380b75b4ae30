//! What is kept in flash: settings.json as it was written at the computer, and a small state in two copies.
//!
//! Both carry a checksum, so that a write that power cut short is seen. Little-endian.
//!
//! ```text
//! settings   "MNVS" | u32 length | u32 CRC-32 of the JSON | JSON
//! key set    "MNVK" | u32 length | u32 CRC-32 of the text | text, from KEYS_AT on
//! state      "MNVT" | u32 count | u8 muted | 3 x u8 0 | u32 CRC-32 of all before
//! ```
//!
//! What is kept of updates stands in a partition of its own: minerva_ota::slots.

use minerva_device::settings::MAX_BYTES;
use minerva_ota::keyset::{self, KeySet};

/// Bytes before the JSON.
pub const SETTINGS_HEADER: usize = 12;
/// Bytes of a state record; one stands at the start of each of two sectors.
pub const STATE_BYTES: usize = 16;

/// Where in the settings partition the key set stands that the device trusts.
pub const KEYS_AT: u32 = 9216;

const SETTINGS_MAGIC: [u8; 4] = *b"MNVS";
const KEYS_MAGIC: [u8; 4] = *b"MNVK";
const STATE_MAGIC: [u8; 4] = *b"MNVT";

/// Why there are no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSettings {
    /// The partition was never written.
    Empty,
    /// Something else stands there.
    NotOurs,
    /// It says it is longer than settings may be.
    TooLong(u32),
    /// It was written in part, or changed.
    Damaged,
}

impl NoSettings {
    /// For the log.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Empty => "the settings partition is empty: write settings.json to it",
            Self::NotOurs => "the settings partition holds something else than settings",
            Self::TooLong(_) => "the settings partition holds more than 8192 bytes of settings",
            Self::Damaged => "the settings partition is damaged (checksum): write it again",
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

/// The length of the JSON that follows a header.
///
/// # Errors
///
/// When there is no such header.
pub fn settings_length(header: &[u8; SETTINGS_HEADER]) -> Result<usize, NoSettings> {
    if header.iter().all(|&byte| byte == 0xff) {
        return Err(NoSettings::Empty);
    }
    if !header.starts_with(&SETTINGS_MAGIC) {
        return Err(NoSettings::NotOurs);
    }
    let length = word(header, 4).unwrap_or(u32::MAX);
    match usize::try_from(length) {
        Ok(size) if size <= MAX_BYTES => Ok(size),
        _ => Err(NoSettings::TooLong(length)),
    }
}

/// Whether `json` is what the header was written for.
///
/// # Errors
///
/// When it is not.
pub fn check_settings(header: &[u8; SETTINGS_HEADER], json: &[u8]) -> Result<(), NoSettings> {
    if settings_length(header)? == json.len() && word(header, 8) == Some(crc32fast::hash(json)) {
        Ok(())
    } else {
        Err(NoSettings::Damaged)
    }
}

/// The length of the text of the key set that follows a header; `None` where none was written.
pub fn keys_length(header: &[u8; SETTINGS_HEADER]) -> Option<usize> {
    let length = usize::try_from(word(header, 4)?).ok()?;
    (header.starts_with(&KEYS_MAGIC) && length <= keyset::MAX_BYTES).then_some(length)
}

/// The key set that the header was written for; `None` when it is damaged, or is none.
pub fn read_keys(header: &[u8; SETTINGS_HEADER], text: &[u8]) -> Option<KeySet> {
    let whole = keys_length(header)? == text.len() && word(header, 8)? == crc32fast::hash(text);
    whole.then(|| KeySet::parse(text).ok())?
}

/// What outlasts a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The button muted the device.
    pub muted_at_button: bool,
}

/// A state and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The newest state that is whole.
    pub state: State,
    count: u32,
    newest: u8,
}

fn decode(bytes: &[u8; STATE_BYTES]) -> Option<(State, u32)> {
    let (body, sum) = bytes.split_last_chunk::<4>()?;
    if !body.starts_with(&STATE_MAGIC) || u32::from_le_bytes(*sum) != crc32fast::hash(body) {
        return None;
    }
    let [.., muted, _, _, _] = body else {
        return None;
    };
    let state = State {
        muted_at_button: *muted != 0,
    };
    Some((state, word(body, 4)?))
}

fn encode(state: State, count: u32) -> [u8; STATE_BYTES] {
    let [m0, m1, m2, m3] = STATE_MAGIC;
    let [c0, c1, c2, c3] = count.to_le_bytes();
    let muted = u8::from(state.muted_at_button);
    let mut bytes = [m0, m1, m2, m3, c0, c1, c2, c3, muted, 0, 0, 0, 0, 0, 0, 0];
    if let Some((body, sum)) = bytes.split_last_chunk_mut::<4>() {
        *sum = crc32fast::hash(body).to_le_bytes();
    }
    bytes
}

impl Kept {
    /// The state from both copies. Where neither is whole, and they are not just empty, the device counts as
    /// muted: in doubt the more private one.
    pub fn read(copies: &[[u8; STATE_BYTES]; 2]) -> Self {
        let [first, second] = copies;
        let (newest, (state, count)) = match (decode(first), decode(second)) {
            (Some(a), Some(b)) if b.1.wrapping_sub(a.1) < 1 << 31 => (1, b),
            (Some(a), _) => (0, a),
            (None, Some(b)) => (1, b),
            (None, None) => {
                let never_written = copies.as_flattened().iter().all(|&byte| byte == 0xff);
                let state = State {
                    muted_at_button: !never_written,
                };
                (1, (state, 0))
            }
        };
        Self {
            state,
            count,
            newest,
        }
    }

    /// The copy (0 or 1) to write, and with what, so that `state` is kept; the other copy stands meanwhile.
    ///
    /// Once it is written, `self` is what [`read`](Self::read) would give.
    pub fn replace(&mut self, state: State) -> (u8, [u8; STATE_BYTES]) {
        self.state = state;
        self.count = self.count.wrapping_add(1);
        self.newest ^= 1;
        (self.newest, encode(state, self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use proptest::prelude::*;
    use std::format;
    use std::vec::Vec;

    const EMPTY: [[u8; STATE_BYTES]; 2] = [[0xff; STATE_BYTES]; 2];

    fn settings_record(json: &[u8]) -> ([u8; SETTINGS_HEADER], Vec<u8>) {
        let mut header = [0; SETTINGS_HEADER];
        header[..4].copy_from_slice(b"MNVS");
        header[4..8].copy_from_slice(&u32::try_from(json.len()).unwrap().to_le_bytes());
        header[8..].copy_from_slice(&crc32fast::hash(json).to_le_bytes());
        (header, json.to_vec())
    }

    #[test]
    fn settings_are_taken_whole_or_not_at_all() {
        let (header, json) = settings_record(br#"{"version": 1}"#);
        assert_eq!(settings_length(&header), Ok(json.len()));
        assert_eq!(check_settings(&header, &json), Ok(()));
        for i in 0..json.len() {
            let mut changed = json.clone();
            changed[i] ^= 1;
            assert_eq!(
                check_settings(&header, &changed),
                Err(NoSettings::Damaged),
                "byte {i}"
            );
            assert_eq!(
                check_settings(&header, &json[..i]),
                Err(NoSettings::Damaged),
                "cut at {i}"
            );
        }
        assert_eq!(
            settings_length(&[0xff; SETTINGS_HEADER]),
            Err(NoSettings::Empty)
        );
        assert_eq!(
            settings_length(&[0; SETTINGS_HEADER]),
            Err(NoSettings::NotOurs)
        );
        let mut long = header;
        long[4..8].copy_from_slice(&8193u32.to_le_bytes());
        assert_eq!(settings_length(&long), Err(NoSettings::TooLong(8193)));
    }

    /// What `minerva device pair` writes (minerva_tools.usb.rust_records); tests/firmware compares the same bytes.
    #[test]
    fn the_record_that_the_computer_writes() {
        let header = *b"MNVS\x02\x00\x00\x00\x43\xbf\xa6\xa3";
        assert_eq!(crc32fast::hash(b"{}"), word(&header, 8).unwrap());
        assert_eq!(check_settings(&header, b"{}"), Ok(()));
    }

    #[test]
    fn a_key_set_is_taken_whole_or_not_at_all() {
        let text = format!(
            "{{\"format\":1,\"version\":1,\"threshold\":1,\"keys\":[\"{}\"]}}",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let (mut header, text) = settings_record(text.as_bytes());
        assert_eq!(keys_length(&header), None);
        header[..4].copy_from_slice(b"MNVK");
        assert_eq!(keys_length(&header), Some(text.len()));
        assert_eq!(read_keys(&header, &text).unwrap().version(), 1);
        let mut changed = text.clone();
        changed[20] ^= 1;
        assert_eq!(read_keys(&header, &changed), None);
        assert_eq!(keys_length(&[0xff; SETTINGS_HEADER]), None);
    }

    #[test]
    fn a_new_device_is_not_muted_and_a_damaged_one_is() {
        assert_eq!(Kept::read(&EMPTY).state, State::default());
        let mut damaged = EMPTY;
        damaged[0][3] = 0;
        assert!(Kept::read(&damaged).state.muted_at_button);
        assert!(Kept::read(&[[0; STATE_BYTES]; 2]).state.muted_at_button);
    }

    fn any_state() -> impl Strategy<Value = State> {
        any::<bool>().prop_map(|muted_at_button| State { muted_at_button })
    }

    proptest! {
        #[test]
        fn power_may_fail_at_every_byte_of_a_write(
            states in prop::collection::vec(any_state(), 1..6), cut in 0..=STATE_BYTES
        ) {
            let mut flash = EMPTY;
            let mut kept = Kept::read(&flash);
            for &state in &states {
                let before = Kept::read(&flash);
                let (copy, bytes) = kept.replace(state);
                let copy = usize::from(copy);
                // Erased, then written up to `cut`.
                let mut torn = flash;
                torn[copy] = [0xff; STATE_BYTES];
                torn[copy][..cut].copy_from_slice(&bytes[..cut]);
                let after = Kept::read(&torn);
                if cut == STATE_BYTES {
                    prop_assert_eq!(after, kept);
                } else if before.count == 0 {
                    // The first write ever: there is nothing to fall back on.
                    prop_assert!(cut == 0 || after.state.muted_at_button);
                } else {
                    prop_assert_eq!(after.state, before.state);
                }
                flash[copy] = bytes;
                prop_assert_eq!(Kept::read(&flash), kept);
            }
        }

        #[test]
        fn counts_may_wrap(count in any::<u32>(), a in any_state(), b in any_state()) {
            let copies = [encode(a, count), encode(b, count.wrapping_add(1))];
            prop_assert_eq!(Kept::read(&copies).state, b);
            let [older, newer] = copies;
            prop_assert_eq!(Kept::read(&[newer, older]).state, b);
        }
    }
}
