//! What the board binary decides and how it keeps things, without hardware: all of it is tested on the host.
#![no_std]
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

extern crate alloc;

pub mod boards;
pub mod button;
pub mod bytes;
pub mod errand;
pub mod exchange;
pub mod pixel;
pub mod records;
pub mod selftest;
pub mod watch;
pub mod wire;
