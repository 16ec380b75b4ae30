//! What the board binary decides and how it keeps things, without hardware: all of it is tested on the host.
#![no_std]
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod boards;
pub mod boot;
pub mod button;
pub mod bytes;
pub mod pixel;
pub mod records;
pub mod selftest;
pub mod watch;
pub mod wire;
