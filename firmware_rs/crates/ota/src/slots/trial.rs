//! The trial of a slot: what a start makes of the record, and what the gate's orders do.

use super::filling::hash_of;
use super::{Next, Slots};
use crate::flash::{Flash, FlashError, Slot};
use crate::gate::{self, Facts, MAX_TURNS, Order, Why};
use crate::record::{Outcome, Place, Trial};
use crate::select::{self, State};

impl Slots {
    /// Finish what the last session left: the record leads, the bootloader follows.
    pub(super) fn settle<F: Flash>(&mut self, flash: &mut F) -> Result<Next, FlashError> {
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
