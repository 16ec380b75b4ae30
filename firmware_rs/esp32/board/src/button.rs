//! A button to ground, looked at often: a press is the moment it goes down, and bounces are none.

/// Contacts bounce for some 10 ms; nobody presses twice within a quarter of a second on purpose.
pub const DEBOUNCE_MS: u32 = 250;

/// The state between two looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Button {
    down: bool,
    pressed_at: Option<u32>,
}

impl Button {
    /// A look at time `ticks_ms`, which wraps: whether it was pressed since the last one.
    pub fn look(&mut self, down: bool, ticks_ms: u32) -> bool {
        let went_down = down && !self.down;
        self.down = down;
        let bounce = self
            .pressed_at
            .is_some_and(|at| ticks_ms.wrapping_sub(at) < DEBOUNCE_MS);
        if !bounce {
            self.pressed_at = None; // else a wrap of the clock would make it a bounce again
        }
        if !went_down || bounce {
            return false;
        }
        self.pressed_at = Some(ticks_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_counts_once_however_it_bounces_and_however_long_it_lasts() {
        let mut button = Button::default();
        assert!(!button.look(false, 0));
        assert!(button.look(true, 5));
        for at in 6..200 {
            assert!(!button.look(at % 2 == 0, at), "bounce at {at}");
        }
        for at in 200..5000 {
            assert!(!button.look(true, at), "held at {at}");
        }
        assert!(!button.look(false, 5001));
        assert!(button.look(true, 5002));
    }

    #[test]
    fn the_clock_may_wrap() {
        let mut button = Button::default();
        assert!(button.look(true, u32::MAX));
        assert!(!button.look(false, 10));
        assert!(!button.look(true, 11));
        assert!(!button.look(false, 300));
        assert!(button.look(true, 301));
        assert!(!button.look(false, 1000));
        assert!(button.look(true, 301)); // a whole wrap later
    }
}
