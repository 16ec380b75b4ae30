//! Whisper's front end, before its global clamp: `log10(max(power, 1e-10))` of 80 or 128 bands, each 10 ms.
//!
//! 400-sample periodic Hann window, hop 160, centred with reflected edges, power, Slaney's mel bands; as many frames as
//! there are whole hops. Four or eight frames are computed together, one in each lane of a vector register, and the result
//! is the same to the last bit.
#![allow(
    clippy::indexing_slicing,
    reason = "for hosts, where a panic is an exception"
)]

mod bank;
mod fft400;
mod lanes;

use bank::{Bank, MOST};
use fft400::{BINS, FRAME, Rows};
use lanes::{LANES, Lanes};

use crate::math::ln;
use crate::tables::hann;

/// Samples from one frame to the next, 10 ms.
pub const HOP: usize = 160;

/// The fewest samples there can be features of: what lies before the first is a reflection of as many.
pub const FEWEST: usize = FRAME / 2 + 1;

/// Frames that are given at a time, and the length of a row: 8 where the compiler may use AVX, else 4.
pub const TOGETHER: usize = LANES;

/// A power below this is taken for it.
const FLOOR: f32 = 1e-10;

/// Samples that so many frames are made of.
const SPAN: usize = HOP * (LANES - 1) + FRAME;

/// Columns of a hop each, for frames of two and a half hops.
const COLUMNS: usize = LANES + 3;

static HANN: [f32; FRAME] = hann(1.0);

/// How many mel bands: 80 up to large-v2, 128 from large-v3 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mels {
    /// 80.
    Eighty,
    /// 128.
    HundredAndTwentyEight,
}

impl Mels {
    /// How many.
    #[must_use]
    pub const fn count(self) -> usize {
        self.bank().bands
    }

    const fn bank(self) -> &'static Bank {
        match self {
            Self::Eighty => &bank::EIGHTY,
            Self::HundredAndTwentyEight => &bank::MANY,
        }
    }
}

/// Fewer than [`FEWEST`] samples, or room for another number of frames than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeError;

impl core::fmt::Display for SizeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "fewer than {FEWEST} samples, or room for another number of frames than a whole hop each gives"
        )
    }
}

impl core::error::Error for SizeError {}

/// Samples (-1 ... 1, finite) in; frames out, [`TOGETHER`] at a time: a row for each band, and how many of it count.
#[derive(Clone, Debug)]
pub struct Whisper {
    mels: Mels,
    /// The first samples, kept until their reflection can be made.
    head: [f32; FEWEST],
    headed: usize,
    /// Padded samples from the next frame's first on: number n at row n % 160, column n / 160.
    columns: [[f32; COLUMNS]; HOP],
    filled: usize,
    scratch: Scratch,
}

/// What lies between samples and bands.
#[derive(Clone, Debug)]
struct Scratch {
    rows: Rows,
    powers: [Lanes; BINS],
    bands: [[f32; LANES]; MOST],
}

impl Whisper {
    /// One that has heard nothing.
    #[must_use]
    pub const fn new(mels: Mels) -> Self {
        Self {
            mels,
            head: [0.0; FEWEST],
            headed: 0,
            columns: [[0.0; COLUMNS]; HOP],
            filled: 0,
            scratch: Scratch {
                rows: Rows::new(),
                powers: [Lanes::ZERO; BINS],
                bands: [[0.0; LANES]; MOST],
            },
        }
    }

    /// Samples in, any number; frames out as soon as there are [`TOGETHER`].
    pub fn push(&mut self, mut pcm: &[f32], out: &mut impl FnMut(&[[f32; TOGETHER]], usize)) {
        if let Some(room) = self
            .head
            .get_mut(self.headed..)
            .filter(|room| !room.is_empty())
        {
            let (now, later) = pcm.split_at(room.len().min(pcm.len()));
            room[..now.len()].copy_from_slice(now);
            self.headed += now.len();
            pcm = later;
            if self.headed < FEWEST {
                return;
            }
            let head = self.head;
            for &x in head.iter().skip(1).rev().chain(&head) {
                self.put(x);
            }
        }
        while !pcm.is_empty() {
            let (now, later) = pcm.split_at((SPAN - self.filled).min(pcm.len()));
            pcm = later;
            self.fill(now);
            if self.filled == SPAN {
                self.give(LANES, out);
                for row in &mut self.columns {
                    let [.., a, b, c] = *row;
                    [row[0], row[1], row[2]] = [a, b, c];
                }
                self.filled = SPAN - LANES * HOP;
            }
        }
    }

    /// The frames that are left, and all is as new; an error when there were too few samples.
    pub fn finish(
        &mut self,
        out: &mut impl FnMut(&[[f32; TOGETHER]], usize),
    ) -> Result<(), SizeError> {
        let enough = self.headed == FEWEST;
        let count = self.filled.saturating_sub(FRAME / 2) / HOP;
        if enough && count > 0 {
            let mut mirror = self.filled - 1;
            while self.filled < (count - 1) * HOP + FRAME {
                mirror -= 1;
                self.put(self.columns[mirror % HOP][mirror / HOP]);
            }
            self.give(count, out);
        }
        (self.headed, self.filled) = (0, 0);
        if enough { Ok(()) } else { Err(SizeError) }
    }

    fn put(&mut self, x: f32) {
        self.columns[self.filled % HOP][self.filled / HOP] = x;
        self.filled += 1;
    }

    fn fill(&mut self, mut pcm: &[f32]) {
        while !pcm.is_empty() {
            let (row, column) = (self.filled % HOP, self.filled / HOP);
            let (now, later) = pcm.split_at((HOP - row).min(pcm.len()));
            for (row, x) in self.columns[row..].iter_mut().zip(now) {
                row[column] = *x;
            }
            self.filled += now.len();
            pcm = later;
        }
    }

    fn give(&mut self, count: usize, out: &mut impl FnMut(&[[f32; TOGETHER]], usize)) {
        let bank = self.mels.bank();
        logs(&self.columns, bank, &mut self.scratch);
        out(&self.scratch.bands[..bank.bands], count);
    }
}

/// The features of a whole recording: `out` is (bands, frames), row by row, with a frame for each whole hop.
pub fn log_mel(pcm: &[f32], mels: Mels, out: &mut [f32]) -> Result<(), SizeError> {
    let frames = pcm.len() / HOP;
    if pcm.len() < FEWEST || out.len() != frames * mels.count() {
        return Err(SizeError);
    }
    let mut done = 0;
    let mut take = |bands: &[[f32; TOGETHER]], count: usize| {
        for (row, band) in out.chunks_exact_mut(frames).zip(bands) {
            match row[done..].first_chunk_mut() {
                Some(row) if count == TOGETHER => *row = *band,
                _ => row[done..done + count].copy_from_slice(&band[..count]),
            }
        }
        done += count;
    };
    let mut whisper = Whisper::new(mels);
    whisper.push(pcm, &mut take);
    whisper.finish(&mut take)
}

#[inline(always)]
fn logs(columns: &[[f32; COLUMNS]; HOP], bank: &Bank, scratch: &mut Scratch) {
    let sample = |n: usize| {
        let lanes = columns[n % HOP][n / HOP..]
            .first_chunk()
            .copied()
            .unwrap_or_default();
        Lanes::new(lanes) * HANN[n]
    };
    fft400::powers(sample, &mut scratch.rows, &mut scratch.powers);
    let log10 = |x: f32| ln(if x > FLOOR { x } else { FLOOR }) * core::f32::consts::LOG10_E;
    let bands = &mut scratch.bands[..bank.bands];
    bank.apply(&scratch.powers, bands, |sum| sum.map(log10));
}
