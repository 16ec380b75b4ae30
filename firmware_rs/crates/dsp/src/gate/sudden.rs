//! Sudden sounds: what rises out of what was, whether the network knows it or not; and when they become a habit.
//!
//! A sound that keeps being sudden is music or somebody who types: there is an allowance for what such sounds may hold
//! the gate, filled again while there is none, by what surely is speech, and at once by one that is louder than those
//! before. Notes are held as syllables hardly ever are: some seconds after one it does not fill bit by bit. Where nothing
//! was sudden for a while there was no habit.

use super::bands::TONE_FRAMES;
use super::{Features, LOWEST_FLOOR_CDB, TRANSIENT_CDB, TRANSIENT_FRAMES};

/// A lesser rise counts when it lasts 60 ms.
const RISE_CDB: i32 = 900;
const RISE_FRAMES: u32 = 3;
/// How long a lesser rise or a tone holds: 1 s.
const RISE_HOLD_FRAMES: u32 = 50;
/// Over the mean of the last second or so: a level that comes back again and again is no rise.
const OVER_MEAN_CDB: i32 = 800;
const MEAN_SHIFT: u32 = 6;
/// 3 s: a smoke alarm's three tones, or a crash each 5 s for ever.
const ALLOWANCE_FRAMES: u32 = 150;
/// So long after the last one stopped to hold the gate, 2 s, the allowance is whole again.
const QUIET_FRAMES: u32 = 100;
/// What a frame that surely is speech gives back.
const SURE_FRAMES: u32 = 2;
/// A tone of 400 ms is a note...
const NOTE_FRAMES: u8 = 20;
/// ...and one in 5 s is music: slow chords are no further apart.
const NOTES_FRAMES: u32 = 250;
/// What one that is louder than those before may hold at least.
const LOUDER_FRAMES: u32 = 100;
const LOUDER_CDB: i32 = 600;
/// The loudest is forgotten by 1 dB a second.
const FORGET_CDB: i32 = 2;
const NONE_CDB: i32 = -20_000;

/// Follows the level and says whether something sudden is on.
#[derive(Clone, Debug)]
pub(super) struct Sudden {
    /// The slow mean of the level, in 1/256 of a hundredth of a dB; None: nothing heard yet.
    mean: Option<i32>,
    rise: u32,
    hold: u32,
    allowance: u32,
    /// Frames since a note was heard, up to `NOTES_FRAMES`.
    since_note: u32,
    /// Frames that nothing sudden has held the gate, up to `QUIET_FRAMES`.
    quiet: u32,
    loudest_cdb: i32,
}

impl Sudden {
    pub(super) const fn new() -> Self {
        Self {
            mean: None,
            rise: 0,
            hold: 0,
            allowance: ALLOWANCE_FRAMES,
            since_note: NOTES_FRAMES,
            quiet: 0,
            loudest_cdb: NONE_CDB,
        }
    }

    /// One frame -> whether a sudden sound holds the gate.
    pub(super) fn frame(&mut self, level_cdb: i32, floor_cdb: i32, features: Features) -> bool {
        let level = level_cdb.clamp(LOWEST_FLOOR_CDB, 0);
        let mean = self.mean.unwrap_or(level << 8);
        self.mean = Some(mean + (((level << 8) - mean) >> MEAN_SHIFT));
        let over = level - floor_cdb;
        let risen = level - (mean >> 8) >= OVER_MEAN_CDB;
        self.rise = if over >= RISE_CDB && risen {
            (self.rise + 1).min(RISE_FRAMES)
        } else {
            self.rise.saturating_sub(1)
        };
        self.loudest_cdb = (self.loudest_cdb - FORGET_CDB).max(NONE_CDB);
        let transient = over >= TRANSIENT_CDB && risen;
        if transient || features.tone_frames >= TONE_FRAMES || self.rise == RISE_FRAMES {
            self.begin(
                level,
                if transient {
                    TRANSIENT_FRAMES
                } else {
                    RISE_HOLD_FRAMES
                },
            );
        } else {
            self.hold = self.hold.saturating_sub(1);
        }
        let on = self.hold > 0 && self.allowance > 0;
        self.settle(features);
        on
    }

    /// What the frame spends of the allowance or gives back.
    fn settle(&mut self, features: Features) {
        self.since_note = if features.tone_frames >= NOTE_FRAMES {
            0
        } else {
            (self.since_note + 1).min(NOTES_FRAMES)
        };
        if features.surely_speech {
            self.allowance += SURE_FRAMES;
        }
        if self.hold > 0 {
            self.quiet = 0;
            let spent = u32::from(!features.speech);
            self.allowance = self.allowance.saturating_sub(spent);
        } else if self.quiet == QUIET_FRAMES {
            self.allowance = ALLOWANCE_FRAMES;
        } else {
            self.quiet += 1;
            self.allowance += u32::from(features.speech || self.since_note == NOTES_FRAMES);
        }
        self.allowance = self.allowance.min(ALLOWANCE_FRAMES);
    }

    fn begin(&mut self, level: i32, frames: u32) {
        self.hold = self.hold.max(frames);
        if level > self.loudest_cdb + LOUDER_CDB {
            self.allowance = self.allowance.max(LOUDER_FRAMES);
        }
        self.loudest_cdb = self.loudest_cdb.max(level);
    }
}
