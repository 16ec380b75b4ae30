//! Two slots for whole images: which one runs, filling the other, the trial. What is decided is recorded before it is
//! done, and [`Slots::start`] finishes at the next start what power cut short.

use sha2::{Digest, Sha256};

use crate::flash::{Flash, FlashError, Region, SECTOR, Slot};
use crate::gate::{self, Facts, MAX_TURNS, Order, Why};
use crate::keyset::{self, KeySet};
use crate::manifest::{Kind, Manifest};
use crate::record::{Kept, NO_HASH, Outcome, Place, Record, Trial};
use crate::select::{self, State};
use crate::sign::{Hash, sha256};
use crate::stored::{Keys, Release, Releases};
use crate::{Code, Refusal};

/// Bytes that are written, hashed or read back at a time.
pub const PAGE: usize = 1024;
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
        if let Some(release) = self.release.filter(|release| release.slot == self.running) {
            self.record.floor = release.security_version;
            *self.record.hash_mut(release.slot) = release.manifest;
        }
        self.store(flash)
    }

    fn store<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        let record = self.record;
        self.kept.store(flash, &record)
    }

    fn settle<F: Flash>(&mut self, flash: &mut F) -> Result<Next, FlashError> {
        let runs = self.record.active == self.running.into();
        match (self.record.trial, runs) {
            (Trial::None, true) => {
                // Kept, and power failed before the bootloader was told.
                let pending = [State::New, State::Pending];
                let both = select::entries(flash)?;
                if both
                    .iter()
                    .flatten()
                    .any(|e| e.slot() == self.running && pending.contains(&e.state))
                {
                    select::mark(flash, self.running, State::Valid)?;
                }
                Ok(Next::Run)
            }
            (Trial::Waiting, true) => {
                self.on_trial = true;
                self.record.trial = Trial::Running;
                self.store(flash)?;
                Ok(Next::Run)
            }
            // A bootloader without rollback starts it again; or power failed between the two writes of an end.
            (Trial::Running, true) => {
                self.record.turns = self.record.turns.saturating_add(1);
                if self.record.turns >= MAX_TURNS && self.record.previous.slot().is_some() {
                    return self.give_way(flash, Outcome::Nothing);
                }
                self.on_trial = true;
                self.store(flash)?;
                Ok(Next::Run)
            }
            // The slot on trial was not started, or its turn ended by power or a crash.
            (Trial::Waiting | Trial::Running, false) => {
                self.record.turns = self.record.turns.saturating_add(1);
                let whole = self.is_whole(flash, self.running.other())?;
                if whole && self.record.turns < MAX_TURNS {
                    self.record.trial = Trial::Waiting;
                    self.store(flash)?;
                    select::select(flash, self.running.other(), self.running, State::New)?;
                    return Ok(Next::Restart);
                }
                self.swap();
                self.record.trial = Trial::None;
                if !whole {
                    self.record.turns = 0;
                    self.record.outcome = Outcome::Damaged;
                }
                self.store(flash)?;
                Ok(Next::Run)
            }
            // The slot that was kept was not started: power failed before the bootloader was told so. It gets a trial.
            (Trial::None, false) => {
                let whole = self.is_whole(flash, self.running.other())?;
                self.record.turns = 0;
                if whole {
                    self.record.previous = self.running.into();
                    self.record.trial = Trial::Waiting;
                    self.store(flash)?;
                    select::select(flash, self.running.other(), self.running, State::New)?;
                    return Ok(Next::Restart);
                }
                self.swap();
                self.record.active = self.running.into();
                self.record.outcome = Outcome::Damaged;
                self.store(flash)?;
                Ok(Next::Run)
            }
        }
    }

    fn swap(&mut self) {
        core::mem::swap(&mut self.record.active, &mut self.record.previous);
    }

    /// The slot before the running one is next.
    fn give_way<F: Flash>(&mut self, flash: &mut F, outcome: Outcome) -> Result<Next, FlashError> {
        self.swap();
        self.record.trial = Trial::None;
        if outcome != Outcome::Nothing {
            self.record.outcome = outcome;
        }
        self.store(flash)?;
        self.leave(flash, State::Valid)?;
        Ok(Next::Restart)
    }

    /// Tell the bootloader to start the other slot, which may be `state`.
    fn leave<F: Flash>(&mut self, flash: &mut F, state: State) -> Result<(), FlashError> {
        let other = self.running.other();
        let good = |e: &&select::Entry| e.slot() == other && e.may_start();
        if select::entries(flash)?.iter().flatten().any(|e| good(&e)) {
            select::mark(flash, self.running, State::Invalid)
        } else {
            select::select(flash, other, self.running, state)
        }
    }

    /// Whether the image that a slot was filled with last is there as it was.
    fn is_whole<F: Flash>(&self, flash: &mut F, slot: Slot) -> Result<bool, FlashError> {
        let Some(release) = self.release.filter(|r| r.slot == slot && r.whole) else {
            return Ok(false);
        };
        let mut record = self.record;
        let known = *record.hash_mut(slot) == release.manifest;
        Ok(known && hash_of(flash, slot, release.size)? == release.image)
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

    /// What to do about the slot that runs; ask again and again.
    #[must_use]
    pub fn decide(&self, facts: &Facts) -> Order {
        gate::decide(self.on_trial, self.record.turns, facts)
    }

    /// Record an order and do it.
    ///
    /// # Errors
    ///
    /// When the flash cannot be written: what was recorded is finished at the next start.
    pub fn carry_out<F: Flash>(
        &mut self,
        flash: &mut F,
        order: Order,
        facts: &Facts,
    ) -> Result<Next, FlashError> {
        if order == Order::Wait {
            return Ok(Next::Run);
        }
        let before = self.record;
        self.record.turns = gate::turns_after(order, before.turns, facts);
        let done = self.carry_out_recorded(flash, order);
        if done.is_err() {
            self.record = before;
        }
        done
    }

    fn carry_out_recorded<F: Flash>(
        &mut self,
        flash: &mut F,
        order: Order,
    ) -> Result<Next, FlashError> {
        match order {
            Order::Wait => Ok(Next::Run),
            Order::Keep => {
                self.record.trial = Trial::None;
                self.record.outcome = Outcome::Kept;
                let release = self.release.filter(|release| release.slot == self.running);
                let security = release.map_or(0, |release| release.security_version);
                self.record.floor = self.record.floor.max(security);
                self.store(flash)?;
                self.on_trial = false;
                select::mark(flash, self.running, State::Valid)?;
                Ok(Next::Run)
            }
            Order::GiveUp(why) => self.give_way(
                flash,
                match why {
                    Why::NoWelcome => Outcome::Nothing,
                    Why::NoHealth => Outcome::NoHealth,
                    Why::Deaf => Outcome::Deaf,
                },
            ),
            Order::TryAgain => {
                self.record.active = self.running.other().into();
                self.record.previous = Place::from(self.running);
                self.record.trial = Trial::Waiting;
                self.store(flash)?;
                select::select(flash, self.running.other(), self.running, State::New)?;
                Ok(Next::Restart)
            }
            Order::Blame => {
                self.record.outcome = Outcome::NoHub;
                self.store(flash)?;
                Ok(Next::Run)
            }
        }
    }

    /// (action, whether it stays, text) of the last release; `None`: nothing to tell.
    #[must_use]
    pub fn outcome(&self) -> Option<(u64, bool, &'static str)> {
        let (stays, text) = self.record.outcome.told()?;
        Some((self.record.action, stays, text))
    }

    /// The outcome was told to whom it concerns.
    ///
    /// # Errors
    ///
    /// When the flash cannot be written: it is told again.
    pub fn reported<F: Flash>(&mut self, flash: &mut F) -> Result<(), FlashError> {
        if self.record.outcome != Outcome::Nothing {
            self.record.outcome = Outcome::Nothing;
            self.record.action = 0;
            self.store(flash)?;
        }
        Ok(())
    }
}

const fn whole_sectors(bytes: u32) -> u32 {
    bytes & !SECTOR.wrapping_sub(1)
}

/// SHA-256 of the first `size` bytes of a slot.
fn hash_of<F: Flash>(flash: &mut F, slot: Slot, size: u32) -> Result<Hash, FlashError> {
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < size {
        at = at.saturating_add(hash_page(flash, slot, at, size, &mut hash)?);
    }
    Ok(hash.finalize().into())
}

/// Hash the page at `at`; its bytes.
fn hash_page<F: Flash>(
    flash: &mut F,
    slot: Slot,
    at: u32,
    end: u32,
    hash: &mut Sha256,
) -> Result<u32, FlashError> {
    let mut page = [0; PAGE];
    let size = usize::try_from(end.saturating_sub(at))
        .unwrap_or(PAGE)
        .min(PAGE);
    let page = page.get_mut(..size).ok_or(FlashError)?;
    flash.read(Region::Slot(slot), at, page)?;
    hash.update(&page);
    u32::try_from(size).map_err(|_| FlashError)
}

/// As chips want what they write.
#[derive(Clone, Debug)]
#[repr(align(4))]
struct Page([u8; PAGE]);

/// An image on its way into a slot. It is hashed as it comes, page by page.
#[derive(Clone, Debug)]
pub struct Filling {
    release: Release,
    hash: Sha256,
    /// Bytes on the flash, full pages until the last.
    have: u32,
    page: Page,
    used: usize,
}

impl Filling {
    /// Bytes that are there, in the flash or on the way.
    #[must_use]
    pub fn got(&self) -> u32 {
        self.have
            .saturating_add(u32::try_from(self.used).unwrap_or_default())
    }

    /// Bytes of the image.
    #[must_use]
    pub const fn wanted(&self) -> u32 {
        self.release.size
    }

    /// Whether all of it is on the flash.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.have == self.release.size
    }

    /// Hash the next page of what an earlier start left; false when there is no more. Before the first `write`.
    ///
    /// # Errors
    ///
    /// When the flash cannot be read.
    pub fn restore<F: Flash>(&mut self, flash: &mut F) -> Result<bool, FlashError> {
        if self.have >= self.release.have {
            return Ok(false);
        }
        let size = hash_page(
            flash,
            self.release.slot,
            self.have,
            self.release.have,
            &mut self.hash,
        )?;
        self.have = self.have.saturating_add(size);
        Ok(true)
    }

    /// The next bytes of the image.
    ///
    /// # Errors
    ///
    /// `bad_size` beyond its end, `bad_hash` at its end, `no_space`.
    pub fn write<F: Flash>(&mut self, flash: &mut F, mut bytes: &[u8]) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            let left = self.release.size.saturating_sub(self.got());
            let room = self.page.0.get_mut(self.used..).unwrap_or_default();
            let take = room
                .len()
                .min(bytes.len())
                .min(usize::try_from(left).unwrap_or(PAGE));
            let Some((now, later)) = bytes.split_at_checked(take).filter(|_| take > 0) else {
                return Err(Refusal::new(
                    Code::BadSize,
                    format_args!("more than the image's {} bytes came", self.release.size),
                ));
            };
            for (to, from) in room.iter_mut().zip(now) {
                *to = *from;
            }
            self.used = self.used.saturating_add(take);
            bytes = later;
            if self.used == PAGE || self.got() == self.release.size {
                self.flush(flash)?;
            }
        }
        Ok(())
    }

    fn flush<F: Flash>(&mut self, flash: &mut F) -> Result<(), Refusal> {
        let region = Region::Slot(self.release.slot);
        if self.have.is_multiple_of(SECTOR) {
            flash.erase(region, self.have)?;
        }
        let page = self.page.0.get(..self.used).unwrap_or_default();
        self.hash.update(page);
        let size = u32::try_from(self.used).unwrap_or_default();
        // Writes are of whole words; what follows the image stays as it was erased.
        let padded = self.used.next_multiple_of(4);
        if let Some(rest) = self.page.0.get_mut(self.used..padded) {
            rest.fill(0xff);
        }
        flash.write(
            region,
            self.have,
            self.page.0.get(..padded).unwrap_or_default(),
        )?;
        self.have = self.have.saturating_add(size);
        self.used = 0;
        if !self.is_done() {
            return Ok(());
        }
        let hash: Hash = self.hash.clone().finalize().into();
        if hash != self.release.image {
            return Err(Refusal::new(
                Code::BadHash,
                format_args!("the image is not what the manifest says"),
            ));
        }
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
    target: &crate::manifest::Target<'_>,
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
