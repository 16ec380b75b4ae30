//! Minerva's sound network on a device: a patch of features in, a score for each label out.
//!
//! All of it is integers, equal to the bit to what LiteRT's reference kernels make of `models/minerva-sounds.tflite`
//! (`tests/vectors/sounds.bin`). The weights and the labels are written from that file by
//! `python -m minerva_tools.sounds.rust`.
#![no_std]

mod kernels;
mod network;

use kernels::{convolve, mean_of_rows};
pub use network::LABELS;
use network::{ACTIVATIONS, CHANNELS, INPUT_HEIGHT, INPUT_WIDTH, LAYERS, LOGISTIC, LOGITS, ROWS};

/// Hops of a patch.
pub const HOPS: usize = INPUT_HEIGHT;

/// Bands of a hop.
pub const BANDS: usize = INPUT_WIDTH;

/// Scores of a patch in the order of [`LABELS`]: 0 is -128, 1 would be 128.
pub type Scores = [i8; LABELS.len()];

/// Room for the layers' activations, to be made once.
pub struct Network {
    now: [i8; ACTIVATIONS],
    next: [i8; ACTIVATIONS],
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Network {
    /// With nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            now: [0; ACTIVATIONS],
            next: [0; ACTIVATIONS],
        }
    }

    /// The scores of a patch, oldest hop first, in the steps of `minerva-mel64`.
    pub fn scores(&mut self, patch: &[[u8; BANDS]; HOPS]) -> Scores {
        for (to, step) in self.now.iter_mut().zip(patch.iter().flatten()) {
            *to = (step ^ 0x80) as i8;
        }
        let (mut height, mut width) = (HOPS, BANDS);
        for layer in &LAYERS {
            (height, width) = convolve(layer, &self.now, height, width, &mut self.next);
            core::mem::swap(&mut self.now, &mut self.next);
        }
        let mut mean = [0; CHANNELS];
        mean_of_rows(&self.now, ROWS, &mut mean);
        let mut logits = [0; LABELS.len()];
        convolve(&LOGITS, &mean, 1, width, &mut logits);
        logits.map(|logit| LOGISTIC[(logit as u8 ^ 0x80) as usize])
    }
}
