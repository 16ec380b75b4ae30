//! When is there something to hear? Relative to a tracked noise floor, never to absolute levels.

mod energy;

use energy::{Energy, Heard};

/// A frame that loud over the floor is a transient: alarm, doorbell, clap.
pub const TRANSIENT_CDB: i32 = 1200;
/// How long a transient holds the gate: 2 s.
pub const TRANSIENT_FRAMES: u32 = 100;
/// How long the gate stays open after speech: 1 s, longer than the hub's own hangover, which then sees the silence.
pub const HANGOVER_FRAMES: u32 = 50;
/// Two LSB of 16 bits. No microphone's own noise is quieter; digital silence must not make a floor.
pub const LOWEST_FLOOR_CDB: i32 = -8400;

/// `frame` with each 20 ms of audio; then `open`, `transient` and `floor_cdb` are current.
#[derive(Clone, Debug)]
pub struct Gate {
    energy: Energy,
    heard: Heard,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A gate that has heard nothing yet.
    pub const fn new() -> Self {
        Self {
            energy: Energy::new(),
            heard: Heard {
                speech: false,
                transient: false,
            },
        }
    }

    /// One frame: its level in hundredths of dBFS and the minerva-mel64 hops it completed (none: level alone).
    ///
    /// Returns whether the gate is open after it.
    pub fn frame(&mut self, level_cdb: i32, _hops: &[[u8; 64]]) -> bool {
        self.heard = self.energy.frame(level_cdb);
        self.open()
    }

    /// Whether what is heard now should be sent.
    pub const fn open(&self) -> bool {
        self.heard.speech || self.heard.transient
    }

    /// A loud sound is on, or was in the last two seconds.
    pub const fn transient(&self) -> bool {
        self.heard.transient
    }

    /// The noise floor, in hundredths of dBFS; the lowest there is while nothing was heard.
    pub const fn floor_cdb(&self) -> i32 {
        self.energy.floor_cdb()
    }

    /// Forget the room: the microphone starts anew.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}
