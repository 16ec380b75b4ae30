//! The boot record: 128 bytes in two copies, the same as of the MicroPython application.

use crate::flash::{Flash, FlashError, Held, Slot, newest};
use crate::sign::Hash;

/// Bytes of a copy.
pub const BYTES: usize = 128;
pub(crate) const MAGIC: [u8; 4] = *b"MNVB";
const VERSION: u8 = 1;

/// A slot as the record numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first slot.
    A,
    /// The second.
    B,
    /// A maker's own, of MicroPython alone.
    Dev,
    /// The root of MicroPython's flash.
    Main,
}

impl Place {
    const ALL: [Self; 4] = [Self::A, Self::B, Self::Dev, Self::Main];

    /// The slot, where it is one of the two.
    #[must_use]
    pub const fn slot(self) -> Option<Slot> {
        match self {
            Self::A => Some(Slot::A),
            Self::B => Some(Slot::B),
            Self::Dev | Self::Main => None,
        }
    }
}

impl From<Slot> for Place {
    fn from(slot: Slot) -> Self {
        match slot {
            Slot::A => Self::A,
            Slot::B => Self::B,
        }
    }
}

/// Where the trial of the active slot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It was kept.
    None,
    /// Its next start begins a turn.
    Waiting,
    /// A turn was begun.
    Running,
}

/// What became of the release that was installed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to tell.
    Nothing,
    /// It stays.
    Kept,
    /// The hub acknowledged no health.
    NoHealth,
    /// The microphone gave nothing.
    Deaf,
    /// It reached no hub, where the one before did.
    NoHub,
    /// It was found damaged.
    Damaged,
    /// The record itself was lost.
    RecordLost,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Kept,
        Self::NoHealth,
        Self::Deaf,
        Self::NoHub,
        Self::Damaged,
        Self::RecordLost,
    ];

    /// Whether the release stays, and a text for people; `None` when there is nothing to tell.
    #[must_use]
    pub const fn told(self) -> Option<(bool, &'static str)> {
        match self {
            Self::Nothing => None,
            Self::Kept => Some((true, "kept after its trial")),
            Self::NoHealth => Some((false, "rolled back: the hub acknowledged no health")),
            Self::Deaf => Some((false, "rolled back: the microphone gave nothing")),
            Self::NoHub => Some((
                false,
                "rolled back: it reached no hub, the release before does",
            )),
            Self::Damaged => Some((false, "rolled back: what was installed is damaged")),
            Self::RecordLost => Some((false, "the boot record was lost")),
        }
    }
}

/// What the boot record says; docs/ota.md has its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The slot that is to run.
    pub active: Place,
    /// Whether it is on trial.
    pub trial: Trial,
    /// Turns of a trial without a verdict: of `active` while there is one, else of `previous`.
    pub turns: u8,
    /// The slot to fall back on.
    pub previous: Place,
    /// Of the slot for makers.
    pub flags: u8,
    /// What the update server is still to be told.
    pub outcome: Outcome,
    /// The update server's number for what was installed last.
    pub action: u64,
    /// No release with a lower security version is installed.
    pub floor: u32,
    /// SHA-256 of the manifest in a, b, dev; zeros where nothing is known.
    pub hashes: [Hash; 3],
}

/// No manifest.
pub const NO_HASH: Hash = [0; 32];

impl Record {
    /// Of a device on which nothing was ever installed.
    #[must_use]
    pub fn new(running: Slot) -> Self {
        Self {
            active: running.into(),
            trial: Trial::None,
            turns: 0,
            previous: running.into(),
            flags: 0,
            outcome: Outcome::Nothing,
            action: 0,
            floor: 0,
            hashes: [NO_HASH; 3],
        }
    }

    /// The hash of a slot's manifest.
    pub fn hash_mut(&mut self, slot: Slot) -> &mut Hash {
        let [a, b, _] = &mut self.hashes;
        match slot {
            Slot::A => a,
            Slot::B => b,
        }
    }

    /// Its 116 bytes between count and checksum.
    pub(crate) fn pack(&self) -> [u8; BYTES - 12] {
        let number = |at: Option<usize>| at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX);
        let place = |place| number(Place::ALL.iter().position(|p| *p == place));
        let head = [
            VERSION,
            place(self.active),
            match self.trial {
                Trial::None => 0,
                Trial::Waiting => 1,
                Trial::Running => 2,
            },
            self.turns,
            place(self.previous),
            self.flags,
            number(Outcome::ALL.iter().position(|o| *o == self.outcome)),
            0,
        ];
        let mut out = [0; BYTES - 12];
        let action = self.action.to_le_bytes();
        let floor = self.floor.to_le_bytes();
        let all = head
            .iter()
            .chain(&action)
            .chain(&floor)
            .chain(self.hashes.as_flattened());
        for (to, from) in out.iter_mut().zip(all) {
            *to = *from;
        }
        out
    }

    /// The record of a whole copy; `None` when it is of another version, or says what cannot be.
    #[must_use]
    pub fn unpack(copy: &[u8; BYTES]) -> Option<Self> {
        let (head, rest) = copy.get(8..)?.split_first_chunk::<8>()?;
        let [version, active, trial, turns, previous, flags, outcome, _] = *head;
        let (action, rest) = rest.split_first_chunk::<8>()?;
        let (floor, rest) = rest.split_first_chunk::<4>()?;
        let (hashes, _) = rest.as_chunks::<32>();
        let place = |n: u8| Place::ALL.get(usize::from(n)).copied();
        (version == VERSION).then_some(())?;
        Some(Self {
            active: place(active)?,
            trial: match trial {
                0 => Trial::None,
                1 => Trial::Waiting,
                2 => Trial::Running,
                _ => return None,
            },
            turns,
            previous: place(previous)?,
            flags,
            outcome: Outcome::ALL.get(usize::from(outcome)).copied()?,
            action: u64::from_le_bytes(*action),
            floor: u32::from_le_bytes(*floor),
            hashes: *hashes.first_chunk()?,
        })
    }

    /// The record in force of two copies as they lie there (`None`: never written), and whether one was lost.
    #[must_use]
    pub fn of(copies: &[Option<[u8; BYTES]>; 2]) -> (Option<Self>, bool) {
        Self::held(newest(MAGIC, copies).0)
    }

    pub(crate) fn held(held: Held<BYTES>) -> (Option<Self>, bool) {
        match held {
            Held::Text(copy) => {
                let record = Self::unpack(&copy);
                (record, record.is_none())
            }
            Held::Nothing => (None, false),
            Held::Lost => (None, true),
        }
    }
}

/// The record and where to write the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    copies: crate::flash::Copies<BYTES>,
}

impl Kept {
    pub(crate) fn load<F: Flash>(
        flash: &mut F,
    ) -> Result<(Self, Option<Record>, bool), FlashError> {
        let mut copies = crate::flash::Copies::new(MAGIC, 0);
        let (record, lost) = Record::held(copies.load(flash)?);
        Ok((Self { copies }, record, lost))
    }

    pub(crate) fn store<F: Flash>(
        &mut self,
        flash: &mut F,
        record: &Record,
    ) -> Result<(), FlashError> {
        self.copies.store(flash, &record.pack())
    }
}
