//! Filling the other slot with an image, and making it the next to run.

use sha2::{Digest, Sha256};

use super::filling::{Filling, PAGE, Page, hash_of, whole_sectors};
use super::{Next, Slots};
use crate::flash::{Flash, FlashError, Region, Slot};
use crate::manifest::{Kind, Manifest};
use crate::record::{NO_HASH, Outcome, Trial};
use crate::select::{self, State};
use crate::sign::sha256;
use crate::stored::Release;
use crate::{Code, Refusal};

impl Slots {
    /// Make the other slot ready for an image; what an earlier start left of the same one counts.
    ///
    /// # Errors
    ///
    /// `wrong_abi` of what is no image, `no_space`; `bad_answer` on trial, when the other slot may be needed.
    pub fn begin<F: Flash>(
        &mut self,
        flash: &mut F,
        manifest: &Manifest<'_>,
        bytes: &[u8],
    ) -> Result<Filling, Refusal> {
        if self.on_trial {
            return Err(Refusal::new(
                Code::BadAnswer,
                format_args!("the running slot is on trial"),
            ));
        }
        let file = manifest
            .files()
            .next()
            .filter(|_| manifest.kind == Kind::Image);
        let Some((_, file)) = file else {
            return Err(Refusal::new(
                Code::WrongAbi,
                format_args!("this firmware takes images only"),
            ));
        };
        let slot = self.running.other();
        let room = flash.size(Region::Slot(slot));
        if file.size > room {
            return Err(Refusal::new(
                Code::NoSpace,
                format_args!(
                    "the image has {} bytes; slot {} has {room}",
                    file.size,
                    slot.name()
                ),
            ));
        }
        let mut release = Release {
            slot,
            whole: false,
            have: 0,
            size: file.size,
            security_version: manifest.security_version,
            image: file.sha256,
            manifest: sha256(bytes),
        };
        match self.release {
            Some(before)
                if Release {
                    whole: false,
                    have: 0,
                    ..before
                } == release =>
            {
                release.have = whole_sectors(before.have.min(file.size));
            }
            _ => {
                self.forget(flash, slot)?;
                self.releases.store(flash, &release)?;
            }
        }
        self.release = Some(release);
        Ok(Filling {
            release,
            hash: Sha256::new(),
            have: 0,
            page: Page([0; PAGE]),
            used: 0,
        })
    }

    /// The record no longer offers a slot that is about to change.
    fn forget<F: Flash>(&mut self, flash: &mut F, slot: Slot) -> Result<(), FlashError> {
        if *self.record.hash_mut(slot) == NO_HASH && self.record.turns == 0 {
            return Ok(());
        }
        *self.record.hash_mut(slot) = NO_HASH;
        if self.record.turns > 0 {
            // Of a trial in that slot, which gets no further.
            self.record.turns = 0;
            self.record.outcome = Outcome::NoHub;
        }
        self.store(flash)
    }

    /// What is there of a download is wrong: it comes anew.
    ///
    /// # Errors
    ///
    /// When the flash cannot be written.
    pub fn discard<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        if let Some(release) = &mut self.release {
            let anew = Release {
                whole: false,
                have: 0,
                ..*release
            };
            self.releases.store(flash, &anew)?;
            *release = anew;
        }
        Ok(())
    }

    /// Record how far a download came.
    ///
    /// # Errors
    ///
    /// When the flash cannot be written.
    pub fn checkpoint<F: Flash>(
        &mut self,
        flash: &mut F,
        filling: &Filling,
    ) -> Result<(), FlashError> {
        let release = Release {
            have: whole_sectors(filling.have),
            ..filling.release
        };
        self.releases.store(flash, &release)?;
        self.release = Some(release);
        Ok(())
    }

    /// Make the image that was filled the next to run, on trial, once all of it is read back. Then restart.
    ///
    /// # Errors
    ///
    /// `bad_hash`: what lies there is not the image; it is forgotten, and comes anew. `no_space`.
    pub fn install<F: Flash>(
        &mut self,
        flash: &mut F,
        filling: Filling,
        action: u64,
    ) -> Result<Next, Refusal> {
        let mut release = filling.release;
        let slot = release.slot;
        let hash = if filling.is_done() {
            hash_of(flash, slot, release.size)?
        } else {
            NO_HASH
        };
        release.whole = hash == release.image;
        release.have = if release.whole { release.size } else { 0 };
        self.releases.store(flash, &release)?;
        self.release = Some(release);
        if !release.whole {
            return Err(Refusal::new(
                Code::BadHash,
                format_args!(
                    "the image in slot {} is not what the manifest says",
                    slot.name()
                ),
            ));
        }
        self.record.active = slot.into();
        self.record.previous = self.running.into();
        self.record.trial = Trial::Waiting;
        self.record.turns = 0;
        self.record.outcome = Outcome::Nothing;
        self.record.action = action;
        *self.record.hash_mut(slot) = release.manifest;
        self.store(flash)?;
        select::select(flash, slot, self.running, State::New)?;
        Ok(Next::Restart)
    }
}
