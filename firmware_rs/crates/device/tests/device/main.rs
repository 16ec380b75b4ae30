//! The device in a world of fakes: each rule of the protocol and of the MicroPython application.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a fake that fails is a test that fails"
)]

mod audio;
mod link;
mod privacy;
mod random;
mod size;
mod world;
