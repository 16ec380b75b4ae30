//! When the watchdog may be fed: when every loop went round since the last time.

use core::sync::atomic::{AtomicU8, Ordering};

/// Milliseconds without food after which the chip restarts. A name look-up and a handshake take seconds.
pub const TIMEOUT_MS: u64 = 30_000;

/// The loops that must go round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Loop {
    /// Microphone, device, button and light.
    Device = 1,
    /// The Wi-Fi.
    Wifi = 2,
    /// The connection to the hub.
    Network = 4,
}

const ALL: u8 = Loop::Device as u8 | Loop::Wifi as u8 | Loop::Network as u8;

/// Which loops went round.
#[derive(Debug, Default)]
pub struct Watch(AtomicU8);

impl Watch {
    /// None yet.
    pub const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// This loop went round.
    pub fn alive(&self, who: Loop) {
        // A store where there is no fetch_or (riscv32imc): each bit is set again within seconds if two collide.
        let seen = self.0.load(Ordering::Relaxed);
        self.0.store(seen | who as u8, Ordering::Relaxed);
    }

    /// Whether all did since this last said so; then it begins again.
    pub fn all_alive(&self) -> bool {
        let all = self.0.load(Ordering::Relaxed) & ALL == ALL;
        if all {
            self.0.store(0, Ordering::Relaxed);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_when_every_loop_went_round() {
        let watch = Watch::new();
        for _ in 0..2 {
            assert!(!watch.all_alive());
            watch.alive(Loop::Device);
            watch.alive(Loop::Device);
            watch.alive(Loop::Wifi);
            assert!(!watch.all_alive());
            watch.alive(Loop::Network);
            assert!(watch.all_alive());
        }
    }
}
