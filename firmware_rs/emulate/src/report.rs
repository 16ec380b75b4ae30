//! What the program prints, and the hash it compares by.

use core::fmt::{Display, Write};

use crate::machine::Console;

/// FNV-1a with 64 bits, the hash of the protocol's `self_test`.
pub struct Hash(u64);

impl Hash {
    /// Of nothing yet.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Go on with `bytes`.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Print it.
    pub fn report(&self, name: impl Display) {
        hash(name, self.0);
    }
}

/// Print a hash as 16 hex digits.
pub fn hash(name: impl Display, value: u64) {
    word(name, format_args!("{value:016x}"));
}

/// Print a number.
pub fn number(name: impl Display, value: usize) {
    word(name, value);
}

/// Print anything without spaces.
pub fn word(name: impl Display, value: impl Display) {
    // The console takes everything.
    let _ = writeln!(Console, "{name} {value}");
}
