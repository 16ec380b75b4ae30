//! MFCC as librosa defines them, for a host: in `f64`, as 1e-3 of a decibel in a near-empty band asks for.
//!
//! Periodic Hann window, centred with zeros, power, Slaney's mel bands from 0 Hz to half the sample rate, decibels
//! without a floor below the loudest (`top_db=None`), DCT-II with orthonormal scaling.
#![allow(
    clippy::indexing_slicing,
    reason = "for hosts, where a panic is an exception"
)]

use core::f64::consts::PI;
use core::fmt;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::slaney::{HIGHEST_HZ, hertz, mel};

/// What librosa calls `sr`, `n_fft`, `hop_length`, `n_mels` and `n_mfcc`, with its bounds here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Samples a second, 1000 to 96000.
    pub sample_rate: u32,
    /// Samples of a window, even, 16 to 65536.
    pub n_fft: usize,
    /// Samples from one frame to the next, 1 to `n_fft`.
    pub hop: usize,
    /// Mel bands, 1 to 1024.
    pub n_mels: usize,
    /// Coefficients, 1 to `n_mels`.
    pub n_mfcc: usize,
}

/// A parameter beyond its bounds, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamsError(&'static str);

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for ParamsError {}

/// Samples in, a frame of coefficients out for each hop, from the first sample on.
pub struct Mfcc {
    params: Params,
    fft: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
    bands: Vec<Band>,
    /// `n_mels` cosines for each coefficient.
    dct: Vec<f64>,
    samples: Vec<f64>,
    filled: usize,
    windowed: Vec<f64>,
    bins: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    decibels: Vec<f64>,
    frame: Vec<f32>,
}

/// A triangle: the first bin that has a weight, and the weights.
struct Band {
    first: usize,
    weights: Vec<f64>,
}

impl Params {
    /// How many frames so many samples give.
    #[must_use]
    pub const fn frames(&self, samples: usize) -> usize {
        1 + samples / self.hop
    }

    fn check(&self) -> Result<(), ParamsError> {
        let Self {
            sample_rate,
            n_fft,
            hop,
            n_mels,
            n_mfcc,
        } = *self;
        let error = if !(1000..=2 * HIGHEST_HZ).contains(&sample_rate) {
            "the sample rate lies outside 1000 to 96000"
        } else if !(16..=65536).contains(&n_fft) || n_fft % 2 != 0 {
            "n_fft is not an even number from 16 to 65536"
        } else if !(1..=n_fft).contains(&hop) {
            "the hop lies outside 1 to n_fft"
        } else if !(1..=1024).contains(&n_mels) {
            "n_mels lies outside 1 to 1024"
        } else if !(1..=n_mels).contains(&n_mfcc) {
            "n_mfcc lies outside 1 to n_mels"
        } else {
            return Ok(());
        };
        Err(ParamsError(error))
    }
}

impl Mfcc {
    /// One that has heard nothing; it allocates all it will ever need.
    pub fn new(params: Params) -> Result<Self, ParamsError> {
        params.check()?;
        let Params {
            n_fft,
            n_mels,
            n_mfcc,
            ..
        } = params;
        let fft = RealFftPlanner::new().plan_fft_forward(n_fft);
        let mut mfcc = Self {
            params,
            window: (0..n_fft)
                .map(|n| 0.5 - 0.5 * (2.0 * PI * n as f64 / n_fft as f64).cos())
                .collect(),
            bands: (0..n_mels).map(|band| Band::new(&params, band)).collect(),
            dct: (0..n_mfcc)
                .flat_map(|k| (0..n_mels).map(move |n| cosine(k, n, n_mels)))
                .collect(),
            samples: vec![0.0; n_fft],
            filled: 0,
            windowed: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            decibels: vec![0.0; n_mels],
            frame: vec![0.0; n_mfcc],
        };
        mfcc.reset();
        Ok(mfcc)
    }

    /// Forget what was heard.
    pub fn reset(&mut self) {
        self.filled = self.params.n_fft / 2;
        self.samples[..self.filled].fill(0.0);
    }

    /// Samples in, any number; frames of `n_mfcc` out as soon as they are whole.
    pub fn push(&mut self, pcm: &[f32], out: &mut impl FnMut(&[f32])) {
        self.take(pcm.iter().copied().map(f64::from), out);
    }

    /// The frames that reach beyond the last sample, and all is as new.
    pub fn finish(&mut self, out: &mut impl FnMut(&[f32])) {
        self.take(core::iter::repeat_n(0.0, self.params.n_fft / 2), out);
        self.reset();
    }

    fn take(&mut self, pcm: impl Iterator<Item = f64>, out: &mut impl FnMut(&[f32])) {
        for x in pcm {
            self.samples[self.filled] = x;
            self.filled += 1;
            if self.filled == self.params.n_fft {
                self.analyse();
                out(&self.frame);
                self.samples.copy_within(self.params.hop.., 0);
                self.filled -= self.params.hop;
            }
        }
    }

    fn analyse(&mut self) {
        for ((to, x), w) in self
            .windowed
            .iter_mut()
            .zip(&self.samples)
            .zip(&self.window)
        {
            *to = x * w;
        }
        let Self {
            fft,
            windowed,
            bins,
            scratch,
            ..
        } = self;
        // The only error is a buffer of another length than the ones that were made for it.
        let done = fft.process_with_scratch(windowed, bins, scratch);
        debug_assert!(done.is_ok());
        for (decibel, band) in self.decibels.iter_mut().zip(&self.bands) {
            let bins = self.bins[band.first..].iter();
            let power: f64 = bins.zip(&band.weights).map(|(x, w)| x.norm_sqr() * w).sum();
            *decibel = 10.0 * power.max(1e-10).log10();
        }
        for (to, cosines) in self
            .frame
            .iter_mut()
            .zip(self.dct.chunks_exact(self.params.n_mels))
        {
            *to = cosines
                .iter()
                .zip(&self.decibels)
                .map(|(c, d)| c * d)
                .sum::<f64>() as f32;
        }
    }
}

impl Band {
    fn new(params: &Params, band: usize) -> Self {
        let rate = f64::from(params.sample_rate);
        let edge = |n: usize| hertz(mel(rate / 2.0) * n as f64 / (params.n_mels + 1) as f64);
        let (low, centre, high) = (edge(band), edge(band + 1), edge(band + 2));
        let weight = |bin: usize| {
            let hz = bin as f64 * rate / params.n_fft as f64;
            ((hz - low) / (centre - low))
                .min((high - hz) / (high - centre))
                .max(0.0)
                * 2.0
                / (high - low)
        };
        let bins = params.n_fft / 2 + 1;
        let first = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
        Self {
            first,
            weights: (first..bins).map(weight).take_while(|&w| w > 0.0).collect(),
        }
    }
}

fn cosine(k: usize, n: usize, n_mels: usize) -> f64 {
    let scale = if k == 0 { 1.0 } else { 2.0 };
    (scale / n_mels as f64).sqrt()
        * (PI * k as f64 * (2 * n + 1) as f64 / (2 * n_mels) as f64).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: Params = Params {
        sample_rate: 16_000,
        n_fft: 512,
        hop: 160,
        n_mels: 40,
        n_mfcc: 13,
    };

    fn all(params: Params, pcm: &[f32], piece: usize) -> Vec<Vec<f32>> {
        let mut frames = Vec::new();
        let mut mfcc = Mfcc::new(params).unwrap();
        for piece in pcm.chunks(piece) {
            mfcc.push(piece, &mut |frame| frames.push(frame.to_vec()));
        }
        mfcc.finish(&mut |frame| frames.push(frame.to_vec()));
        frames
    }

    #[test]
    fn there_is_a_frame_for_each_hop_and_one_for_no_samples() {
        for samples in [0, 1, 159, 160, 161, 5000] {
            assert_eq!(
                all(PARAMS, &vec![0.5; samples], 77).len(),
                PARAMS.frames(samples),
                "{samples}"
            );
        }
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let pcm: Vec<f32> = (0..3000).map(|n| ((n * n) as f32 * 0.01).sin()).collect();
        assert_eq!(all(PARAMS, &pcm, 7), all(PARAMS, &pcm, 3000));
    }

    #[test]
    fn silence_is_a_hundred_decibels_down_and_nothing_else() {
        for frame in all(PARAMS, &[0.0; 1000], 1000) {
            assert!((f64::from(frame[0]) + 100.0 * 40.0_f64.sqrt()).abs() < 1e-4);
            assert!(frame[1..].iter().all(|c| c.abs() < 1e-4));
        }
    }

    #[test]
    fn parameters_beyond_their_bounds_are_refused() {
        for params in [
            Params {
                sample_rate: 0,
                ..PARAMS
            },
            Params {
                n_fft: 511,
                ..PARAMS
            },
            Params { n_fft: 0, ..PARAMS },
            Params { hop: 0, ..PARAMS },
            Params { hop: 513, ..PARAMS },
            Params {
                n_mels: 0,
                ..PARAMS
            },
            Params {
                n_mfcc: 41,
                ..PARAMS
            },
        ] {
            assert!(Mfcc::new(params).is_err(), "{params:?}");
        }
    }
}
