//! A small convolutional network over time that says how much the last 1.3 s sound like speech.
//!
//! A dense layer makes 16 channels of a frame; six layers each join a frame with the one 1, 2, 4, 8, 16 and 32 frames
//! before; the score is a sum over all layers' channels. Weights and activations are 8 bits, sums 32, so every target
//! computes the same. `tools/minerva_tools/gate` trains it and holds the same arithmetic in Python.

use super::bands::INPUTS;
use super::weights::{BIAS, DENSE, DENSE_BIAS, LAYERS, OUT, OUT_BIAS};

/// Channels of every layer.
pub(super) const CHANNELS: usize = 16;
/// Layers after the first.
pub(super) const DEPTH: usize = 6;
/// What one unit of the score's logit is.
pub(super) const LOGIT: i32 = 1024;

const HISTORY: usize = (1 << DEPTH) - 1;

type Activations = [i8; CHANNELS];

/// The network's memory: of each layer the activations that a later frame still needs.
#[derive(Clone, Debug)]
pub(super) struct Network {
    history: [Activations; HISTORY],
    frame: usize,
}

impl Network {
    pub(super) const fn new() -> Self {
        Self {
            history: [[0; CHANNELS]; HISTORY],
            frame: 0,
        }
    }

    /// One frame's inputs -> its score: speech's logit times `LOGIT`, as of some 160 ms ago.
    pub(super) fn step(&mut self, inputs: &[i8; INPUTS]) -> i32 {
        let mut now: Activations = [0; CHANNELS];
        for ((value, weights), &bias) in now.iter_mut().zip(&DENSE).zip(&DENSE_BIAS) {
            *value = activation(bias + dot(weights, inputs));
        }
        let mut score = OUT_BIAS;
        let mut outs = OUT.iter();
        score += outs.next().map_or(0, |weights| dot(weights, &now));
        let mut rest = self.history.as_mut_slice();
        for (layer, (weights, biases)) in LAYERS.iter().zip(&BIAS).enumerate() {
            let (past, later) = rest.split_at_mut(1 << layer);
            rest = later;
            let Some(slot) = past.get_mut(self.frame & ((1 << layer) - 1)) else {
                continue; // never: the index is below the length
            };
            let before = core::mem::replace(slot, now);
            let mut next: Activations = [0; CHANNELS];
            for ((value, [of_now, of_before]), &bias) in next.iter_mut().zip(weights).zip(biases) {
                *value = activation(bias + dot(of_now, &now) + dot(of_before, &before));
            }
            now = next;
            score += outs.next().map_or(0, |weights| dot(weights, &now));
        }
        self.frame = self.frame.wrapping_add(1);
        score
    }
}

fn activation(sum: i32) -> i8 {
    ((sum + 32) >> 6).clamp(0, 127) as i8
}

fn dot<const N: usize>(weights: &[i8; N], values: &[i8; N]) -> i32 {
    weights
        .iter()
        .zip(values)
        .map(|(&w, &v)| i32::from(w) * i32::from(v))
        .sum()
}
