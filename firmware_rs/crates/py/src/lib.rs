//! `minerva_native`: the device's features for Python, numpy in and numpy out. No logic of its own.
//!
//! Arrays are one-dimensional and contiguous, of the type that each function names; anything else is a `TypeError`.
//! The interpreter is released while features are computed; an array must not be written to meanwhile.

mod array;
mod audio;
mod features;

use pyo3::prelude::*;

/// The device's features, gate and codec, as the firmware in Rust computes them.
#[pymodule]
mod minerva_native {
    #[pymodule_export]
    use crate::audio::{
        Conditioner, Gate, adpcm_decode, adpcm_encode, amplitude_cdb, frame_cdb, peak,
    };
    #[pymodule_export]
    use crate::features::{
        mel64_log, mel64_magnitudes, mel64_u8, mfcc, mfcc_device, self_test, whisper_logmel,
    };
}
