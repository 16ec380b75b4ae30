//! How fast an answer comes.

use crate::{Code, error::Trouble};

/// Sees a server that trickles: under 64 bytes a second over a minute.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    began_ms: u64,
    bytes: u64,
}

impl Pace {
    const WINDOW_MS: u64 = 60_000;
    const LEAST: u64 = 64 * 60;

    /// A request begins.
    #[must_use]
    pub const fn new(now_ms: u64) -> Self {
        Self {
            began_ms: now_ms,
            bytes: 0,
        }
    }

    /// So many bytes came, or none.
    ///
    /// # Errors
    ///
    /// `too_slow`, passing.
    pub fn received(&mut self, now_ms: u64, bytes: usize) -> Result<(), Trouble> {
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if now_ms.saturating_sub(self.began_ms) <= Self::WINDOW_MS {
            return Ok(());
        }
        if self.bytes < Self::LEAST {
            return Err(Trouble::passing(
                Code::TooSlow,
                format_args!(
                    "the update server gave {} bytes in a minute; {} are the least",
                    self.bytes,
                    Self::LEAST
                ),
            ));
        }
        *self = Self::new(now_ms);
        Ok(())
    }
}
