//! Who may sign: the key set that a device trusts, its rotation, and the check of a release.

use heapless::Vec;

use crate::fixed::{Escaped, Reader};
use crate::manifest::{MAX_KEYS, Manifest};
use crate::sign::{KEYSET_DOMAIN, KeyId, MANIFEST_DOMAIN, key_id, signed_text, verify};
use crate::{Code, Refusal};

/// Eight keys have 700.
pub const MAX_BYTES: usize = 2048;
/// Eight rotations with eight signatures each have 15,000.
pub const MAX_SIGNATURES_BYTES: usize = 16384;
/// Rotations that a release carries.
pub const MAX_ROTATIONS: usize = 8;
/// The highest version of a key set.
pub const MAX_VERSION: u32 = (1 << 31) - 1;

/// A public key of Ed25519.
pub type Key = [u8; 32];

/// `threshold` of its keys must sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    version: u32,
    threshold: u8,
    keys: Vec<(KeyId, Key), MAX_KEYS>,
}

fn check_length(data: &[u8], most: usize, what: &str) -> Result<(), Refusal> {
    if data.len() > most {
        return Err(Refusal::new(
            Code::TooLong,
            format_args!("{what} has {} bytes; at most {most} are read", data.len()),
        ));
    }
    Ok(())
}

impl KeySet {
    /// The text of a key set.
    ///
    /// # Errors
    ///
    /// `too_long`, `unknown_format`, `bad_keyset`.
    pub fn parse(data: &[u8]) -> Result<Self, Refusal> {
        check_length(data, MAX_BYTES, "a key set")?;
        let bad = Code::BadKeyset;
        let mut r = Reader::new(data, bad);
        r.open()?;
        r.key("version")?;
        let version = r.small(1, MAX_VERSION, bad)?;
        r.key("threshold")?;
        let threshold = r.number(1, 8, bad)?;
        r.key("keys")?;
        let mut keys: Vec<Key, MAX_KEYS> = Vec::new();
        r.begin(b'[')?;
        while r.more()? {
            keys.push(r.hex()?)
                .map_err(|_: Key| r.fail(format_args!("more than {MAX_KEYS} keys")))?;
        }
        let set = u8::try_from(threshold)
            .ok()
            .and_then(|threshold| Self::new(version, threshold, &keys))
            .ok_or_else(|| {
                r.fail(format_args!(
                    "a key or its id is there twice, or a threshold of {threshold} with {} keys",
                    keys.len()
                ))
            })?;
        r.finish()?;
        Ok(set)
    }

    /// `None` unless it is one: 1 to 8 keys of different ids, of which at least one must sign and all can.
    #[must_use]
    pub fn new(version: u32, threshold: u8, keys: &[Key]) -> Option<Self> {
        let mut with_ids: Vec<(KeyId, Key), MAX_KEYS> = Vec::new();
        for key in keys {
            let id = key_id(key);
            if with_ids.iter().any(|(other, _)| *other == id) {
                return None;
            }
            with_ids.push((id, *key)).ok()?;
        }
        let enough = (1..=keys.len()).contains(&usize::from(threshold));
        (enough && (1..=MAX_VERSION).contains(&version)).then_some(Self {
            version,
            threshold,
            keys: with_ids,
        })
    }

    /// Each rotation raises it by one.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// How many must sign.
    #[must_use]
    pub const fn threshold(&self) -> u8 {
        self.threshold
    }

    /// Ids and keys, in the order of the text.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, &Key)> {
        self.keys.iter().map(|(id, key)| (id, key))
    }

    fn find(&self, id: &KeyId) -> Option<&Key> {
        self.keys().find(|(own, _)| *own == id).map(|(_, key)| key)
    }
}

type SignatureOf = (KeyId, [u8; 64]);

/// A list of signatures in a text that was checked.
#[derive(Clone, Copy)]
struct Signatures<'a>(Reader<'a>);

fn signature(r: &mut Reader<'_>) -> Result<SignatureOf, Refusal> {
    r.begin(b'[')?;
    r.item()?;
    let id = r.hex()?;
    r.item()?;
    let signature = r.hex()?;
    r.end(b']')?;
    Ok((id, signature))
}

impl<'a> Signatures<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, Refusal> {
        let whole = *r;
        let mut count: usize = 0;
        r.begin(b'[')?;
        while r.more()? {
            if count == MAX_KEYS {
                return Err(r.fail(format_args!("more than {MAX_KEYS} signatures")));
            }
            signature(r)?;
            count = count.saturating_add(1);
        }
        Ok(Self(whole))
    }

    fn each(self) -> impl Iterator<Item = SignatureOf> {
        let mut r = self.0;
        let begun = r.begin(b'[').is_ok();
        core::iter::from_fn(move || {
            (begun && r.more() == Ok(true))
                .then(|| signature(&mut r).ok())
                .flatten()
        })
    }
}

/// A text whose signatures are counted.
struct Signed<'a> {
    what: &'a str,
    version: u32,
    message: [u8; 46],
    signatures: Signatures<'a>,
}

impl Signed<'_> {
    /// Refuse it unless the threshold of each of `sets` signed it.
    ///
    /// Signatures are looked at in their order until that is reached. Those by keys in none of the sets, or that are
    /// not `named`, are passed over, and so is a second one by the same key; a wrong one by a key that counts refuses
    /// the whole.
    fn count(&self, sets: &[&KeySet], named: impl Fn(&KeyId) -> bool) -> Result<(), Refusal> {
        let what = self.what;
        let mut seen: Vec<KeyId, MAX_KEYS> = Vec::new();
        let mut counts = [0_u8; 2];
        let mut any = false;
        for (id, signature) in self.signatures.each() {
            any = true;
            if sets.iter().zip(counts).all(|(set, n)| n >= set.threshold) {
                return Ok(());
            }
            let Some(key) = sets.iter().find_map(|set| set.find(&id)) else {
                continue;
            };
            if seen.contains(&id) || !named(&id) || seen.push(id).is_err() {
                continue;
            }
            if !verify(key, &self.message, &signature) {
                return Err(Refusal::new(
                    Code::BadSignature,
                    format_args!(
                        "the signature of {what} {} by {:016x} is wrong",
                        self.version,
                        u64::from_be_bytes(id)
                    ),
                ));
            }
            for (set, n) in sets.iter().zip(&mut counts) {
                *n = n.saturating_add(u8::from(set.find(&id) == Some(key)));
            }
        }
        let Some((set, n)) = sets.iter().zip(counts).find(|(set, n)| *n < set.threshold) else {
            return Ok(());
        };
        if any && seen.is_empty() {
            return Err(Refusal::new(
                Code::UnknownKey,
                format_args!("{what} {} is signed by nobody known here", self.version),
            ));
        }
        Err(Refusal::new(
            Code::TooFewSignatures,
            format_args!(
                "{what} {} is signed by {n} of {} keys that must, of the key set {}",
                self.version, set.threshold, set.version
            ),
        ))
    }
}

/// The bytes of manifest.sig, checked.
struct SignatureFile<'a> {
    signatures: Signatures<'a>,
    rotations: Reader<'a>,
}

fn rotation<'a>(r: &mut Reader<'a>) -> Result<(Escaped<'a>, Signatures<'a>), Refusal> {
    r.begin(b'{')?;
    r.key("keyset")?;
    let text = r.escaped(MAX_BYTES, Code::TooLong)?;
    r.key("signatures")?;
    let signatures = Signatures::read(r)?;
    r.end(b'}')?;
    Ok((text, signatures))
}

impl<'a> SignatureFile<'a> {
    fn parse(data: &'a [u8]) -> Result<Self, Refusal> {
        let mut r = Reader::new(data, Code::BadSignature);
        r.open()?;
        r.key("signatures")?;
        let signatures = Signatures::read(&mut r)?;
        r.key("keysets")?;
        let rotations = r;
        let mut count: usize = 0;
        r.begin(b'[')?;
        while r.more()? {
            if count == MAX_ROTATIONS {
                return Err(r.fail(format_args!("more than {MAX_ROTATIONS} key sets")));
            }
            rotation(&mut r)?;
            count = count.saturating_add(1);
        }
        r.finish()?;
        Ok(Self {
            signatures,
            rotations,
        })
    }

    /// The key set after the rotations that are newer; `None` when it stays.
    fn rotate(
        &self,
        keyset: &KeySet,
        room: &mut [u8; MAX_BYTES],
    ) -> Result<Option<KeySet>, Refusal> {
        let mut now: Option<KeySet> = None;
        let mut list = self.rotations;
        list.begin(b'[')?;
        while list.more()? {
            let (text, signatures) = rotation(&mut list)?;
            let text = text.unescape(room);
            let new = KeySet::parse(text)?;
            let old = now.as_ref().unwrap_or(keyset);
            if new.version <= old.version {
                continue;
            }
            if new.version != old.version.saturating_add(1) {
                return Err(Refusal::new(
                    Code::KeysetGap,
                    format_args!("key set {} cannot follow {}", new.version, old.version),
                ));
            }
            let signed = Signed {
                what: "key set",
                version: new.version,
                message: signed_text(KEYSET_DOMAIN, text),
                signatures,
            };
            signed.count(&[old, &new], |_| true)?;
            now = Some(new);
        }
        Ok(now)
    }
}

/// The manifest of a release that `keyset` allows, and the key set now in force when that is another one.
///
/// Lengths first, then what is written, then who signed; whether it is for a device is
/// [`Manifest::check_for`]. `room` is scratch.
///
/// # Errors
///
/// The refusal, with the first reason in that order.
pub fn check<'a>(
    manifest: &'a [u8],
    signatures: &[u8],
    keyset: &KeySet,
    room: &mut [u8; MAX_BYTES],
) -> Result<(Manifest<'a>, Option<KeySet>), Refusal> {
    check_length(signatures, MAX_SIGNATURES_BYTES, "manifest.sig")?;
    let parsed = Manifest::parse(manifest)?;
    let file = SignatureFile::parse(signatures)?;
    let now = file.rotate(keyset, room)?;
    let signed = Signed {
        what: "the manifest of security version",
        version: parsed.security_version,
        message: signed_text(MANIFEST_DOMAIN, manifest),
        signatures: file.signatures,
    };
    let set = now.as_ref().unwrap_or(keyset);
    signed.count(&[set], |id| parsed.keys().any(|named| named == *id))?;
    Ok((parsed, now))
}
