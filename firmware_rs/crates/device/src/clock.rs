//! Device time: milliseconds since boot, counted by samples and kept honest by the ticks.

/// Packets within an open gate are contiguous, so the count of samples rules. Beyond this it has lost samples
/// (a stall longer than the microphone's buffer) or drifted by 800 s of a 50 ppm crystal.
pub const DRIFT_MS: i64 = 40;
/// That many looks in a row must agree: a pause between reading samples and ticks is not a loss. Before the first
/// frame one is enough, for a microphone that begins later than it said has lost nothing.
const LOOKS: u8 = 8;

/// Wrapping ticks to time since boot without wrap; [`update`](Self::update) at least every 2^31 ms (24 days).
#[derive(Clone, Copy, Debug)]
pub struct DeviceClock {
    ticks: u32,
    time_ms: u64,
}

impl DeviceClock {
    /// It is `ticks` now, and the device's time is `start_ms`.
    pub const fn new(ticks: u32, start_ms: u64) -> Self {
        Self {
            ticks,
            time_ms: start_ms,
        }
    }

    /// It is `ticks` now; ticks that run backwards are ignored until they have caught up.
    pub fn update(&mut self, ticks: u32) -> u64 {
        let passed = ticks.wrapping_sub(self.ticks);
        if passed <= u32::MAX / 2 {
            self.ticks = ticks;
            self.time_ms = self.time_ms.saturating_add(u64::from(passed));
        }
        self.time_ms
    }

    /// Milliseconds since boot at the last update.
    pub const fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

/// The time of the next frame's first sample: 20 ms a frame from an anchor.
#[derive(Clone, Copy, Debug)]
pub struct SampleClock {
    next_ms: i64,
    looks: u8,
    least_ms: i64,
    fresh: bool,
}

impl SampleClock {
    /// Anchored at 0; [`start`](Self::start) before use.
    pub const fn new() -> Self {
        Self {
            next_ms: 0,
            looks: 0,
            least_ms: 0,
            fresh: true,
        }
    }

    /// It is `now_ms`, and the next frame's first sample is due `ahead_ms` later (earlier when negative).
    pub fn start(&mut self, now_ms: u64, ahead_ms: i64) {
        self.next_ms = signed(now_ms).saturating_add(ahead_ms);
        self.looks = 0;
        self.fresh = true;
    }

    /// All samples were read at `now_ms`, `pending_ms` of them not yet framed: true when anchored anew.
    pub fn check(&mut self, now_ms: u64, pending_ms: i64) -> bool {
        let drift = signed(now_ms)
            .saturating_sub(self.next_ms)
            .saturating_sub(pending_ms);
        if (-DRIFT_MS..=DRIFT_MS).contains(&drift) {
            self.looks = 0;
            return false;
        }
        if self.looks == 0 || drift.saturating_abs() < self.least_ms.saturating_abs() {
            self.least_ms = drift;
        }
        self.looks = self.looks.saturating_add(1);
        if self.looks < LOOKS && !self.fresh {
            return false;
        }
        self.start(now_ms, pending_ms.saturating_neg());
        true
    }

    /// One frame of `frame_ms` went by.
    pub fn next_frame(&mut self, frame_ms: u32) {
        self.next_ms = self.next_ms.saturating_add(i64::from(frame_ms));
        self.fresh = false;
    }

    /// The time of the next frame's first sample, never before boot.
    pub fn time_ms(&self) -> u64 {
        u64::try_from(self.next_ms).unwrap_or(0)
    }
}

impl Default for SampleClock {
    fn default() -> Self {
        Self::new()
    }
}

/// A time as a signed number: it has room for 292 million years.
fn signed(time_ms: u64) -> i64 {
    i64::try_from(time_ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_over_the_wraps_of_the_ticks() {
        for wrap in [1_u64 << 30, 1 << 31, 1 << 32, 1 << 33] {
            let start = wrap - 30;
            let mut clock = DeviceClock::new(u32::try_from(start & 0xFFFF_FFFF).unwrap(), start);
            for step in 0..10_u64 {
                let now = start + step * 7;
                assert_eq!(clock.update((now & 0xFFFF_FFFF) as u32), now);
            }
        }
    }

    #[test]
    fn ticks_that_run_backwards_stand_still() {
        let mut clock = DeviceClock::new(1000, 5000);
        assert_eq!(clock.update(900), 5000);
        assert_eq!(clock.update(1001), 5001);
        assert_eq!(clock.time_ms(), 5001);
    }

    #[test]
    fn samples_rule_until_eight_looks_agree_that_some_were_lost() {
        let mut samples = SampleClock::new();
        samples.start(1000, 250);
        assert_eq!(samples.time_ms(), 1250);
        // Late looks within 40 ms are nothing.
        samples.next_frame(20);
        assert!(!samples.check(1310, 0));
        for _ in 0..7 {
            assert!(!samples.check(1311, 0));
        }
        // One look that is in time begins the count again.
        assert!(!samples.check(1300, 0));
        for _ in 0..7 {
            assert!(!samples.check(1400, 5));
        }
        assert!(samples.check(1400, 5));
        assert_eq!(samples.time_ms(), 1395);
    }

    #[test]
    fn a_microphone_that_begins_late_is_believed_at_once() {
        let mut samples = SampleClock::new();
        samples.start(1000, 250);
        assert!(samples.check(2000, 10));
        assert_eq!(samples.time_ms(), 1990);
        samples.next_frame(20);
        assert!(!samples.check(2100, 0));
    }

    #[test]
    fn a_clock_that_starts_before_boot_shows_zero() {
        let mut samples = SampleClock::new();
        samples.start(5, -20);
        assert_eq!(samples.time_ms(), 0);
        samples.next_frame(20);
        assert_eq!(samples.time_ms(), 5);
    }
}
