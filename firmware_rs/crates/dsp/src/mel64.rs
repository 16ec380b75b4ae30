//! `minerva-mel64`, the platform's one feature: YAMNet's front end, each 10 ms, quantised to a byte a band.
//!
//! 400-sample periodic Hann window, hop 160, FFT 512, no centring, magnitude, 64 mel bands (HTK) from 125 to 7500 Hz,
//! `ln(x + 0.001)` with samples scaled to -1 ... 1, and `clamp(round((m + 7) * 21.25), 0, 255)`.

use crate::math::ln;
use crate::spectrum::{POINTS, Spectrum, WINDOW};
use crate::{FRAME_SAMPLES, SAMPLE_RATE, tables};

/// Bands of a frame.
pub const BANDS: usize = 64;

/// Samples from one frame to the next, 10 ms.
pub const HOP: usize = 160;

/// Samples that a frame is made of.
pub const FRAME: usize = WINDOW;

/// Magnitudes of a frame: from 0 Hz to 8 kHz.
pub const BINS: usize = POINTS + 1;

/// Where the generator of the self-test's signal starts.
pub const SELF_TEST_SEED: u32 = 7_075_420;

const LOWEST_HZ: f64 = 125.0;
const HIGHEST_HZ: f64 = 7500.0;

/// The bins strictly within the bands: 125 and 7500 Hz are bins themselves, of no weight.
const FIRST: usize = 5;
const LAST: usize = 239;

/// Each bin's weight in the band it rises in; it has the rest in the band before.
static RISE: [f32; LAST - FIRST + 1] = rises();

/// How many bins are between each edge of a band and the next.
static SEGMENTS: [u8; BANDS + 1] = segments();

/// Samples -> a frame of bands for each hop, as soon as its 400 samples are there. 2.9 kB, and nothing beside it.
#[derive(Clone, Debug)]
pub struct Mel64 {
    samples: [i16; FRAME],
    filled: usize,
    spectrum: Spectrum,
}

impl Default for Mel64 {
    fn default() -> Self {
        Self::new()
    }
}

impl Mel64 {
    /// One that has heard nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            samples: [0; FRAME],
            filled: 0,
            spectrum: Spectrum::new(),
        }
    }

    /// Forget what was heard: the next sample is the first of a frame's window.
    pub const fn reset(&mut self) {
        self.filled = 0;
    }

    /// Samples in, any number; each frame that they complete out, as the protocol has it.
    pub fn push(&mut self, pcm: &[i16], out: &mut impl FnMut(&[u8; BANDS])) {
        self.push_log(pcm, &mut |frame| out(&frame.map(quantise)));
    }

    /// As [`push`](Self::push), before quantisation: `ln(x + 0.001)` of each band.
    pub fn push_log(&mut self, mut pcm: &[i16], out: &mut impl FnMut(&[f32; BANDS])) {
        while !pcm.is_empty() {
            let Some(room) = self.samples.get_mut(self.filled..) else {
                return;
            };
            let count = room.len().min(pcm.len());
            let (now, later) = pcm.split_at(count);
            for (to, from) in room.iter_mut().zip(now) {
                *to = *from;
            }
            pcm = later;
            self.filled += count;
            if self.filled == FRAME {
                out(&bands(self.spectrum.magnitudes(&self.samples)));
                self.samples.copy_within(HOP.., 0);
                self.filled = FRAME - HOP;
            }
        }
    }
}

/// The magnitudes of one frame's spectrum, samples scaled to -1 ... 1: what the bands are summed from.
#[must_use]
pub fn magnitudes(samples: &[i16; FRAME]) -> [f32; BINS] {
    let mut spectrum = Spectrum::new();
    let mut all = [0.0; BINS];
    for (to, from) in all.iter_mut().zip(spectrum.magnitudes(samples)) {
        *to = from[0];
    }
    let (first, last) = spectrum.edges(samples);
    all[0] = first;
    all[BINS - 1] = last;
    all.map(|x| x * UNIT)
}

/// `ln(x + 0.001)` -> a byte, half away from zero.
#[inline]
#[must_use]
pub fn quantise(log: f32) -> u8 {
    // Below -7 the sum is cut to 0; above, what is cut off rounds.
    ((log + 7.0) * 21.25 + 0.5) as u8
}

/// A byte -> `ln(x + 0.001)`.
#[inline]
#[must_use]
pub fn restore(value: u8) -> f32 {
    f32::from(value) / 21.25 - 7.0
}

/// The hash of the features of a known signal: what `hello.self_test` carries, as 16 hex digits.
///
/// Needs a fresh [`Mel64`], which a device has anyway, and leaves it as new.
#[must_use]
pub fn self_test(mel: &mut Mel64) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut absorb = |frame: &[u8; BANDS]| {
        for &byte in frame {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    };
    mel.reset();
    let mut state = SELF_TEST_SEED;
    for start in (0..SELF_TEST_SAMPLES).step_by(CHUNK) {
        let chunk: [i16; CHUNK] = core::array::from_fn(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as i16) >> ((start + n) >> 9)
        });
        mel.push(&chunk, &mut absorb);
    }
    mel.reset();
    hash
}

const SELF_TEST_SAMPLES: usize = 12 * FRAME_SAMPLES;
const CHUNK: usize = 64;

/// What one step of 16 bits is.
const UNIT: f32 = 1.0 / 32768.0;

/// Magnitudes in steps of 16 bits -> `ln(x + 0.001)` of each band.
#[inline]
fn bands(bins: &[[f32; 2]; POINTS]) -> [f32; BANDS] {
    let mut out = [0.0; BANDS];
    let mut bins = bins.iter().skip(FIRST).zip(&RISE);
    let mut next = || {
        let (bin, weight) = bins.next().unwrap_or((&[0.0; 2], &0.0));
        let rising = bin[0] * weight;
        (rising, bin[0] - rising)
    };
    let mut segments = SEGMENTS.iter();
    let mut rising = 0.0;
    for _ in 0..segments.next().copied().unwrap_or(0) {
        rising += next().0;
    }
    for (band, &count) in out.iter_mut().zip(segments) {
        let mut sum = rising;
        rising = 0.0;
        for _ in 0..count {
            let (up, down) = next();
            rising += up;
            sum += down;
        }
        *band = ln(sum * UNIT + 0.001);
    }
    out
}

/// Where a bin lies among the bands' edges: 0 at 125 Hz, 65 at 7500 Hz.
const fn position(bin: usize) -> f64 {
    let hz = bin as f64 * SAMPLE_RATE as f64 / (2 * POINTS) as f64;
    let low = mel(LOWEST_HZ);
    (mel(hz) - low) / (mel(HIGHEST_HZ) - low) * (BANDS + 1) as f64
}

/// HTK's mel scale, but for a factor.
const fn mel(hz: f64) -> f64 {
    tables::ln(1.0 + hz / 700.0)
}

#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would stop there"
)]
const fn rises() -> [f32; LAST - FIRST + 1] {
    let mut rises = [0.0; LAST - FIRST + 1];
    let mut bin = FIRST;
    while bin <= LAST {
        let at = position(bin);
        rises[bin - FIRST] = (at - at as usize as f64) as f32;
        bin += 1;
    }
    rises
}

#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would stop there"
)]
const fn segments() -> [u8; BANDS + 1] {
    let mut segments = [0; BANDS + 1];
    let mut bin = FIRST;
    while bin <= LAST {
        segments[position(bin) as usize] += 1;
        bin += 1;
    }
    segments
}
