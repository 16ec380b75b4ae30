//! The device as a state machine: capture, ring, features and gate, codec, link.
//!
//! ```text
//! let mut device = Device::new(&settings, identity, &mut memory, random)?;
//! loop {
//!     let wait_ms = device.poll(&clock, &mut microphone, &mut transport, &mut store);
//!     // show device.light(), print device.take_note(), sleep at most wait_ms; on a press: device.press_button(..)
//! }
//! ```
//!
//! Nothing here waits, allocates or knows what it runs on: the world is the traits of [`ports`]. Nothing that comes from
//! outside can panic: the lints below keep indexing, unchecked arithmetic and unwrapping out of the crate.
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

pub mod backoff;
pub mod clock;
pub mod light;
pub mod ports;
pub mod ring;
pub mod settings;
pub mod websocket;

mod capture;
mod connection;
mod device;
mod memory;
mod notes;
mod packets;
mod recorder;
mod report;
mod text;

pub use device::{Device, Identity, News};
pub use light::LightState;
pub use memory::{STOCK_RING, TooLittleMemory};
pub use minerva_wire::privacy::{Mode, Muted};
pub use notes::Note;
pub use settings::{Settings, SettingsError};
