//! Whether the firmware that runs may stay: the health gate of a slot on trial.
//!
//! A new slot is on trial until the hub said welcome, the microphone works, and one health message was acknowledged.
//! Muted, the microphone's part waits. A trial without a hub for a quarter of an hour gives way to the slot before it;
//! when that one does not reach the hub either, the trial was not to blame and gets another turn, three in all.

use crate::records::{State, Tried};
use crate::selftest::Verdict;

/// How long a trial may take: an outage of the hub must not cost good firmware its place too easily.
pub const TRIAL_MS: u64 = 15 * 60 * 1000;
/// Turns of a trial that never reached a hub.
pub const MAX_TURNS: u8 = 3;

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// 0 or 1.
    pub slot: u8,
    /// The bootloader started it for the first time, or again, without its having been found good.
    pub on_trial: bool,
}

/// What is known since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The hub said welcome.
    pub welcomed: bool,
    /// A health message was acknowledged.
    pub health_acked: bool,
    /// The microphone's self-test.
    pub microphone: Verdict,
    /// Nothing may be captured now.
    pub muted: bool,
    /// Milliseconds since the start.
    pub uptime_ms: u64,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing yet.
    Wait,
    /// Mark the running slot good.
    Keep,
    /// Mark the running slot bad and restart into the other; the text says why.
    GiveUp(&'static str),
    /// Select the other slot for another trial and restart.
    TryAgain,
    /// The other slot's trial is over: it was to blame.
    Blame,
}

/// Decide. Asked again and again; after anything but `Wait` the state to keep is [`after`].
pub fn decide(running: Running, state: &State, facts: &Facts) -> Order {
    let overdue = facts.uptime_ms >= TRIAL_MS;
    if running.on_trial {
        let heard = facts.microphone == Verdict::Passed;
        return match (facts.welcomed, facts.health_acked && heard) {
            (true, true) => Order::Keep,
            (false, _) if overdue => Order::GiveUp("no hub said welcome within 15 minutes"),
            (true, false) if overdue && !facts.health_acked => {
                Order::GiveUp("the hub acknowledged no health within 15 minutes")
            }
            (true, false) if overdue && !facts.muted && facts.microphone == Verdict::Failed => {
                Order::GiveUp("the microphone gives nothing")
            }
            _ => Order::Wait,
        };
    }
    match state.tried {
        Some(tried) if tried.slot != running.slot => {
            if facts.welcomed {
                Order::Blame
            } else if overdue && tried.times < MAX_TURNS {
                Order::TryAgain
            } else {
                Order::Wait
            }
        }
        _ => Order::Wait,
    }
}

/// The state to keep when an order is carried out, written before the slots are touched.
pub fn after(order: Order, running: Running, state: &State, facts: &Facts) -> State {
    let tried = match order {
        Order::Keep | Order::Blame => None,
        // Only a trial that saw no hub may not have been to blame.
        Order::GiveUp(_) if facts.welcomed => None,
        Order::GiveUp(_) => Some(Tried {
            slot: running.slot,
            times: match state.tried {
                Some(tried) if tried.slot == running.slot => tried.times.saturating_add(1),
                _ => 1,
            },
        }),
        Order::Wait | Order::TryAgain => state.tried,
    };
    State { tried, ..*state }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: Running = Running {
        slot: 1,
        on_trial: true,
    };
    const OLD: Running = Running {
        slot: 0,
        on_trial: false,
    };
    const GOOD: Facts = Facts {
        welcomed: true,
        health_acked: true,
        microphone: Verdict::Passed,
        muted: false,
        uptime_ms: 3000,
    };
    const ALONE: Facts = Facts {
        welcomed: false,
        health_acked: false,
        uptime_ms: TRIAL_MS,
        ..GOOD
    };

    #[test]
    fn a_trial_is_kept_when_all_three_are_there_and_not_before() {
        let state = State::default();
        assert_eq!(decide(TRIAL, &state, &GOOD), Order::Keep);
        let lacking = [
            Facts {
                welcomed: false,
                ..GOOD
            },
            Facts {
                health_acked: false,
                ..GOOD
            },
            Facts {
                microphone: Verdict::Waiting,
                ..GOOD
            },
            Facts {
                microphone: Verdict::Failed,
                ..GOOD
            },
        ];
        for facts in lacking {
            assert_eq!(decide(TRIAL, &state, &facts), Order::Wait, "{facts:?}");
        }
    }

    #[test]
    fn muted_the_microphones_part_waits_for_days() {
        let muted = Facts {
            microphone: Verdict::Waiting,
            muted: true,
            uptime_ms: 100 * TRIAL_MS,
            ..GOOD
        };
        assert_eq!(decide(TRIAL, &State::default(), &muted), Order::Wait);
    }

    #[test]
    fn late_a_trial_gives_way_and_is_blamed_when_there_was_a_hub() {
        let late = Facts {
            uptime_ms: TRIAL_MS,
            ..GOOD
        };
        for facts in [
            Facts {
                microphone: Verdict::Failed,
                ..late
            },
            Facts {
                health_acked: false,
                ..late
            },
        ] {
            let order = decide(TRIAL, &State::default(), &facts);
            assert!(matches!(order, Order::GiveUp(_)), "{facts:?}");
            assert_eq!(after(order, TRIAL, &State::default(), &facts).tried, None);
        }
    }

    #[test]
    fn without_a_hub_both_slots_take_turns_three_times_and_then_the_old_one_stays() {
        let mut state = State {
            muted_at_button: true,
            tried: None,
        };
        for turn in 1..=MAX_TURNS {
            let order = decide(TRIAL, &state, &ALONE);
            assert!(matches!(order, Order::GiveUp(_)));
            state = after(order, TRIAL, &state, &ALONE);
            assert_eq!(
                state.tried,
                Some(Tried {
                    slot: 1,
                    times: turn
                })
            );
            assert!(state.muted_at_button);
            let order = decide(OLD, &state, &ALONE);
            if turn < MAX_TURNS {
                assert_eq!(order, Order::TryAgain);
                state = after(order, OLD, &state, &ALONE);
            } else {
                assert_eq!(order, Order::Wait);
            }
        }
    }

    #[test]
    fn when_the_old_slot_reaches_the_hub_the_trial_was_to_blame() {
        let state = State {
            tried: Some(Tried { slot: 1, times: 1 }),
            ..State::default()
        };
        assert_eq!(decide(OLD, &state, &GOOD), Order::Blame);
        assert_eq!(after(Order::Blame, OLD, &state, &GOOD).tried, None);
        let early = Facts {
            uptime_ms: TRIAL_MS - 1,
            ..ALONE
        };
        assert_eq!(decide(OLD, &state, &early), Order::Wait);
    }

    #[test]
    fn a_slot_that_was_kept_forgets_its_turns() {
        let state = State {
            tried: Some(Tried { slot: 1, times: 2 }),
            ..State::default()
        };
        assert_eq!(decide(TRIAL, &state, &GOOD), Order::Keep);
        assert_eq!(after(Order::Keep, TRIAL, &state, &GOOD).tried, None);
        // The other slot's record does not concern it: an update since then.
        let of_old = State {
            tried: Some(Tried { slot: 0, times: 3 }),
            ..State::default()
        };
        let order = decide(TRIAL, &of_old, &ALONE);
        assert_eq!(
            after(order, TRIAL, &of_old, &ALONE).tried,
            Some(Tried { slot: 1, times: 1 })
        );
    }
}
