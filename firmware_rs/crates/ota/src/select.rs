//! The bootloader's choice of a slot: ESP-IDF's `otadata`, two sectors with one entry each.
//!
//! `u32 sequence | 20 bytes 0xff | u32 state | u32 CRC-32 of the sequence`. The valid entry with the higher sequence
//! counts; odd ones are slot a's, even ones b's. An entry is written in one go, with its state: the bootloader must
//! never see a new slot selected that is not on trial (docs/decisions/0018-otadata.md).

use crate::flash::{Flash, FlashError, Region, SECTOR, Slot, crc32_from};

/// The state of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// To be started on trial.
    New,
    /// On trial: the bootloader turns it to `Aborted` at the next start.
    Pending,
    /// Good.
    Valid,
    /// Found bad.
    Invalid,
    /// On trial when the power failed, or it crashed.
    Aborted,
    /// Nothing is known: it is started like a good one.
    Undefined,
}

impl State {
    const fn code(self) -> u32 {
        match self {
            Self::New => 0,
            Self::Pending => 1,
            Self::Valid => 2,
            Self::Invalid => 3,
            Self::Aborted => 4,
            Self::Undefined => u32::MAX,
        }
    }

    const fn of(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::New),
            1 => Some(Self::Pending),
            2 => Some(Self::Valid),
            3 => Some(Self::Invalid),
            4 => Some(Self::Aborted),
            u32::MAX => Some(Self::Undefined),
            _ => None,
        }
    }
}

/// An entry that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Higher than that of the entry before it.
    pub sequence: u32,
    /// What is known of its slot.
    pub state: State,
}

const BYTES: usize = 32;

fn sum(sequence: u32) -> u32 {
    // ESP-IDF's routine inverts what it begins with.
    crc32_from(0, &sequence.to_le_bytes())
}

impl Entry {
    /// Which slot it is for.
    #[must_use]
    pub const fn slot(self) -> Slot {
        if self.sequence & 1 == 1 {
            Slot::A
        } else {
            Slot::B
        }
    }

    /// As it lies in the flash; `None` when it is none, or is not whole.
    #[must_use]
    pub fn unpack(bytes: &[u8; BYTES]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let sequence = word(0)?;
        let fine = !matches!(sequence, 0 | u32::MAX) && word(28)? == sum(sequence);
        fine.then_some(())?;
        Some(Self {
            sequence,
            state: State::of(word(24)?)?,
        })
    }

    /// As it is written.
    #[must_use]
    pub fn pack(self) -> [u8; BYTES] {
        let mut out = [0xff; BYTES];
        let parts = [
            (0, self.sequence),
            (24, self.state.code()),
            (28, sum(self.sequence)),
        ];
        for (at, value) in parts {
            if let Some(room) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                *room = value.to_le_bytes();
            }
        }
        out
    }

    /// Whether the bootloader would start its slot.
    #[must_use]
    pub const fn may_start(self) -> bool {
        !matches!(self.state, State::Invalid | State::Aborted)
    }
}

/// Both entries.
///
/// # Errors
///
/// When the flash cannot be read.
pub fn entries<F: Flash>(flash: &mut F) -> Result<[Option<Entry>; 2], FlashError> {
    let mut out = [None; 2];
    for (at, entry) in [0, SECTOR].into_iter().zip(&mut out) {
        let mut bytes = [0; BYTES];
        flash.read(Region::Select, at, &mut bytes)?;
        *entry = Entry::unpack(&bytes);
    }
    Ok(out)
}

/// Write an entry to its sector (0 or 1).
///
/// # Errors
///
/// When the flash cannot be written.
pub fn write<F: Flash>(flash: &mut F, sector: usize, entry: Entry) -> Result<(), FlashError> {
    let at = if sector == 0 { 0 } else { SECTOR };
    let bytes = entry.pack();
    flash.erase(Region::Select, at)?;
    flash.write(Region::Select, at, &bytes)?;
    let mut read = [0; BYTES];
    flash.read(Region::Select, at, &mut read)?;
    if read == bytes {
        Ok(())
    } else {
        Err(FlashError)
    }
}

/// Select `slot` for the next start. The entry of the slot that runs stays as it is, until the next time.
///
/// # Errors
///
/// When the flash cannot be written.
pub fn select<F: Flash>(
    flash: &mut F,
    slot: Slot,
    running: Slot,
    state: State,
) -> Result<(), FlashError> {
    let both = entries(flash)?;
    // Not over what the bootloader falls back on: the newest entry of the slot that runs.
    let kept = both
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| entry.map(|entry| (at, entry)))
        .filter(|(_, entry)| entry.slot() == running && entry.may_start())
        .max_by_key(|(_, entry)| entry.sequence)
        .map(|(at, _)| at);
    let highest = both
        .iter()
        .flatten()
        .map(|entry| entry.sequence)
        .max()
        .unwrap_or(0);
    let mut sequence = highest.checked_add(1).ok_or(FlashError)?;
    let entry = Entry { sequence, state };
    if entry.slot() != slot {
        sequence = sequence.checked_add(1).ok_or(FlashError)?;
    }
    write(
        flash,
        usize::from(kept == Some(0)),
        Entry { sequence, state },
    )
}

/// Say of `slot`, which runs, what is known of it now; nothing where it has no entry.
///
/// # Errors
///
/// When the flash cannot be written.
pub fn mark<F: Flash>(flash: &mut F, slot: Slot, state: State) -> Result<(), FlashError> {
    let both = entries(flash)?;
    let newest = both
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| entry.map(|entry| (at, entry)))
        .filter(|(_, entry)| entry.slot() == slot)
        .max_by_key(|(_, entry)| entry.sequence);
    match newest {
        Some((at, entry)) if entry.state != state => write(flash, at, Entry { state, ..entry }),
        _ => Ok(()),
    }
}
