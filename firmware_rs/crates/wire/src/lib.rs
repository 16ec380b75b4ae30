//! Protocol v1 without allocation: media packets, control messages, privacy and the device's side of the link.
//!
//! `docs/protocol.md` is the specification and `tests/vectors/` the truth. Bytes in, values out; no I/O, no clock.
//! Everything a peer sends is bounded here. Nothing a peer sends can panic: the lints below keep indexing,
//! unchecked arithmetic and unwrapping out of the crate, and `fuzz/` looks for what they cannot see.
#![cfg_attr(not(test), no_std)]
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

mod error;

pub mod control;
pub mod json;
pub mod link;
pub mod media;
pub mod privacy;

pub use error::{Code, Text, WireError};

/// The protocol version this crate speaks.
pub const PROTOCOL: u8 = 1;
/// The WebSocket subprotocol a device offers.
pub const SUBPROTOCOL: &str = "minerva.v1";
