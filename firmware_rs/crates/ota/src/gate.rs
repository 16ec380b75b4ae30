//! Whether the firmware that runs may stay: the health gate of a slot on trial.
//!
//! A new slot is on trial until the hub said welcome, the microphone works, and one health message was acknowledged.
//! Muted, the microphone's part waits. A trial without a hub for a quarter of an hour gives way to the slot before it;
//! when that one does not reach the hub either, the trial was not to blame and gets another turn, three in all. A turn
//! that power or a crash ended counts as one.

/// How long a trial may take: an outage of the hub must not cost good firmware its place too easily.
pub const TRIAL_MS: u64 = 15 * 60 * 1000;
/// Turns of a trial that comes to no verdict.
pub const MAX_TURNS: u8 = 3;

/// How the microphone's self-test stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough was heard yet.
    Waiting,
    /// Samples vary as a microphone's do.
    Passed,
    /// A second of them did not.
    Failed,
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

/// Why a trial is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No hub said welcome.
    NoWelcome,
    /// The hub acknowledged no health.
    NoHealth,
    /// The microphone gives nothing.
    Deaf,
}

impl Why {
    /// For the log.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoWelcome => "no hub said welcome within 15 minutes",
            Self::NoHealth => "the hub acknowledged no health within 15 minutes",
            Self::Deaf => "the microphone gives nothing",
        }
    }
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing yet.
    Wait,
    /// The running slot is good.
    Keep,
    /// The running slot is bad: restart into the one before.
    GiveUp(Why),
    /// Give the other slot another turn on trial: restart into it.
    TryAgain,
    /// The other slot's trial is over: it was to blame.
    Blame,
}

/// Decide. `turns`: of a trial those it has had; not on trial those that the other slot had without an answer.
///
/// Asked again and again; after an order is carried out the turns are [`turns_after`].
#[must_use]
pub fn decide(on_trial: bool, turns: u8, facts: &Facts) -> Order {
    let overdue = facts.uptime_ms >= TRIAL_MS;
    if on_trial {
        let heard = facts.microphone == Verdict::Passed;
        return match (facts.welcomed, facts.health_acked) {
            (true, true) if heard => Order::Keep,
            (false, _) if overdue => Order::GiveUp(Why::NoWelcome),
            (true, false) if overdue => Order::GiveUp(Why::NoHealth),
            (true, true) if overdue && !facts.muted && facts.microphone == Verdict::Failed => {
                Order::GiveUp(Why::Deaf)
            }
            _ => Order::Wait,
        };
    }
    match turns {
        0 => Order::Wait,
        _ if facts.welcomed => Order::Blame,
        1..MAX_TURNS if overdue => Order::TryAgain,
        _ => Order::Wait,
    }
}

/// The turns to keep when an order is carried out: only a trial that saw no hub may be without blame.
#[must_use]
pub fn turns_after(order: Order, turns: u8, facts: &Facts) -> u8 {
    match order {
        Order::GiveUp(_) if !facts.welcomed => turns.saturating_add(1),
        Order::Wait | Order::TryAgain => turns,
        _ => 0,
    }
}
