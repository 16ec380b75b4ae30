//! The device: what [`poll`](Device::poll) does in turn.

use crate::clock::DeviceClock;
use crate::light::{Facts, LightState};
use crate::ports::{Clock, Microphone, Store, Transport};
use crate::ring::Ring;
use crate::settings::Settings;

/// What a device is beside its settings, and what it can do.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Its board: `virtual`, `xiao_s3_sense`.
    pub board: &'static str,
    /// The firmware's version.
    pub version: &'static str,
    /// Which copy of the firmware runs.
    pub slot: &'static str,
    /// It has an FPU and computes features: `logmel_u8` and the mode `features`.
    pub features: bool,
    /// Device time at the start: 0, but for a simulation.
    pub start_ms: u64,
}

/// The memory given is smaller than [`Device::memory_bytes`] of the smallest ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittleMemory {
    /// Bytes given.
    pub given: usize,
    /// Bytes needed at least.
    pub least: usize,
}

/// One device.
pub struct Device<'a> {
    identity: Identity,
    ring: Ring<'a>,
    clock: Option<DeviceClock>,
    random: fn() -> u64,
}

impl<'a> Device<'a> {
    /// Bytes of memory for a device whose ring has `ring_bytes`.
    pub const fn memory_bytes(ring_bytes: usize) -> usize {
        ring_bytes.saturating_add(32_768)
    }

    /// A device that has not looked at the world yet. `random` gives unpredictable numbers.
    ///
    /// # Errors
    ///
    /// When `memory` is too small.
    pub fn new(
        _settings: &Settings,
        identity: Identity,
        memory: &'a mut [u8],
        random: fn() -> u64,
    ) -> Result<Self, TooLittleMemory> {
        Ok(Self {
            identity,
            ring: Ring::new(memory),
            clock: None,
            random,
        })
    }

    /// Do what is due, without waiting; returns the milliseconds after which it wants to be polled again.
    pub fn poll<C: Clock, M: Microphone, T: Transport, S: Store>(
        &mut self,
        clock: &C,
        _microphone: &mut M,
        _transport: &mut T,
        _store: &mut S,
    ) -> u32 {
        let ticks = clock.ticks_ms();
        let start_ms = self.identity.start_ms;
        self.clock
            .get_or_insert_with(|| DeviceClock::new(ticks, start_ms))
            .update(ticks);
        let _ = (self.random)();
        let _ = self.ring.unsent();
        20
    }

    /// The button was pressed (bounces are the board's matter): mutes at once, or ends the button's mute.
    pub fn press_button<M: Microphone, S: Store>(&mut self, microphone: &mut M, _store: &mut S) {
        microphone.stop();
    }

    /// What the light shows now.
    pub fn light(&self) -> LightState {
        LightState::of(Facts::default())
    }

    /// UTC in milliseconds, once a hub has said it.
    pub fn utc_ms(&self) -> Option<u64> {
        None
    }

    /// Tell what is free of the heap, where there is one, for `health`.
    pub fn set_heap_free(&mut self, _bytes: u32) {}
}
