//! How long to wait before the next try: longer each time, never quite regular, short after success.

const GROWTH_PERCENT: u32 = 160;
/// So that devices do not come back in step after a power cut.
const JITTER_PERCENT: u32 = 20;

/// The pauses between tries.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first_ms: u32,
    cap_ms: u32,
    step_ms: u32,
}

impl Backoff {
    /// For the link: a hub that restarts is found again within a stock ring's five seconds, and on a local
    /// network a try each ten seconds costs next to nothing.
    pub const fn of_link() -> Self {
        Self::new(300, 10_000)
    }

    /// For the microphone, which either comes back at once or is broken.
    pub const fn of_microphone() -> Self {
        Self::new(500, 10_000)
    }

    /// Pauses from `first_ms` growing to `cap_ms`, both at most a day.
    pub const fn new(first_ms: u32, cap_ms: u32) -> Self {
        Self {
            first_ms,
            cap_ms,
            step_ms: first_ms,
        }
    }

    /// The pause before the next try, each up to a fifth longer or shorter by `random`.
    pub fn next_ms(&mut self, random: u64) -> u32 {
        let step = self.step_ms;
        self.step_ms = percent(step, GROWTH_PERCENT).min(self.cap_ms);
        let spread = u64::from(2 * JITTER_PERCENT + 1);
        let jitter = random
            .checked_rem(spread)
            .and_then(|r| u32::try_from(r).ok())
            .unwrap_or(0);
        percent(step, (100 - JITTER_PERCENT).saturating_add(jitter))
    }

    /// It worked: begin with the shortest pause again.
    pub fn reset(&mut self) {
        self.step_ms = self.first_ms;
    }
}

fn percent(value: u32, percent: u32) -> u32 {
    value.saturating_mul(percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_cap_and_begins_anew() {
        let mut backoff = Backoff::of_link();
        // 20 is the middle of the jitter.
        let pauses: [u32; 9] = core::array::from_fn(|_| backoff.next_ms(20));
        assert_eq!(
            pauses,
            [300, 480, 768, 1228, 1964, 3142, 5027, 8043, 10_000]
        );
        assert_eq!(backoff.next_ms(0), 8000);
        assert_eq!(backoff.next_ms(40), 12_000);
        backoff.reset();
        assert_eq!(backoff.next_ms(20), 300);
    }
}
