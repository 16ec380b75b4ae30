//! MFCC as librosa defines them, streaming: a frame of coefficients for each hop.
//!
//! Periodic Hann window, centred with zeros, power, Slaney's mel bands from 0 Hz to half the sample rate, decibels
//! without a floor below the loudest (`top_db=None`), DCT-II with orthonormal scaling.
//!
//! Coefficients lie within 1e-3 of librosa's in `f64`, to a million times full scale: the window and the transform are
//! integers of 64 bits, what follows is `f32`. With the feature `host` there is `mfcc::host` beside it, for windows of
//! any even length.

mod params;
mod spectrum;
mod tables;

#[cfg(feature = "host")]
pub mod host;

pub use params::{Params, ParamsError};
pub use tables::Tables;

use crate::math::ln;
use spectrum::Spectrum;

/// The preset for speech at 16 kHz: windows of 32 ms each 10 ms, 13 coefficients of 40 bands.
pub static SPEECH: Tables<256, 40> = Tables::preset(Params {
    sample_rate: crate::SAMPLE_RATE,
    n_fft: 512,
    hop_length: 160,
    n_mels: 40,
    n_mfcc: 13,
});

/// librosa's own defaults.
pub static LIBROSA: Tables<1024, 128> = Tables::preset(Params {
    sample_rate: 22_050,
    n_fft: 2048,
    hop_length: 512,
    n_mels: 128,
    n_mfcc: 20,
});

/// What librosa takes for silence, in decibels: `amin` = 1e-10.
const FLOOR: f32 = -100.0;

/// Samples in, a frame of coefficients out for each hop, from the first sample on. 24 bytes for each of `HALF`.
///
/// `HALF` is at least half of `n_fft` and `MELS` at least `n_mels`, as in the tables, which it borrows:
/// `Mfcc::new(&SPEECH)`.
#[derive(Clone, Debug)]
pub struct Mfcc<'t, const HALF: usize, const MELS: usize> {
    tables: &'t Tables<HALF, MELS>,
    samples: [[f32; 2]; HALF],
    filled: usize,
    spectrum: Spectrum<HALF>,
}

impl<'t, const HALF: usize, const MELS: usize> Mfcc<'t, HALF, MELS> {
    /// One that has heard nothing.
    #[must_use]
    pub const fn new(tables: &'t Tables<HALF, MELS>) -> Self {
        Self {
            tables,
            samples: [[0.0; 2]; HALF],
            filled: tables.params().n_fft / 2,
            spectrum: Spectrum::new(),
        }
    }

    /// Forget what was heard.
    pub fn reset(&mut self) {
        self.samples = [[0.0; 2]; HALF];
        self.filled = self.tables.params().n_fft / 2;
    }

    /// Samples in, finite, any number; frames of `n_mfcc` out as soon as they are whole.
    pub fn push(
        &mut self,
        pcm: impl IntoIterator<Item = f32>,
        out: &mut (impl FnMut(&[f32]) + ?Sized),
    ) {
        let params = self.tables.params();
        for x in pcm {
            if let Some(to) = self.samples.as_flattened_mut().get_mut(self.filled) {
                *to = x;
            }
            self.filled += 1;
            if self.filled == params.n_fft {
                self.analyse(out);
                let samples = self.samples.as_flattened_mut();
                samples.copy_within(params.hop_length..params.n_fft, 0);
                self.filled -= params.hop_length;
            }
        }
    }

    /// The frames that reach beyond the last sample, and all is as new.
    pub fn finish(&mut self, out: &mut (impl FnMut(&[f32]) + ?Sized)) {
        let beyond = self.tables.params().n_fft / 2;
        self.push(core::iter::repeat_n(0.0, beyond), out);
        self.reset();
    }

    fn analyse(&mut self, out: &mut (impl FnMut(&[f32]) + ?Sized)) {
        let (tables, params) = (self.tables, self.tables.params());
        let samples = self.samples.as_flattened().get(..params.n_fft);
        let (mut bands, mut frame) = ([0.0; MELS], [0.0; MELS]);
        let exponent = self
            .spectrum
            .powers(samples.unwrap_or_default(), |bin, power| {
                tables.add(&mut bands, bin, power);
            });
        for band in &mut bands {
            *band = decibels(*band, exponent);
        }
        if let (Some(bands), Some(frame)) =
            (bands.get(..params.n_mels), frame.get_mut(..params.n_mfcc))
        {
            tables.coefficients(bands, frame);
            out(frame);
        }
    }
}

/// `power` * 4^`exponent` in decibels, at least [`FLOOR`]; a power is 0 or a normal number.
#[inline]
fn decibels(power: f32, exponent: i32) -> f32 {
    // 20 lg 2 in two parts, the first with few enough bits for its product to be exact; and 10 / ln 10.
    const STEP: [f32; 2] = [6.019_531_3, 0.001_068_663_3];
    const LN: f32 = 4.342_945;
    if power < f32::MIN_POSITIVE {
        return FLOOR;
    }
    // power = m * 4^k with m from 1/2 to 2, so that its logarithm is small, and its error too.
    let k = (power.to_bits() >> 24) as i32 - 63;
    let m = f32::from_bits(power.to_bits().wrapping_sub((k << 24) as u32));
    let k = (k + exponent) as f32;
    (k * STEP[0] + (k * STEP[1] + ln(m) * LN)).max(FLOOR)
}
