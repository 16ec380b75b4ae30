//! MFCC for a host, in `f64` by realfft: for windows of any even length and for more bands than a chip has room for.
//!
//! The definition is [`mfcc`](super)'s, and where a chip takes the parameters too both give the same within 1e-3.
#![allow(
    clippy::indexing_slicing,
    reason = "for hosts, where a panic is an exception"
)]

use core::f64::consts::PI;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::params::{Params, ParamsError};
use crate::slaney::{hertz, mel};

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

impl Mfcc {
    /// One that has heard nothing; it allocates all it will ever need.
    pub fn new(params: Params) -> Result<Self, ParamsError> {
        params.check_host()?;
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
    pub fn push(&mut self, pcm: &[f32], out: &mut (impl FnMut(&[f32]) + ?Sized)) {
        self.take(pcm.iter().copied().map(f64::from), out);
    }

    /// The frames that reach beyond the last sample, and all is as new.
    pub fn finish(&mut self, out: &mut (impl FnMut(&[f32]) + ?Sized)) {
        self.take(core::iter::repeat_n(0.0, self.params.n_fft / 2), out);
        self.reset();
    }

    fn take(&mut self, pcm: impl Iterator<Item = f64>, out: &mut (impl FnMut(&[f32]) + ?Sized)) {
        for x in pcm {
            self.samples[self.filled] = x;
            self.filled += 1;
            if self.filled == self.params.n_fft {
                self.analyse();
                out(&self.frame);
                self.samples.copy_within(self.params.hop_length.., 0);
                self.filled -= self.params.hop_length;
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
