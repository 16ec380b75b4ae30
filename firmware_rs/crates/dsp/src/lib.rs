//! What a device makes of its samples: conditioned audio, levels, IMA-ADPCM, features, and whether to send at all.
//!
//! Everything here is bit-identical on every target: integers and the IEEE operations `+ - * /` on `f32`, in the order
//! in which they are written. There is no fused multiply-add, no platform `libm`, no allocation, and what is read from
//! tables was computed by the compiler.
#![no_std]

pub mod adpcm;
pub mod condition;
pub mod gate;
pub mod level;
pub mod math;
pub mod mel64;
mod spectrum;
mod tables;

/// Samples a second.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples of an audio frame, 20 ms.
pub const FRAME_SAMPLES: usize = 320;
