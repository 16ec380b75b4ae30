//! Is there a microphone? Samples must vary; nothing of them is kept.

/// Slots to look at: a second.
const SLOTS: u32 = 16_000;
/// The best a microphone without noise could do; a line that is stuck has one value, or two when it chatters.
const DISTINCT: u32 = 64;

pub use minerva_ota::gate::Verdict;

/// Looks at slots as they are captured.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelfTest {
    seen: u32,
    changes: u32,
    last: [i32; 2],
    passed: bool,
    failed: bool,
}

impl SelfTest {
    /// Slots that were heard, 32 bits, left-justified.
    pub fn heard(&mut self, slots: &[i32]) {
        if self.passed {
            return;
        }
        for &slot in slots {
            // A change to what was not among the last two values: chatter between two is none.
            if !self.last.contains(&slot) {
                self.changes = self.changes.saturating_add(1);
                let [_, newer] = self.last;
                self.last = [newer, slot];
            }
            self.seen = self.seen.saturating_add(1);
            if self.seen == SLOTS {
                self.passed = self.changes >= DISTINCT;
                self.failed = !self.passed;
                self.seen = 0;
                self.changes = 0;
            }
        }
    }

    /// How it stands; once passed, always.
    pub const fn verdict(&self) -> Verdict {
        if self.passed {
            Verdict::Passed
        } else if self.failed {
            Verdict::Failed
        } else {
            Verdict::Waiting
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(slots: impl Fn(i32) -> i32) -> SelfTest {
        let mut test = SelfTest::default();
        for i in 0..16_000 {
            assert_eq!(test.verdict(), Verdict::Waiting);
            test.heard(&[slots(i)]);
        }
        test
    }

    #[test]
    fn noise_of_few_bits_passes_and_stays_so() {
        let mut test = after(|i| (i.wrapping_mul(1_103_515_245) >> 16 & 7) << 8);
        assert_eq!(test.verdict(), Verdict::Passed);
        test.heard(&[0; 40_000]);
        assert_eq!(test.verdict(), Verdict::Passed);
    }

    #[test]
    fn a_dead_line_fails_whatever_it_is_stuck_at() {
        for stuck in [0, -1, i32::MAX, i32::MIN, 1 << 8] {
            assert_eq!(after(|_| stuck).verdict(), Verdict::Failed, "{stuck}");
        }
        assert_eq!(after(|i| -(i & 1)).verdict(), Verdict::Failed);
    }

    #[test]
    fn it_may_pass_after_it_failed() {
        let mut test = after(|_| 0);
        assert_eq!(test.verdict(), Verdict::Failed);
        for i in 0..16_000 {
            test.heard(&[i << 8]);
        }
        assert_eq!(test.verdict(), Verdict::Passed);
    }
}
