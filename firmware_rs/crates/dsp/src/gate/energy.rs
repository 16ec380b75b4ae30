//! The gate by level alone: what `device/minerva/gate.py` does, frame for frame.

use super::{HANGOVER_FRAMES, LOWEST_FLOOR_CDB, TRANSIENT_CDB, TRANSIENT_FRAMES};

const SPEECH_CDB: i32 = 600;
const SPEECH_FRAMES: u32 = 3;
const HOLD_CDB: i32 = 400;
/// From the smoothed minimum to the loudest frame of a noise; a transient or speech spans more.
const STEADY_CDB: i32 = 600;
const STEADY_BLOCKS: usize = 3;
const BLOCK_FRAMES: u32 = 50;
const BLOCKS: usize = 10;

/// The quietest smoothed level and the loudest frame of one second.
#[derive(Clone, Copy, Debug)]
struct Block {
    low: i32,
    high: i32,
}

impl Block {
    const EMPTY: Self = Self {
        low: i32::MAX,
        high: i32::MIN,
    };

    fn join(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

/// What one frame's level says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// A rise that lasted, and the second after it.
    pub speech: bool,
    /// 12 dB over the floor, and the two seconds after it.
    pub transient: bool,
}

/// Opens for a rise that lasts and for any frame 12 dB over the floor.
#[derive(Clone, Debug)]
pub(super) struct Energy {
    smooth: Option<i32>,
    floor: i32,
    rise: u32,
    hold: u32,
    loud: u32,
    open: bool,
    frames: u32,
    block: Block,
    /// The last ten seconds, the newest first; None: not heard yet.
    blocks: [Option<Block>; BLOCKS],
}

impl Energy {
    pub(super) const fn new() -> Self {
        Self {
            smooth: None,
            floor: LOWEST_FLOOR_CDB,
            rise: 0,
            hold: 0,
            loud: 0,
            open: false,
            frames: 0,
            block: Block::EMPTY,
            blocks: [None; BLOCKS],
        }
    }

    /// The quietest the room has been in the last ten seconds, in hundredths of dBFS.
    pub(super) const fn floor_cdb(&self) -> i32 {
        self.floor
    }

    /// One frame's level, in hundredths of dBFS.
    pub(super) fn frame(&mut self, level_cdb: i32) -> Heard {
        let level = level_cdb.clamp(LOWEST_FLOOR_CDB, 0);
        let smooth = match self.smooth {
            None => {
                self.floor = level;
                level
            }
            Some(before) => before + ((level - before) >> 2),
        };
        self.smooth = Some(smooth);
        self.block = self.block.join(Block {
            low: smooth,
            high: level,
        });
        self.floor = self.floor.min(smooth);
        self.follow(level - self.floor);
        self.open = self.loud > 0 || self.hold > 0;
        let mut heard = Heard {
            speech: self.hold > 0,
            transient: self.loud > 0,
        };
        self.frames += 1;
        if self.frames == BLOCK_FRAMES && self.end_block() {
            heard = Heard {
                speech: false,
                transient: false,
            };
        }
        heard
    }

    fn follow(&mut self, over: i32) {
        self.loud = if over >= TRANSIENT_CDB {
            TRANSIENT_FRAMES
        } else {
            self.loud.saturating_sub(1)
        };
        self.rise = if over >= SPEECH_CDB {
            (self.rise + 1).min(SPEECH_FRAMES)
        } else {
            self.rise.saturating_sub(1)
        };
        self.hold = if self.rise == SPEECH_FRAMES || (self.open && over >= HOLD_CDB) {
            HANGOVER_FRAMES
        } else {
            self.hold.saturating_sub(1)
        };
    }

    /// Closes the second; true when the last three were one steady noise, which then is the floor.
    fn end_block(&mut self) -> bool {
        self.blocks.rotate_right(1);
        if let Some(newest) = self.blocks.first_mut() {
            *newest = Some(self.block);
        }
        self.frames = 0;
        self.block = Block::EMPTY;
        let recent = || self.blocks.iter().take(STEADY_BLOCKS);
        let spanned = recent().flatten().copied().fold(Block::EMPTY, Block::join);
        let steady = recent().all(Option::is_some) && spanned.high - spanned.low <= STEADY_CDB;
        if !steady {
            let all = self.blocks.iter().flatten().copied();
            self.floor = all.fold(Block::EMPTY, Block::join).low;
            return false;
        }
        // What was before is history: a later quiet lowers the floor again at once.
        for block in self.blocks.iter_mut() {
            let high = block.map_or(spanned.high, |b| b.high);
            *block = Some(Block {
                low: spanned.low,
                high,
            });
        }
        // The noise was not speech, and its onset has been heard.
        self.hold = 0;
        self.loud = 0;
        self.rise = 0;
        self.open = false;
        self.floor = spanned.low;
        true
    }
}
