//! Releases and updates: who signed what, when it may run, how it comes and is installed.
//!
//! `docs/ota.md` is the specification, `tests/vectors/ota.json` the truth for this crate and for the MicroPython
//! application. No allocation, no I/O but through traits, no clock. Nothing that a server or a flash gives can panic:
//! the lints below keep indexing, unchecked arithmetic and unwrapping out of the crate.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::as_conversions
    )
)]

pub mod ddi;
pub mod error;
pub mod flash;
pub mod gate;
pub mod http;
pub mod keyset;
pub mod manifest;
pub mod ranges;
pub mod record;
pub mod select;
pub mod sign;
pub mod slots;
pub mod stored;
pub mod update;

mod fixed;

pub use error::{Code, Refusal, Trouble};
