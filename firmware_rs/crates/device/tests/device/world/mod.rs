//! A world for a device: time that tests advance, a room, a hub that follows a script, a store that fails on cue.
#![allow(dead_code, reason = "each test binary uses a part of it")]

mod hub;
mod microphone;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use minerva_device::ports::{Clock, Store, StoreError};
use minerva_device::settings::parse;
use minerva_device::{Device, Identity, LightState, Settings};

pub use hub::{Answer, Hub, OnHello, UTC_MS, What, welcome};
pub use microphone::TestMicrophone;

/// Milliseconds since the world began; all of it shares them.
pub type Time = Rc<Cell<u64>>;

pub struct TestClock(pub Time);

impl Clock for TestClock {
    fn ticks_ms(&self) -> u32 {
        self.0.get() as u32
    }
}

#[derive(Default)]
pub struct TestStore {
    pub muted: bool,
    pub fails: bool,
    pub writes: u32,
}

impl Store for TestStore {
    fn muted_at_button(&self) -> bool {
        self.muted
    }

    fn set_muted_at_button(&mut self, muted: bool) -> Result<(), StoreError> {
        self.writes += 1;
        if self.fails {
            return Err(StoreError("flash is worn out"));
        }
        self.muted = muted;
        Ok(())
    }
}

thread_local! {
    static RANDOM: RefCell<u64> = const { RefCell::new(1) };
}

/// Numbers that a test can foresee.
pub fn random() -> u64 {
    RANDOM.with_borrow_mut(|state| {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *state >> 16
    })
}

pub fn settings(ceiling: &str) -> Settings {
    let text = format!(
        r#"{{"version":1,"device":"kitchen","board":"virtual","url":"ws://127.0.0.1:8400/link","token":"t0ken",
            "ceiling":"{ceiling}","gain_db":0}}"#
    );
    parse(text.as_bytes()).unwrap()
}

pub const IDENTITY: Identity = Identity {
    board: "virtual",
    version: "0.1.0",
    slot: "main",
    features: true,
    start_ms: 0,
};

/// What the world of a test begins as.
pub struct Start {
    pub ceiling: &'static str,
    pub identity: Identity,
    pub ring_bytes: usize,
    pub now_ms: u64,
    pub muted: bool,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            ceiling: "full",
            identity: IDENTITY,
            ring_bytes: 98_304,
            now_ms: 0,
            muted: false,
        }
    }
}

pub struct World {
    pub device: Device<'static>,
    pub time: Time,
    pub clock: TestClock,
    pub microphone: TestMicrophone,
    pub hub: Hub,
    pub store: TestStore,
    pub notes: Vec<String>,
    pub polls: u64,
}

impl World {
    pub fn new(start: Start) -> Self {
        let time: Time = Rc::new(Cell::new(start.now_ms));
        let memory = Box::leak(vec![0; Device::memory_bytes(start.ring_bytes)].into_boxed_slice());
        let identity = Identity {
            start_ms: start.now_ms,
            ..start.identity
        };
        Self {
            device: Device::new(&settings(start.ceiling), identity, memory, random).unwrap(),
            clock: TestClock(time.clone()),
            microphone: TestMicrophone::new(time.clone()),
            hub: Hub::new(time.clone()),
            store: TestStore {
                muted: start.muted,
                ..TestStore::default()
            },
            time,
            notes: Vec::new(),
            polls: 0,
        }
    }

    /// In a mode from the welcome on.
    pub fn in_mode(mode: &str) -> Self {
        let mut world = Self::new(Start::default());
        world.hub.on_hello = OnHello::Welcome(welcome(mode));
        world
    }

    pub fn now(&self) -> u64 {
        self.time.get()
    }

    /// Poll once; what it wants to wait.
    pub fn poll(&mut self) -> u32 {
        self.polls += 1;
        let Self {
            device,
            clock,
            microphone,
            hub,
            store,
            ..
        } = self;
        let wait = device.poll(clock, microphone, hub, store);
        while let Some(note) = self.device.take_note() {
            self.notes.push(note.as_str().into());
        }
        wait
    }

    /// Let `ms` milliseconds go by, the device polled as it wishes.
    pub fn run(&mut self, ms: u64) -> &mut Self {
        let end = self.now() + ms;
        let mut at_once = 0;
        loop {
            let wait = u64::from(self.poll());
            if wait == 0 {
                at_once += 1;
                assert!(at_once < 5000, "the device spins");
                continue;
            }
            at_once = 0;
            assert!(wait <= 60_000, "the device falls asleep");
            if self.now() >= end {
                return self;
            }
            self.time.set((self.now() + wait).min(end));
        }
    }

    pub fn press(&mut self) {
        self.device
            .press_button(&mut self.microphone, &mut self.store);
        while let Some(note) = self.device.take_note() {
            self.notes.push(note.as_str().into());
        }
    }

    pub fn light(&self) -> LightState {
        self.device.light()
    }

    pub fn noted(&self, part: &str) -> bool {
        self.notes.iter().any(|note| note.contains(part))
    }
}

impl World {
    /// A sound that no gate misses.
    pub fn happen_loudly(&mut self) {
        let now = self.now();
        self.microphone.room.clips = false;
        self.microphone
            .room
            .sounds
            .push((now + 3000, now + 3500, 9000));
    }
}
