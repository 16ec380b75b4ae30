//! The updater as a state machine: what to ask the update server next, and what its answers mean.
//!
//! ```text
//! match updater.next(now_ms, quiet) { Wait(ms), Get(limit), Send(method), Verify, Prepare, Fetch(range), Install, Restart }
//! ```
//!
//! Whoever carries an order out tells `answered` of `Get` and `Send`, `verified`, `filled` of `Prepare` and `Fetch`,
//! `installed`, or `failed`; or nothing, when it was broken off because somebody speaks: then it comes again.

mod saying;
mod step;
mod told;

use heapless::String;

use crate::Code;
use crate::ddi::{self, Deployment, MAX_PATH, Path, Poll};
use crate::error::TEXT;
use crate::http::Range;
use crate::ranges::{self, Missing};
use crate::sign::Hash;
use step::Step;

const FIRST_TROUBLE_MS: u64 = 2000;
const CHECK_MS: u64 = 10_000; // the hub's word makes a device ask again no more often than that
const LOOK_MS: u64 = 1000; // how often to look whether it is quiet
/// Bytes of one request for a range: between two the device may be told to stop, and somebody may begin to speak.
pub const MOST: u32 = 65_536;
/// Bytes of manifest.json, and of manifest.sig.
pub const MAX_ARTIFACT: usize = 16_384;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing for so many milliseconds.
    Wait(u64),
    /// GET [`Updater::path`], at most so many bytes. What is to be kept of it says [`Updater::keeps`].
    Get(usize),
    /// This method of [`Updater::path`], with [`Updater::body`].
    Send(&'static str),
    /// Check manifest and signatures, which were kept.
    Verify,
    /// Make the slot ready.
    Prepare,
    /// GET this range of [`Updater::path`] into the slot.
    Fetch(Range),
    /// Make the slot the next to run.
    Install,
    /// Restart into it.
    Restart,
}

/// An answer whose bytes are needed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// `manifest.json`.
    Manifest,
    /// `manifest.sig`.
    Signature,
}

/// What outlives a session with the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// (action, whether it stays, text) of what was installed, still to be told.
    pub outcome: Option<(u64, bool, &'static str)>,
    /// The action whose outcome the server was told.
    pub told: Option<u64>,
    /// The server was told what this device is.
    pub configured: bool,
}

/// One device's updates.
#[derive(Debug)]
pub struct Updater<'a> {
    /// What outlives a session.
    pub past: Past,
    base: &'a str,
    attributes: &'a [(&'a str, &'a str)],
    running: Option<Hash>,
    random: fn() -> u64,
    step: Step,
    state: &'static str,
    due_ms: u64,
    asked_ms: Option<u64>,
    poll: Poll,
    path: Path,
    action: u64,
    deployment: Option<Deployment>,
    cancel: (u64, bool),
    got: u32,
    wanted: u32,
    pause_ms: u64,
    tries: u8,
    gained: u32,
    code: Option<Code>,
    reason: String<TEXT>,
}

impl<'a> Updater<'a> {
    /// `base` is the path of its DDI resource, `attributes` is what it tells of itself, `running` the hash of the
    /// running manifest.
    #[must_use]
    pub fn new(
        base: &'a str,
        attributes: &'a [(&'a str, &'a str)],
        running: Option<Hash>,
        past: Past,
        random: fn() -> u64,
    ) -> Self {
        Self {
            past,
            base,
            attributes,
            running,
            random,
            step: Step::Idle,
            state: "idle",
            due_ms: 0,
            asked_ms: None,
            poll: Poll {
                sleep_s: ddi::USUAL_SLEEP_S,
                deployment: None,
                cancel: None,
                config: None,
            },
            path: Path::new(),
            action: 0,
            deployment: None,
            cancel: (0, false),
            got: 0,
            wanted: 0,
            pause_ms: FIRST_TROUBLE_MS,
            tries: 0,
            gained: 0,
            code: None,
            reason: String::new(),
        }
    }

    /// What the hub is told: idle, checking, downloading, installing, restarting, failed.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        self.state
    }

    /// Of the failure.
    #[must_use]
    pub const fn code(&self) -> Option<Code> {
        self.code
    }

    /// Percent of the image that are there.
    #[must_use]
    pub fn progress(&self) -> u8 {
        let percent = u64::from(self.got)
            .saturating_mul(100)
            .checked_div(self.wanted.into());
        percent
            .and_then(|percent| u8::try_from(percent).ok())
            .unwrap_or(0)
    }

    /// Whether there is nothing to do before the next poll.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.step == Step::Idle
    }

    /// The server's number for what is under way.
    #[must_use]
    pub const fn action(&self) -> u64 {
        self.action
    }

    /// When there is something to do, by the clock of `next`.
    #[must_use]
    pub const fn due_ms(&self) -> u64 {
        self.due_ms
    }

    /// The hub says that there is something to ask for: ask, but not more often than each ten seconds.
    pub fn check(&mut self, now_ms: u64) {
        if self.is_idle() {
            let soonest = self
                .asked_ms
                .map_or(0, |asked| asked.saturating_add(CHECK_MS));
            self.due_ms = self.due_ms.min(now_ms.max(soonest));
        }
    }

    /// The next order. `quiet`: nobody speaks, nor did a moment ago; the link is closed while this talks.
    pub fn next(&mut self, now_ms: u64, quiet: bool) -> Order {
        if now_ms < self.due_ms {
            return Order::Wait(self.due_ms.saturating_sub(now_ms));
        }
        if !quiet {
            return Order::Wait(LOOK_MS);
        }
        if self.is_idle() {
            self.go(if self.past.outcome.is_none() {
                Step::Poll
            } else {
                Step::Report
            });
        }
        match self.step {
            Step::Poll | Step::Look => Order::Get(ddi::MAX_POLL),
            Step::Deployment => Order::Get(ddi::MAX_DEPLOYMENT),
            Step::Manifest | Step::Signature => Order::Get(MAX_ARTIFACT),
            Step::Cancel => Order::Get(ddi::MAX_CANCEL),
            Step::Configure => Order::Send("PUT"),
            Step::Verify => Order::Verify,
            Step::Prepare => Order::Prepare,
            Step::Fetch => match self.range() {
                Some(range) => Order::Fetch(range),
                // The connection broke behind the last byte.
                None => {
                    self.go(Step::Look);
                    Order::Get(ddi::MAX_POLL)
                }
            },
            Step::Install => Order::Install,
            Step::Restart => Order::Restart,
            _ => Order::Send("POST"),
        }
    }

    /// The next range of the image; `None` when all of it is there.
    fn range(&self) -> Option<Range> {
        let image = Missing {
            offset: 0,
            size: self.wanted,
            have: self.got,
        };
        let (first, last) = ranges::next(core::iter::once(image), MOST)?;
        Some(Range {
            first: first.into(),
            last: last.into(),
            total: self.wanted.into(),
        })
    }

    /// Whether the answer to this `Get` is to be kept.
    #[must_use]
    pub fn keeps(&self) -> Option<Kept> {
        match self.step {
            Step::Manifest => Some(Kept::Manifest),
            Step::Signature => Some(Kept::Signature),
            _ => None,
        }
    }
}

const _: () = assert!(
    MAX_PATH >= 256 + 64,
    "a base of the settings and what follows it"
);
