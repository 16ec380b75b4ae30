//! What a device makes of its samples: conditioned audio, levels, IMA-ADPCM, features, and whether to send at all.
//!
//! Everything here is bit-identical on every target: integers and the IEEE operations `+ - * /` on `f32`, in the order
//! in which they are written. There is no fused multiply-add, no platform `libm`, no allocation, and what is read from
//! tables was computed by the compiler, or by the same operations on `f64`.
//!
//! With the feature `host` come `whisper` and `mfcc::host`, which need `std` and memory that a chip does not have;
//! `mfcc::host` takes its sines and logarithms from the platform.
#![no_std]
#![warn(clippy::indexing_slicing)]

#[cfg(feature = "host")]
extern crate std;

pub mod adpcm;
pub mod condition;
pub mod gate;
pub mod level;
pub mod math;
pub mod mel64;
pub mod mfcc;
mod slaney;
mod spectrum;
mod tables;
#[cfg(feature = "host")]
pub mod whisper;

/// Samples a second.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples of an audio frame, 20 ms.
pub const FRAME_SAMPLES: usize = 320;
