//! Two slots for whole images: which one runs, filling the other, the trial. What is decided is recorded before it is
//! done, and [`Slots::start`] finishes at the next start what power cut short.

mod filling;
mod installing;
mod trial;

use crate::Refusal;
use crate::flash::{Flash, FlashError, Slot};
use crate::keyset::{self, KeySet};
use crate::manifest::{Manifest, Target};
use crate::record::{Kept, NO_HASH, Outcome, Record};
use crate::sign::Hash;
use crate::stored::{Keys, Release, Releases};

pub use filling::{Filling, PAGE};

/// Bytes from one checkpoint to the next: what a cut costs at most of a download.
pub const CHECKPOINT: u32 = 65_536;

/// What to do after the start was settled, or an order carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Go on.
    Run,
    /// Restart: another slot was selected.
    Restart,
}

/// The slots, of the firmware that runs in one of them.
#[derive(Debug)]
pub struct Slots {
    running: Slot,
    record: Record,
    on_trial: bool,
    release: Option<Release>,
    keys: Option<KeySet>,
    kept: Kept,
    releases: Releases,
    keyring: Keys,
}

impl Slots {
    /// Settle what the last session left, `running` being the slot that the bootloader started.
    ///
    /// # Errors
    ///
    /// When the flash cannot be read or written: nothing is decided then, and the next start tries again.
    pub fn start<F: Flash>(flash: &mut F, running: Slot) -> Result<(Self, Next), FlashError> {
        let (kept, record, lost) = Kept::load(flash)?;
        let (releases, release) = Releases::load(flash)?;
        let (keyring, keys) = Keys::load(flash)?;
        let mut new = Self {
            running,
            record: record.unwrap_or(Record::new(running)),
            on_trial: false,
            release,
            keys,
            kept,
            releases,
            keyring,
        };
        if lost {
            new.recover(flash)?;
        }
        let next = new.settle(flash)?;
        Ok((new, next))
    }

    /// A record that was lost: what runs is kept, and nothing lower than the newest release that was seen is taken.
    fn recover<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        self.record.outcome = Outcome::RecordLost;
        if let Some(release) = self.release {
            // Whether it was kept is not known any more. It can be installed itself, whatever runs now.
            self.record.floor = release.security_version;
            if release.slot == self.running {
                *self.record.hash_mut(release.slot) = release.manifest;
            }
        }
        self.store(flash)
    }

    fn store<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        let record = self.record;
        self.kept.store(flash, &record)
    }

    /// The slot that runs.
    #[must_use]
    pub const fn running(&self) -> Slot {
        self.running
    }

    /// Whether it is on trial.
    #[must_use]
    pub const fn on_trial(&self) -> bool {
        self.on_trial
    }

    /// No release with a lower security version may be installed.
    #[must_use]
    pub const fn security_version(&self) -> u32 {
        self.record.floor
    }

    /// SHA-256 of the manifest of what runs; `None` where nothing is known.
    #[must_use]
    pub fn running_manifest(&self) -> Option<Hash> {
        let mut record = self.record;
        Some(*record.hash_mut(self.running)).filter(|hash| *hash != NO_HASH)
    }

    /// The key set in force; `given` is that of the settings, of which a newer one counts.
    #[must_use]
    pub fn keys<'a>(&'a self, given: &'a KeySet) -> &'a KeySet {
        self.keys
            .as_ref()
            .filter(|own| own.version() > given.version())
            .unwrap_or(given)
    }

    /// Take the key set that a release brought, which was checked as a whole.
    ///
    /// # Errors
    ///
    /// When the flash cannot be written.
    pub fn set_keys<F: Flash>(&mut self, flash: &mut F, set: KeySet) -> Result<(), FlashError> {
        self.keyring.store(flash, &set)?;
        self.keys = Some(set);
        Ok(())
    }
}

/// Check a release for this device, and take the key set that it brings.
///
/// # Errors
///
/// The refusal; nothing is kept then.
pub fn accept<'a, F: Flash>(
    slots: &mut Slots,
    flash: &mut F,
    given: &KeySet,
    target: &Target<'_>,
    manifest: &'a [u8],
    signatures: &[u8],
    room: &mut [u8; keyset::MAX_BYTES],
) -> Result<Manifest<'a>, Refusal> {
    let (parsed, now) = keyset::check(manifest, signatures, slots.keys(given), room)?;
    parsed.check_for(target)?;
    if let Some(set) = now {
        slots.set_keys(flash, set)?;
    }
    Ok(parsed)
}
