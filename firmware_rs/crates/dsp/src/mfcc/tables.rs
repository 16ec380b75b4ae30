//! What depends on the parameters alone: the mel bands and the cosines that turn their decibels into coefficients.

use core::f64::consts::SQRT_2;

use super::params::{Params, ParamsError};
use crate::slaney::{hertz, mel};
use crate::tables::{sqrt, turn};

/// Tables for windows of at most twice `HALF` samples and at most `MELS` bands, 9 bytes a bin and 4 a band.
///
/// As a `static` they are the compiler's work, as [`SPEECH`](super::SPEECH) is; made at run time they are the same, by
/// arithmetic in `f64`, which few chips have.
#[derive(Clone, Debug)]
pub struct Tables<const HALF: usize, const MELS: usize> {
    params: Params,
    /// Each bin's segment: how many bands begin below it.
    segments: [u8; HALF],
    /// Its weight in the band that rises in the segment, and in the one before, which falls.
    weights: [[f32; 2]; HALF],
    /// cos(pi n / 2 n_mels), n below `n_mels`, times sqrt(2 / n_mels).
    cosines: [f32; MELS],
    /// sqrt(n_mels).
    root: f32,
}

impl<const HALF: usize, const MELS: usize> Tables<HALF, MELS> {
    /// The tables of these parameters, which are within the bounds for a chip and have room.
    #[expect(
        clippy::indexing_slicing,
        reason = "mostly the compiler runs it; what was checked is within the arrays"
    )]
    pub const fn new(params: Params) -> Result<Self, ParamsError> {
        if let Err(error) = params.check(HALF, MELS) {
            return Err(error);
        }
        let bands = params.n_mels;
        let mut tables = Self {
            params,
            segments: [0; HALF],
            weights: [[0.0; 2]; HALF],
            cosines: [0.0; MELS],
            root: sqrt(bands as f64) as f32,
        };
        // The edges before and after the segment, and the next to either side.
        let (mut segment, mut edges) = (0, [0.0, 0.0, edge(&params, 1), edge(&params, 2)]);
        let mut bin = 1;
        while bin < params.n_fft / 2 {
            let hz = bin as f64 * params.sample_rate as f64 / params.n_fft as f64;
            while hz >= edges[2] && segment < bands {
                segment += 1;
                edges = [edges[1], edges[2], edges[3], edge(&params, segment + 2)];
            }
            let [before, low, high, after] = edges;
            let rise = (hz - low) / (high - low);
            let up = if segment < bands {
                2.0 * rise / (after - low)
            } else {
                0.0
            };
            let down = if segment > 0 {
                2.0 * (1.0 - rise) / (high - before)
            } else {
                0.0
            };
            tables.segments[bin] = segment as u8;
            tables.weights[bin] = [up as f32, down as f32];
            bin += 1;
        }
        let mut n = 0;
        while n < bands {
            tables.cosines[n] = (turn(n, 4 * bands).0 * SQRT_2 / sqrt(bands as f64)) as f32;
            n += 1;
        }
        Ok(tables)
    }

    /// The tables of a preset.
    #[expect(clippy::panic, reason = "the compiler runs it, and would stop there")]
    pub(super) const fn preset(params: Params) -> Self {
        match Self::new(params) {
            Ok(tables) => tables,
            Err(_) => panic!("a parameter lies beyond its bounds"),
        }
    }

    /// What they were made from.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Add a bin's power to the bands that it has a weight in.
    #[inline(always)]
    pub(super) fn add(&self, bands: &mut [f32; MELS], bin: usize, power: f32) {
        if let (Some(segment), Some([up, down])) = (self.segments.get(bin), self.weights.get(bin)) {
            let segment = usize::from(*segment);
            if let Some(band) = bands.get_mut(segment) {
                *band += power * up;
            }
            if let Some(band) = bands.get_mut(segment.wrapping_sub(1)) {
                *band += power * down;
            }
        }
    }

    /// Decibels of the bands -> coefficients: the DCT-II, orthonormal.
    #[inline]
    pub(super) fn coefficients(&self, decibels: &[f32], out: &mut [f32]) {
        let bands = self.params.n_mels;
        // Without their mean, which only the first has, the sums are small and lose little. A second round finds what
        // the first one lost.
        let rough = decibels.iter().sum::<f32>() / bands as f32;
        let lost = decibels.iter().map(|x| x - rough).sum::<f32>() / bands as f32;
        let mean = rough + lost;
        for (k, to) in out.iter_mut().enumerate() {
            // (2n + 1) k of the 4 n_mels steps of a turn.
            let (mut at, mut sum) = (k, 0.0);
            for decibel in decibels {
                sum += (decibel - mean) * self.cosine(at);
                at += 2 * k;
                if at >= 4 * bands {
                    at -= 4 * bands;
                }
            }
            *to = sum;
        }
        if let Some(first) = out.first_mut() {
            *first = mean * self.root;
        }
    }

    /// The cosine of so many of the 4 n_mels steps of a turn.
    #[inline(always)]
    fn cosine(&self, at: usize) -> f32 {
        let bands = self.params.n_mels;
        let at = if at > 2 * bands { 4 * bands - at } else { at };
        let (at, sign) = if at > bands {
            (2 * bands - at, -1.0)
        } else {
            (at, 1.0)
        };
        if at == bands {
            return 0.0;
        }
        sign * self.cosines.get(at).copied().unwrap_or(0.0)
    }
}

/// The edges of the bands, in Hz: 0 is the first, `n_mels + 1` the last.
const fn edge(params: &Params, n: usize) -> f64 {
    hertz(mel(params.sample_rate as f64 / 2.0) * n as f64 / (params.n_mels + 1) as f64)
}
