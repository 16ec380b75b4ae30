//! Instructions and stack of parts of the program.

#[cfg(target_os = "none")]
use crate::memory;
use crate::{machine, report};

/// How far the stack may reach below a measured call; more is reported as this.
#[cfg(target_os = "none")]
const STACK: usize = 64 * 1024;

/// What a repeated step took.
pub struct Cost {
    steps: u64,
    sum: u64,
    max: u64,
    #[cfg(target_os = "none")]
    stack: usize,
}

impl Cost {
    /// Of nothing yet.
    pub const fn new() -> Self {
        Self {
            steps: 0,
            sum: 0,
            max: 0,
            #[cfg(target_os = "none")]
            stack: 0,
        }
    }

    /// Take `step`'s time; it counts when `counts` says so of its result.
    pub fn step<T>(&mut self, step: impl FnOnce() -> T, counts: impl FnOnce(&T) -> bool) -> T {
        #[cfg(target_os = "none")]
        let painted = memory::paint(machine::stack_pointer(), STACK);
        let began = machine::now();
        let result = apart(step);
        let taken = machine::since(began);
        #[cfg(target_os = "none")]
        {
            self.stack = self.stack.max(memory::reached(painted));
        }
        if counts(&result) {
            self.steps += 1;
            self.sum += taken;
            self.max = self.max.max(taken);
        }
        result
    }

    /// Print `name.steps`, and on a machine that counts `.instructions_mean`, `.instructions_max` and `.stack_bytes`.
    pub fn report(&self, name: impl core::fmt::Display) {
        report::word(format_args!("{name}.steps"), self.steps);
        #[cfg(target_os = "none")]
        {
            report::word(
                format_args!("{name}.instructions_mean"),
                self.sum / self.steps.max(1),
            );
            report::word(format_args!("{name}.instructions_max"), self.max);
            report::word(format_args!("{name}.stack_bytes"), self.stack);
        }
    }
}

/// A frame of its own, so that its stack is seen.
#[inline(never)]
fn apart<T>(step: impl FnOnce() -> T) -> T {
    step()
}

/// Count a loop of known instructions: `calibration.off_by` is the error in 200,000.
pub fn calibrate() {
    #[cfg(target_os = "none")]
    {
        // The difference of two lengths is free of what the counting itself costs.
        let (short, long) = (count_loop(1_000), count_loop(101_000));
        report::word("calibration.overhead", short.wrapping_sub(2_000));
        report::word(
            "calibration.off_by",
            long.wrapping_sub(short).abs_diff(200_000),
        );
    }
}

/// What `turns` of a loop of two instructions took; not inlined, so that it costs itself the same each time.
#[cfg(target_os = "none")]
#[inline(never)]
fn count_loop(turns: u32) -> u64 {
    let began = machine::now();
    machine::spin(turns);
    machine::since(began)
}
