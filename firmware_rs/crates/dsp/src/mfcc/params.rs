//! The parameters of MFCC and their bounds.

use core::fmt;

use super::spectrum::{LONGEST, SHORTEST};
use crate::slaney::HIGHEST_HZ;

/// What librosa calls `sr`, `n_fft`, `hop_length`, `n_mels` and `n_mfcc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Samples a second, 1000 to 96000.
    pub sample_rate: u32,
    /// Samples of a window: for a chip a power of two from 128 to 2048, for a host an even number from 16 to 65536.
    pub n_fft: usize,
    /// Samples from one frame to the next, 1 to `n_fft`.
    pub hop_length: usize,
    /// Mel bands: for a chip 1 to 128, for a host 1 to 1024.
    pub n_mels: usize,
    /// Coefficients, 1 to `n_mels`.
    pub n_mfcc: usize,
}

/// A parameter beyond its bounds: which, its value and the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamsError {
    name: &'static str,
    value: usize,
    kind: Kind,
    low: usize,
    high: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    #[cfg(feature = "host")]
    EvenNumber,
    PowerOfTwo,
}

impl Params {
    /// How many frames so many samples give.
    #[must_use]
    pub const fn frames(&self, samples: usize) -> usize {
        1 + samples / self.hop_length
    }

    /// That tables for `half` bins and `mels` bands have room for them.
    pub(super) const fn check(&self, half: usize, mels: usize) -> Result<(), ParamsError> {
        let longest = if 2 * half < LONGEST {
            2 * half
        } else {
            LONGEST
        };
        let mels = if mels < 128 { mels } else { 128 };
        self.within(Kind::PowerOfTwo, SHORTEST, longest, mels)
    }

    /// That they are what a host takes.
    #[cfg(feature = "host")]
    pub(super) const fn check_host(&self) -> Result<(), ParamsError> {
        self.within(Kind::EvenNumber, 16, 65_536, 1024)
    }

    const fn within(
        &self,
        window: Kind,
        shortest: usize,
        longest: usize,
        mels: usize,
    ) -> Result<(), ParamsError> {
        use Kind::Number;
        let rate = (self.sample_rate as usize, HIGHEST_HZ as usize);
        let bounds = [
            ParamsError::new("sample_rate", rate.0, Number, 1000, 2 * rate.1),
            ParamsError::new("n_fft", self.n_fft, window, shortest, longest),
            ParamsError::new("hop_length", self.hop_length, Number, 1, self.n_fft),
            ParamsError::new("n_mels", self.n_mels, Number, 1, mels),
            ParamsError::new("n_mfcc", self.n_mfcc, Number, 1, self.n_mels),
        ];
        let mut rest = bounds.as_slice();
        while let [bound, others @ ..] = rest {
            if !bound.is_kept() {
                return Err(*bound);
            }
            rest = others;
        }
        Ok(())
    }
}

impl ParamsError {
    const fn new(name: &'static str, value: usize, kind: Kind, low: usize, high: usize) -> Self {
        Self {
            name,
            value,
            kind,
            low,
            high,
        }
    }

    const fn is_kept(&self) -> bool {
        let of_kind = match self.kind {
            Kind::Number => true,
            #[cfg(feature = "host")]
            Kind::EvenNumber => self.value.is_multiple_of(2),
            Kind::PowerOfTwo => self.value.is_power_of_two(),
        };
        of_kind && self.low <= self.value && self.value <= self.high
    }
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            low,
            high,
            ..
        } = self;
        let kind = match self.kind {
            Kind::Number => "a number",
            #[cfg(feature = "host")]
            Kind::EvenNumber => "an even number",
            Kind::PowerOfTwo => "a power of two",
        };
        write!(f, "{name}: {value} is not {kind} from {low} to {high}")
    }
}

impl core::error::Error for ParamsError {}
