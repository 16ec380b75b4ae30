//! A whole device: a room that plays the clip over and over, a clock, a store, and a hub that changes its orders.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use minerva_device::ports::{Captured, Clock, Microphone, MicrophoneError, Store, StoreError};
use minerva_device::{Device, Identity, settings};
use minerva_wire::media::Kind;
use minerva_wire::privacy::Mode;

use crate::hub::Hub;
use crate::material;
use crate::measure::Cost;
use crate::report;

const SETTINGS: &[u8] = br#"{"version": 1, "device": "emulated", "board": "virtual", "url": "ws://127.0.0.1:8765/device",
    "token": "emulated", "ceiling": "full", "gain_db": 0, "ring_bytes": 65536}"#;
const RING: usize = 65_536;
const FRAME_MS: u32 = 20;
const FRAME: usize = 320;
/// Frames of the clip.
const CLIP: u32 = 100;
/// A device that still has something to do at once after so many polls would never rest.
const POLLS: u32 = 64;

/// Time that stands still but for [`run`].
struct Time(Cell<u32>);

impl Clock for Time {
    fn ticks_ms(&self) -> u32 {
        self.0.get()
    }
}

/// The clip over and over, 20 ms at a time.
struct Room {
    on: bool,
    at: usize,
    heard: [i32; FRAME],
    ready: bool,
}

impl Room {
    /// 20 ms go by.
    fn go_on(&mut self) {
        let mut samples = [0; FRAME];
        if !material::samples(self.at, &mut samples) {
            self.at = 0;
            material::samples(0, &mut samples);
        }
        self.at += FRAME;
        for (slot, sample) in self.heard.iter_mut().zip(samples) {
            *slot = i32::from(sample) << 16;
        }
        self.ready = self.on;
    }
}

impl Microphone for Room {
    fn start(&mut self) -> Result<u32, MicrophoneError> {
        self.on = true;
        Ok(0)
    }

    fn stop(&mut self) {
        self.on = false;
        self.ready = false;
    }

    fn read(&mut self, slots: &mut [i32]) -> Result<Captured, MicrophoneError> {
        if !self.ready || slots.len() < FRAME {
            return Ok(Captured {
                slots: 0,
                caught_up: true,
            });
        }
        slots[..FRAME].copy_from_slice(&self.heard);
        self.ready = false;
        Ok(Captured {
            slots: FRAME,
            caught_up: true,
        })
    }
}

/// Keeps nothing over a restart, as there is none.
struct Memory;

impl Store for Memory {
    fn muted_at_button(&self) -> bool {
        false
    }

    fn set_muted_at_button(&mut self, _muted: bool) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The same on every target, which is what this is about.
fn random() -> u64 {
    static STATE: AtomicU32 = AtomicU32::new(1);
    let next = || {
        let state = STATE
            .load(Ordering::Relaxed)
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        STATE.store(state, Ordering::Relaxed);
        u64::from(state)
    };
    next() << 32 | next()
}

struct Session<'a> {
    device: Device<'a>,
    time: Time,
    room: Room,
    hub: Hub,
}

impl Session<'_> {
    /// That many frames of 20 ms, each until the device rests.
    fn frames(&mut self, frames: u32, cost: &mut Cost) {
        for _ in 0..frames {
            self.time.0.set(self.time.0.get().wrapping_add(FRAME_MS));
            self.room.go_on();
            cost.step(
                || {
                    let poll = |_| {
                        self.device
                            .poll(&self.time, &mut self.room, &mut self.hub, &mut Memory)
                    };
                    (0..POLLS).map(poll).any(|wait_ms| wait_ms > 0)
                },
                |_| true,
            );
            self.hub.attend();
        }
    }

    fn press_button(&mut self) {
        self.device.press_button(&mut self.room, &mut Memory);
    }
}

/// Two sessions: of a device with every mode, through all of them, and of one that computes no features.
pub fn run() {
    let mut memory = [0; Device::memory_bytes(RING)];
    if let Some(session) = begin(&mut memory, true) {
        every_mode(session);
    }
    if let Some(session) = begin(&mut memory, false) {
        audio_only(session);
    }
    report::number("device.state_bytes", size_of::<Device<'_>>());
    report::number("device.memory_bytes", Device::memory_bytes(RING) - RING);
}

/// A device that nobody has polled yet; nothing when it does not take its settings, of which a line tells.
fn begin(memory: &mut [u8], features: bool) -> Option<Session<'_>> {
    let settings = settings::parse(SETTINGS)
        .map_err(|error| report::word("device.settings", error))
        .ok()?;
    let identity = Identity {
        board: "virtual",
        version: "0.1.0",
        slot: "a",
        features,
        start_ms: 0,
    };
    let device = Device::new(&settings, identity, memory, random)
        .map_err(|error| report::number("device.least_memory", error.least))
        .ok()?;
    Some(Session {
        device,
        // Near the wrap of the ticks, which a device must not mind.
        time: Time(Cell::new(u32::MAX - 5_000)),
        room: Room {
            on: false,
            at: 0,
            heard: [0; FRAME],
            ready: false,
        },
        hub: Hub::new(),
    })
}

/// From the first look through all modes, both mutes and an outage to a refusal.
#[inline(never)]
fn every_mode(mut session: Session<'_>) {
    let mut costs = [const { Cost::new() }; 6];
    let [begin, speech, features, full, events, changes] = &mut costs;
    session.frames(10, begin);
    session.frames(CLIP, speech);
    session.hub.order(Mode::Features, Kind::ImaAdpcm, 3);
    session.frames(CLIP, features);
    session.hub.order(Mode::Full, Kind::PcmS16le, 1);
    session.frames(CLIP, full);
    session.hub.order(Mode::Events, Kind::ImaAdpcm, 10);
    session.hub.ping();
    session.frames(CLIP, events);
    session.hub.order(Mode::Speech, Kind::ImaAdpcm, 3);
    session.hub.mute(true);
    session.frames(CLIP / 4, changes);
    session.hub.mute(false);
    session.frames(CLIP / 2, changes);
    session.press_button();
    session.frames(CLIP / 4, changes);
    session.press_button();
    session.hub.hang_up();
    session.frames(2 * CLIP, changes);
    session.hub.text(b"{\"type\":\"welcome\",\"protocol\":");
    session.frames(CLIP, changes);
    session.hub.report("device");
    for (name, cost) in ["begin", "speech", "features", "full", "events", "changes"]
        .iter()
        .zip(&costs)
    {
        cost.report(format_args!("device.{name}"));
    }
}

/// What a chip without an FPU does: the gate hears the level alone.
#[inline(never)]
fn audio_only(mut session: Session<'_>) {
    let mut speech = Cost::new();
    session.frames(10, &mut Cost::new());
    session.frames(CLIP, &mut speech);
    session.hub.report("audio_device");
    speech.report("audio_device.speech");
}
