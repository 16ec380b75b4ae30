//! The device: what [`poll`](Device::poll) does in turn.

mod talk;
mod updates;

use heapless::String;
use minerva_dsp::mel64::{self, Mel64};
use minerva_wire::control::Firmware;
use minerva_wire::link::{self, Link};
use minerva_wire::media::Kind;
use minerva_wire::privacy::{Mode, Modes, Muted, Privacy};

use crate::capture::{Capture, Fault};
use crate::clock::DeviceClock;
use crate::connection::{Address, Carries, Connection, Phase};
use crate::light::{Facts, LightState};
use crate::memory::{Memory, TooLittleMemory, memory_bytes};
use crate::notes::{Note, Notes};
use crate::packets::Packets;
use crate::ports::{Clock, Microphone, Store, Transport};
use crate::recorder::{Policy, Recorder};
use crate::report::Report;
use crate::settings::Settings;
use talk::Sent;
use updates::Updates;

pub use updates::News;

/// How often a device that is not heard looks at its connection.
const IDLE_MS: u32 = 50;
/// While a connection begins or ends.
const LOOK_MS: u32 = 20;
/// While the transport takes nothing.
const BUSY_MS: u32 = 5;

/// What a device is beside its settings, and what it can do.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Its board: `virtual`, `xiao_s3_sense`; at most 64 bytes.
    pub board: &'static str,
    /// The firmware's version; at most 64 bytes.
    pub version: &'static str,
    /// Which copy of the firmware runs; at most 16 bytes.
    pub slot: &'static str,
    /// It has an FPU and computes features: `logmel_u8` and the mode `features`.
    pub features: bool,
    /// Device time at the start: 0, but for a simulation.
    pub start_ms: u64,
}

/// One device.
pub struct Device<'a> {
    host: String<256>,
    path: String<256>,
    port: u16,
    start_ms: u64,
    clock: Option<DeviceClock>,
    random: fn() -> u64,
    recorder: Recorder<'a>,
    capture: Capture,
    link: Link,
    connection: Connection<'a>,
    report: Report,
    notes: Notes,
    hello_ms: u64,
    heard_ms: u64,
    utc: Option<(u64, u64)>, // what the hub's clock said, and the device time of that
    heap_free: u64,
    updates: Updates,
    begun: bool,
    started: bool,
    failed: bool,
}

impl<'a> Device<'a> {
    /// Bytes of memory for a device whose ring has `ring_bytes`.
    #[must_use]
    pub const fn memory_bytes(ring_bytes: usize) -> usize {
        memory_bytes(ring_bytes)
    }

    /// A device that has not looked at the world yet, in `memory` of [`memory_bytes`](Self::memory_bytes) of the
    /// ring it should have. `random` gives numbers that nobody can foresee.
    ///
    /// # Errors
    ///
    /// When `memory` is too small.
    pub fn new(
        settings: &Settings,
        identity: Identity,
        memory: &'a mut [u8],
        random: fn() -> u64,
    ) -> Result<Self, TooLittleMemory> {
        let memory = Memory::divide(memory)?;
        let modes = if identity.features {
            Modes::ALL
        } else {
            Modes::WITHOUT_FEATURES
        };
        let all = [Kind::ImaAdpcm, Kind::PcmS16le, Kind::LogmelU8];
        let kinds = all
            .into_iter()
            .filter(|kind| kind.is_audio() || identity.features)
            .collect();
        let mut mel = identity.features.then(Mel64::new);
        let self_test = mel.as_mut().map(mel64::self_test);
        let link = Link::new(
            link::Identity {
                device: settings.device.clone(),
                token: settings.token.clone(),
                boot_id: random(),
                firmware: Firmware {
                    name: "minerva",
                    version: identity.version,
                    variant: "rust",
                    board: identity.board,
                },
                slot: identity.slot.chars().take(16).collect(),
                kinds,
                self_test,
            },
            Privacy::new(settings.ceiling, modes, settings.ceiling, Muted::Off),
        );
        let packets = Packets::new(memory.ring, memory.pre_roll, memory.payload);
        Ok(Self {
            host: settings.host.clone(),
            path: settings.path.clone(),
            port: settings.port,
            start_ms: identity.start_ms,
            clock: None,
            random,
            recorder: Recorder::new(packets, settings.gain_db, mel, link.kind(), link.frames()),
            capture: Capture::new(),
            link,
            connection: Connection::new(memory.message, memory.out),
            report: Report::new(),
            notes: Notes::new(),
            hello_ms: 0,
            heard_ms: 0,
            utc: None,
            heap_free: 0,
            updates: Updates::default(),
            begun: false,
            started: false,
            failed: false,
        })
    }

    /// Do what is due, without waiting; returns the milliseconds after which it wants to be polled again.
    pub fn poll<C: Clock, M: Microphone, T: Transport, S: Store>(
        &mut self,
        clock: &C,
        microphone: &mut M,
        transport: &mut T,
        store: &mut S,
    ) -> u32 {
        self.begin(store, microphone);
        let now_ms = self.tick(clock);
        self.hear(microphone, transport, now_ms);
        self.keep_link(transport, now_ms);
        let more = self.listen(clock, microphone);
        let now_ms = self.tick(clock);
        let live = self.link.state() == link::State::Live;
        self.started |= live || self.failed;
        if live {
            let mode = self.link.privacy().effective();
            self.report.tend(now_ms, mode, &mut self.recorder);
        }
        let sent = self.send(transport, now_ms);
        self.wait_ms(now_ms, more, sent)
    }

    fn tick<C: Clock>(&mut self, clock: &C) -> u64 {
        let ticks = clock.ticks_ms();
        let start_ms = self.start_ms;
        self.clock
            .get_or_insert(DeviceClock::new(ticks, start_ms))
            .update(ticks)
    }

    /// The first of all: what the store remembers is in force before anything is captured.
    fn begin<M: Microphone, S: Store>(&mut self, store: &S, microphone: &mut M) {
        if !self.begun {
            self.begun = true;
            if store.muted_at_button() {
                self.link.button();
            }
            self.obey(microphone);
        }
    }

    /// Make microphone and recorder do what the privacy state says.
    fn obey<M: Microphone>(&mut self, microphone: &mut M) {
        let mode = self.link.privacy().effective();
        if mode == Mode::Mute {
            self.capture.stop(microphone, &mut self.recorder);
            self.report.forget_heard();
        }
        if self.recorder.set_policy(Policy::of(mode)) || mode == Mode::Mute {
            match self.connection.withdraw(mode == Mode::Mute) {
                Some(Carries::Media { first }) => self.recorder.packets.take_back(first),
                Some(Carries::Heard) => self.report.count_dropped(),
                Some(Carries::Control) | None => {}
            }
        }
        self.report.changed();
    }

    /// Hear what there is to hear; whether there is more.
    fn listen<C: Clock, M: Microphone>(&mut self, clock: &C, microphone: &mut M) -> bool {
        if self.link.privacy().effective() == Mode::Mute {
            return false;
        }
        let Some(device_clock) = &mut self.clock else {
            return false;
        };
        let mut now = || device_clock.update(clock.ticks_ms());
        let (more, fault) =
            self.capture
                .poll(microphone, &mut self.recorder, &mut now, self.random);
        match fault {
            None => {}
            Some(Fault::Silent) => self.notes.say(format_args!(
                "microphone gave nothing for {} s: started anew",
                crate::capture::SILENT_MS / 1000
            )),
            Some(Fault::Failed(why)) => self.notes.say(format_args!("microphone: {why}")),
        }
        more
    }

    fn keep_link<T: Transport>(&mut self, transport: &mut T, now_ms: u64) {
        let address = Address {
            host: &self.host,
            port: self.port,
            path: &self.path,
        };
        if let Err(trouble) = self
            .connection
            .advance(transport, now_ms, address, self.random)
        {
            self.link.lost();
            let (host, port) = (&self.host, self.port);
            self.notes
                .trouble(format_args!("link: {trouble} ({host} port {port})"));
        }
        self.mind_the_time(now_ms);
    }

    fn wait_ms(&self, now_ms: u64, more: bool, sent: Sent) -> u32 {
        if more || sent == Sent::More {
            return 0;
        }
        let mut wait_ms = match self.connection.phase() {
            _ if sent == Sent::Busy => BUSY_MS,
            Phase::Down { until_ms } => {
                u32::try_from(until_ms.saturating_sub(now_ms)).unwrap_or(IDLE_MS)
            }
            Phase::Opening { .. } | Phase::Shaking { .. } | Phase::Leaving { .. } => LOOK_MS,
            Phase::Talking => IDLE_MS,
        };
        if let Some(due_ms) = self.capture.due_ms(now_ms) {
            wait_ms = wait_ms.min(due_ms);
        }
        wait_ms
    }

    /// The button was pressed (bounces are the board's matter): mutes at once, or ends the button's own mute.
    ///
    /// When this returns, a microphone that may not hear is stopped; whether a restart would remember it is
    /// another matter, of which a [note](Self::take_note) tells.
    pub fn press_button<M: Microphone, S: Store>(
        &mut self,
        microphone: &mut M,
        store: &mut S,
    ) -> Muted {
        self.begin(store, microphone);
        let state = self.link.button();
        self.obey(microphone);
        self.notes.say(format_args!("mute: {state}"));
        if let Err(error) = store.set_muted_at_button(state == Muted::Button) {
            let why = error.0;
            self.notes.say(format_args!(
                "mute cannot be stored, a restart would forget it: {why}"
            ));
        }
        state
    }

    /// What the light shows now.
    pub fn light(&self) -> LightState {
        LightState::of(Facts {
            started: self.started,
            failed: self.failed,
            muted: self.link.privacy().effective() == Mode::Mute,
            online: self.online(),
            hearing: self.capture.is_on() && self.recorder.flows(),
        })
    }

    /// Whether a hub has said welcome, and the link stands.
    pub fn online(&self) -> bool {
        self.link.state() == link::State::Live
    }

    /// Whether a hub has acknowledged a health message: firmware on trial waits for it.
    pub fn health_acked(&self) -> bool {
        self.link.health_acked().is_some()
    }

    /// Milliseconds since 1970 as of the last poll, once a hub has said it.
    pub fn utc_ms(&self) -> Option<u64> {
        let (utc_ms, at_ms) = self.utc?;
        let passed_ms = self.clock?.time_ms().saturating_sub(at_ms);
        Some(utc_ms.saturating_add(passed_ms))
    }

    /// The next line for the log.
    pub fn take_note(&mut self) -> Option<Note> {
        self.notes.take()
    }

    /// Tell what is free of the heap, where there is one, for `health`; 0 is not known.
    pub fn set_heap_free(&mut self, bytes: u64) {
        self.heap_free = bytes;
    }
}
