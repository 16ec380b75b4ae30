//! Time that may run faster than real time, and may have begun long ago.

use std::time::{Duration, Instant};

use minerva_device::ports::Clock;

/// The virtual board's clock; all copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct SimClock {
    began: Instant,
    speed: f64,
    boot_ms: u64,
}

impl SimClock {
    /// Begins now, `boot_ms` after the boot; `speed` is one that the command line takes.
    pub fn new(speed: f64, boot_ms: u64) -> Self {
        Self {
            began: Instant::now(),
            speed,
            boot_ms,
        }
    }

    /// Virtual microseconds since the board was switched on.
    pub fn elapsed_us(&self) -> u64 {
        (self.began.elapsed().as_secs_f64() * self.speed * 1e6) as u64
    }

    /// How long `virtual_ms` take in reality.
    pub fn real(&self, virtual_ms: u32) -> Duration {
        Duration::from_secs_f64(f64::from(virtual_ms) / 1000.0 / self.speed)
    }
}

impl Clock for SimClock {
    fn ticks_ms(&self) -> u32 {
        (self.boot_ms + self.elapsed_us() / 1000) as u32 // modulo 2^32, as a counter of the hardware wraps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{MAX_SPEED, MIN_SPEED};

    #[test]
    fn the_longest_wait_can_be_named_at_every_speed() {
        let slowest = SimClock::new(MIN_SPEED, 0).real(u32::MAX);
        assert_eq!(slowest.as_secs(), 429_496_729);
        assert!(Instant::now().checked_add(slowest).is_some());
        let fastest = SimClock::new(MAX_SPEED, 0).real(u32::MAX);
        assert_eq!(fastest.as_millis(), 4_294_967);
    }
}
