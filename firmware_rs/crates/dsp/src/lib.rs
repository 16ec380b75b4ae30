//! Features, gate and codec without allocation.
#![no_std]
pub mod gate;
