//! The device as a state machine.
#![no_std]

pub mod ports;
