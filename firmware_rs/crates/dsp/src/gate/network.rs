//! A small convolutional network over time that says how much the last 1.3 s sound like speech.
//!
//! A dense layer makes 16 channels of a frame; six layers each join a frame with the one 1, 2, 4, 8, 16 and 32 frames
//! before; the score is a sum over all layers' channels. Weights and activations are 8 bits, sums 32, so every target
//! computes the same. `tools/minerva_tools/gate` trains it and holds the same arithmetic in Python.

use super::bands::INPUTS;
use super::weights::{BEFORE, BIAS, DENSE, DENSE_BIAS, NOW, OUT, OUT_BIAS};

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
        let mut sums = DENSE_BIAS;
        add_products(&mut sums, &DENSE, inputs);
        let mut now = activations(&sums);
        let mut outs = OUT.iter();
        let mut score = OUT_BIAS + outs.next().map_or(0, |weights| dot(weights, &now));
        let mut rest = self.history.as_mut_slice();
        let weights = NOW.iter().zip(&BEFORE).zip(&BIAS);
        for (layer, ((of_now, of_before), bias)) in weights.enumerate() {
            let (past, later) = rest.split_at_mut(1 << layer);
            rest = later;
            let Some(slot) = past.get_mut(self.frame & ((1 << layer) - 1)) else {
                continue; // never: the index is below the length
            };
            let before = core::mem::replace(slot, now);
            let mut sums = *bias;
            add_products(&mut sums, of_now, &now);
            add_products(&mut sums, of_before, &before);
            now = activations(&sums);
            score += outs.next().map_or(0, |weights| dot(weights, &now));
        }
        self.frame = self.frame.wrapping_add(1);
        score
    }
}

fn activations(sums: &[i32; CHANNELS]) -> Activations {
    sums.map(|sum| ((sum + 32) >> 6).clamp(0, 127) as i8)
}

/// Four sums at a time, whose weights lie side by side: little for a small core to load and to count.
fn add_products<const N: usize>(
    sums: &mut [i32; CHANNELS],
    weights: &[[[i8; 4]; N]; CHANNELS / 4],
    values: &[i8; N],
) {
    let (sums, _) = sums.as_chunks_mut::<4>();
    for (weights, sums) in weights.iter().zip(sums) {
        *sums = four(*sums, weights, values);
    }
}

/// Of slices and not inlined: known lengths would be unrolled whole, into more instructions than registers can serve.
#[inline(never)]
fn four(sums: [i32; 4], weights: &[[i8; 4]], values: &[i8]) -> [i32; 4] {
    let [mut a, mut b, mut c, mut d] = sums;
    for (&value, &[p, q, r, s]) in values.iter().zip(weights) {
        let value = i32::from(value);
        a += i32::from(p) * value;
        b += i32::from(q) * value;
        c += i32::from(r) * value;
        d += i32::from(s) * value;
    }
    [a, b, c, d]
}

fn dot(weights: &Activations, values: &Activations) -> i32 {
    let products = weights.iter().zip(values);
    products.map(|(&w, &v)| i32::from(w) * i32::from(v)).sum()
}
