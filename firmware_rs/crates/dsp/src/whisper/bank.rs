//! Slaney's mel bands from 0 Hz to 8 kHz, each of the same area.
#![allow(
    clippy::indexing_slicing,
    reason = "for hosts, where a panic is an exception"
)]

use super::fft400::{BINS, FRAME};
use super::lanes::{LANES, Lanes};
use crate::SAMPLE_RATE;
use crate::slaney::{hertz, mel};

/// The most bands there are.
pub(super) const MOST: usize = 128;

/// A bank of triangular bands.
#[derive(Debug)]
pub(super) struct Bank {
    /// How many bands.
    pub(super) bands: usize,
    /// Each bin's weight in the band it rises in; it has the rest in the band before.
    rise: [f32; BINS],
    /// How many bins are between each edge of a band and the next.
    segments: [u8; MOST + 1],
    /// What each band's sum is multiplied by.
    scale: [f32; MOST],
}

pub(super) static EIGHTY: Bank = Bank::new(80);
pub(super) static MANY: Bank = Bank::new(MOST);

impl Bank {
    const fn new(bands: usize) -> Self {
        let (mut rise, mut segments, mut scale) = ([0.0; BINS], [0; MOST + 1], [0.0; MOST]);
        let last = mel(SAMPLE_RATE as f64 / 2.0);
        let (mut bin, mut segment) = (0, 0);
        while segment <= bands {
            let low = hertz(last * segment as f64 / (bands + 1) as f64);
            let high = hertz(last * (segment + 1) as f64 / (bands + 1) as f64);
            if segment < bands {
                let end = hertz(last * (segment + 2) as f64 / (bands + 1) as f64);
                scale[segment] = (2.0 / (end - low)) as f32;
            }
            // The last bin lies on the last edge, and what is there belongs to no band.
            while bin < BINS - 1 && bin as f64 * SAMPLE_RATE as f64 / (FRAME as f64) < high {
                let hz = bin as f64 * SAMPLE_RATE as f64 / FRAME as f64;
                rise[bin] = ((hz - low) / (high - low)) as f32;
                segments[segment] += 1;
                bin += 1;
            }
            segment += 1;
        }
        Self {
            bands,
            rise,
            segments,
            scale,
        }
    }

    /// Powers -> the power of each band, one after the other.
    #[inline(always)]
    pub(super) fn apply(
        &self,
        powers: &[Lanes; BINS],
        bands: &mut [[f32; LANES]],
        finish: impl Fn(Lanes) -> [f32; LANES],
    ) {
        let mut bins = powers.iter().zip(&self.rise);
        let mut counts = self.segments.iter().map(|&count| usize::from(count));
        let mut rising = Lanes::ZERO;
        for (&power, &weight) in bins.by_ref().take(counts.next().unwrap_or(0)) {
            rising = rising + power * weight;
        }
        for ((band, count), &scale) in bands.iter_mut().zip(counts).zip(&self.scale) {
            let mut sum = rising;
            rising = Lanes::ZERO;
            for (&power, &weight) in bins.by_ref().take(count) {
                let up = power * weight;
                rising = rising + up;
                sum = sum + (power - up);
            }
            *band = finish(sum * scale);
        }
    }
}
