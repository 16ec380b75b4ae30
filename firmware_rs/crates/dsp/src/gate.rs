//! When is there something to hear? Relative to a tracked noise floor, never to absolute levels.
//!
//! With features the gate opens for speech, as a small network finds it in the bands, and for what is sudden: a level
//! that rises, a tone that begins. Without (chips that compute none) it goes by level alone, frame for frame as
//! `device/minerva/gate.py`. docs/decisions/0014 has the reasons and the figures.

mod bands;
mod energy;
mod network;
mod sudden;
mod weights;

use bands::{BANDS, Bands, INPUTS};
use energy::Energy;
use network::{LOGIT, Network};
use sudden::Sudden;

/// A frame that loud over the floor is a transient: alarm, doorbell, clap.
pub const TRANSIENT_CDB: i32 = 1200;
/// How long a transient holds the gate: 2 s.
pub const TRANSIENT_FRAMES: u32 = 100;
/// How long the gate stays open after speech: 1 s, longer than the hub's own hangover, which then sees the silence.
pub const HANGOVER_FRAMES: u32 = 50;
/// Two LSB of 16 bits. No microphone's own noise is quieter; digital silence must not make a floor.
pub const LOWEST_FLOOR_CDB: i32 = -8400;

/// Scores above this are speech when they last.
const SPEECH_SCORE: i32 = LOGIT;
const SPEECH_FRAMES: u32 = 3;
/// While it is open for speech, less is enough.
const HOLD_SCORE: i32 = 0;
/// Music hardly ever scores more: twenty to one that it is speech.
const SURE_SCORE: i32 = 3 * LOGIT;

/// What one frame's features say.
#[derive(Clone, Copy, Debug)]
struct Features {
    /// The gate is open for speech.
    speech: bool,
    /// This very frame is speech.
    surely_speech: bool,
    /// For how many frames a tone has stood out of some band's noise.
    tone_frames: u8,
}

/// Opens for speech by the network's score.
#[derive(Clone, Debug)]
struct Speech {
    bands: Bands,
    network: Network,
    /// Of the last frame that had features; 0 before.
    score: i32,
    rise: u32,
    hold: u32,
}

impl Speech {
    const fn new() -> Self {
        Self {
            bands: Bands::new(),
            network: Network::new(),
            score: 0,
            rise: 0,
            hold: 0,
        }
    }

    /// What one frame's hops say.
    fn frame(&mut self, hops: &[[u8; BANDS]]) -> Features {
        if hops.is_empty() {
            self.hold = self.hold.saturating_sub(1);
            return Features {
                speech: self.hold > 0,
                surely_speech: false,
                tone_frames: 0,
            };
        }
        let mut inputs = [0; INPUTS];
        let tone_frames = self.bands.frame(hops, &mut inputs);
        let score = self.network.step(&inputs);
        self.score = score;
        self.rise = if score > SPEECH_SCORE {
            (self.rise + 1).min(SPEECH_FRAMES)
        } else {
            self.rise.saturating_sub(1)
        };
        self.hold = if self.rise == SPEECH_FRAMES || (self.hold > 0 && score > HOLD_SCORE) {
            HANGOVER_FRAMES
        } else {
            self.hold.saturating_sub(1)
        };
        Features {
            speech: self.hold > 0,
            surely_speech: score > SURE_SCORE,
            tone_frames,
        }
    }
}

/// `frame` with each 20 ms of audio; then `open`, `transient` and `floor_cdb` are current.
#[derive(Clone, Debug)]
pub struct Gate {
    energy: Energy,
    speech: Speech,
    sudden: Sudden,
    has_features: bool,
    is_open: bool,
    is_transient: bool,
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
            speech: Speech::new(),
            sudden: Sudden::new(),
            has_features: false,
            is_open: false,
            is_transient: false,
        }
    }

    /// One frame: its level in hundredths of dBFS and the minerva-mel64 hops it completed.
    ///
    /// Those are two, but none in the first frame; where there never are any, the level decides alone.
    /// Returns whether the gate is open after it.
    pub fn frame(&mut self, level_cdb: i32, hops: &[[u8; BANDS]]) -> bool {
        let heard = self.energy.frame(level_cdb);
        self.has_features |= !hops.is_empty();
        let features = self.speech.frame(hops);
        let floor_cdb = self.energy.floor_cdb();
        let sudden = self.sudden.frame(level_cdb, floor_cdb, features);
        if self.has_features {
            self.is_open = features.speech || sudden;
            self.is_transient = sudden;
        } else {
            self.is_open = heard.speech || heard.transient;
            self.is_transient = heard.transient;
        }
        self.is_open
    }

    /// Whether what is heard now should be sent.
    pub const fn open(&self) -> bool {
        self.is_open
    }

    /// A sudden sound is on, or was a moment ago: it holds the gate.
    pub const fn transient(&self) -> bool {
        self.is_transient
    }

    /// The noise floor, in hundredths of dBFS; the lowest there is while nothing was heard.
    pub const fn floor_cdb(&self) -> i32 {
        self.energy.floor_cdb()
    }

    /// The network's score of the last frame that had features, 0 before: 1024 times the logit of speech.
    pub const fn score(&self) -> i32 {
        self.speech.score
    }

    /// Forget the room: the microphone starts anew.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}
