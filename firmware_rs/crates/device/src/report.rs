//! What is told beside the media, and when: levels, sounds, health.

use heapless::Deque;
use minerva_wire::control::{Event, Level};
use minerva_wire::privacy::Mode;

use crate::recorder::Recorder;

/// Four levels a second.
pub const LEVEL_MS: u64 = 250;
/// Health is told that often, and after each change.
pub const HEALTH_MS: u64 = 10_000;
/// Levels and sounds waiting for the link; those of a stalled link are soon stale.
pub const MAX_OUTBOX: usize = 16;

/// What a device in `events` mode calls a sound that only its gate has heard.
pub const LOUD_SOUND: &str = "loud_sound";

/// Something about sound, which a mute takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// How loud it is.
    Level(Level),
    /// A sound that was recognised: a loud one, or whatever a network has a label for.
    Sound(Event<'static>),
}

/// The outbox, and when what is due.
#[derive(Debug)]
pub struct Report {
    outbox: Deque<Heard, MAX_OUTBOX>,
    dropped: u64,
    level_ms: u64, // of the last one
    health_ms: u64,
    health_due: bool,
    loud_since_ms: Option<u64>,
}

impl Report {
    /// Nothing told yet.
    pub const fn new() -> Self {
        Self {
            outbox: Deque::new(),
            dropped: 0,
            level_ms: 0,
            health_ms: 0,
            health_due: true,
            loud_since_ms: None,
        }
    }

    /// Levels and sounds that were never sent.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A level or sound was taken back on its way.
    pub fn count_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// Something changed that health tells of.
    pub fn changed(&mut self) {
        self.health_due = true;
    }

    /// Drop, counted, what waits and tells of sound.
    pub fn forget_heard(&mut self) {
        let waiting = u64::try_from(self.outbox.len()).unwrap_or(u64::MAX);
        self.dropped = self.dropped.saturating_add(waiting);
        self.outbox.clear();
        self.loud_since_ms = None;
    }

    /// It is `now_ms`, the link is live and the mode `mode`: put what is due into the outbox.
    pub fn tend(&mut self, now_ms: u64, mode: Mode, recorder: &mut Recorder<'_>) {
        if mode == Mode::Mute {
            return;
        }
        if now_ms.saturating_sub(self.level_ms) >= LEVEL_MS {
            self.level_ms = now_ms;
            let (rms_cdb, peak_cdb) = recorder.take_level();
            self.post(Heard::Level(Level {
                time_ms: now_ms,
                rms_cdb,
                peak_cdb,
            }));
        }
        if mode == Mode::Events {
            self.tell_loud_sound(now_ms, recorder.gate().transient());
        } else {
            self.loud_since_ms = None;
        }
    }

    /// In `events` mode the hub hears nothing itself: tell it of each loud sound, when it is over.
    fn tell_loud_sound(&mut self, now_ms: u64, loud: bool) {
        match (self.loud_since_ms, loud) {
            (None, true) => self.loud_since_ms = Some(now_ms),
            (Some(start_ms), false) => {
                self.loud_since_ms = None;
                self.post(Heard::Sound(Event {
                    label: LOUD_SOUND,
                    score_milli: 1000,
                    start_ms,
                    end_ms: now_ms,
                    level_cdb: None,
                }));
            }
            _ => {}
        }
    }

    /// Queue it; the oldest gives way, and is counted.
    pub fn post(&mut self, heard: Heard) {
        if self.outbox.is_full() {
            self.outbox.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        // There is room now.
        let _ = self.outbox.push_back(heard);
    }

    /// The next to send.
    pub fn take(&mut self) -> Option<Heard> {
        self.outbox.pop_front()
    }

    /// Whether health is due at `now_ms`; asking settles it.
    pub fn take_health(&mut self, now_ms: u64) -> bool {
        let due = self.health_due || now_ms.saturating_sub(self.health_ms) >= HEALTH_MS;
        if due {
            self.health_due = false;
            self.health_ms = now_ms;
        }
        due
    }
}
