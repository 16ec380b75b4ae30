//! The updater as a state machine: what to ask the update server next, and what its answers mean.
//!
//! ```text
//! match updater.next(now_ms, quiet) { Wait(ms), Get(limit), Send(method), Verify, Prepare, Fetch(range), Install, Restart }
//! ```
//!
//! Whoever carries an order out tells `answered` of `Get` and `Send`, `verified`, `filled` of `Prepare` and `Fetch`,
//! `installed`, or `failed`; or nothing, when it was broken off because somebody speaks: then it comes again.

use core::fmt::Write;

use heapless::String;

use crate::ddi::{self, Artifact, Deployment, Feedback, MAX_PATH, Path, Poll};
use crate::error::{TEXT, Trouble};
use crate::http::Range;
use crate::ranges::{self, Missing};
use crate::sign::{Hash, sha256};
use crate::{Code, Refusal};

const FIRST_TROUBLE_MS: u64 = 2000;
const MOST_TROUBLE_MS: u64 = 600_000; // so a server that was away is found again within ten minutes
const MAX_TRIES: u8 = 8; // in a row without MIN_GAIN bytes, before the server is told that it does not go
const MIN_GAIN: u32 = 4096; // more than a trickling server gives before it is left
const CHECK_MS: u64 = 10_000; // the hub's word makes a device ask again no more often than that
const LOOK_MS: u64 = 1000; // how often to look whether it is quiet
/// Bytes of one request for a range: between two the device may be told to stop, and somebody may begin to speak.
pub const MOST: u32 = 65_536;
/// Bytes of manifest.json, and of manifest.sig.
pub const MAX_ARTIFACT: usize = 16_384;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Idle,
    Poll,
    Configure,
    Deployment,
    Accept,
    Manifest,
    Signature,
    Verify,
    Prepare,
    Fetch,
    Progress,
    Look,
    Install,
    Restart,
    Refuse,
    Report,
    Cancel,
    Cancelled,
}

impl Step {
    /// Trouble in it may end an action.
    const fn serves(self) -> bool {
        matches!(
            self,
            Self::Deployment
                | Self::Accept
                | Self::Manifest
                | Self::Signature
                | Self::Verify
                | Self::Prepare
                | Self::Fetch
                | Self::Progress
                | Self::Look
                | Self::Install
        )
    }

    /// What the hub is told; `None` changes nothing of it.
    const fn state(self) -> Option<&'static str> {
        Some(match self {
            Self::Idle => "idle",
            Self::Poll => "checking",
            Self::Deployment => "downloading",
            Self::Install => "installing",
            Self::Restart => "restarting",
            Self::Refuse => "failed",
            _ => return None,
        })
    }
}

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

    /// The path that the order is about.
    #[must_use]
    pub fn path(&self) -> Path {
        let artifact = |of: fn(&Deployment) -> &Artifact| {
            self.deployment
                .as_ref()
                .map_or_else(Path::new, |d| of(d).path.clone())
        };
        match self.step {
            Step::Configure | Step::Deployment | Step::Cancel => self.path.clone(),
            Step::Manifest => artifact(|d| &d.manifest),
            Step::Signature => artifact(|d| &d.signature),
            Step::Fetch => artifact(|d| &d.files),
            Step::Poll | Step::Look => Path::try_from(self.base).unwrap_or_default(),
            step => {
                let (kind, id) = match (step, self.past.outcome) {
                    (Step::Cancelled, _) => ("cancelAction", self.cancel.0),
                    (Step::Report, Some((action, ..))) => ("deploymentBase", action),
                    _ => ("deploymentBase", self.action),
                };
                let mut path = Path::new();
                // A base of the settings has at most 256 bytes.
                let _ = write!(path, "{}/{kind}/{id}/feedback", self.base);
                path
            }
        }
    }

    /// Write what the order tells the server to `out`; its size. `out` has [`ddi::MAX_BODY`] bytes.
    #[must_use]
    pub fn body(&self, out: &mut [u8]) -> usize {
        let written = match (self.step, self.past.outcome) {
            (Step::Configure, _) => ddi::config_data(self.attributes, out),
            (Step::Cancelled, _) => {
                let (own, late) = self.cancel;
                let (execution, finished, text) = if late {
                    ("rejected", "none", "installed before it came")
                } else {
                    ("closed", "success", "")
                };
                let base = Feedback::proceeding(own);
                Feedback {
                    execution,
                    finished,
                    details: [text, ""],
                    ..base
                }
                .write(out)
            }
            (Step::Report, Some((action, stays, text))) => {
                Feedback::closed(action, stays, [text, ""]).write(out)
            }
            (Step::Refuse, _) => {
                let code = self.code.map_or("", Code::as_str);
                Feedback::closed(self.action, false, [code, &self.reason]).write(out)
            }
            (Step::Progress, _) => {
                let progress = Some((self.got, self.wanted));
                Feedback {
                    progress,
                    ..Feedback::proceeding(self.action)
                }
                .write(out)
            }
            _ => Feedback::proceeding(self.action).write(out),
        };
        written.unwrap_or(0)
    }

    fn go(&mut self, step: Step) {
        self.step = step;
        self.state = step.state().unwrap_or(self.state);
    }

    fn rest(&mut self, now_ms: u64) {
        self.drop_release();
        self.go(Step::Idle);
        self.due_ms = now_ms.saturating_add(ddi::jittered_ms(self.poll.sleep_s, (self.random)()));
    }

    fn drop_release(&mut self) {
        self.deployment = None;
        (self.got, self.wanted) = (0, 0);
    }

    fn went_well(&mut self) {
        self.pause_ms = FIRST_TROUBLE_MS;
        self.tries = 0;
        self.gained = self.got;
    }

    /// The answer to `Get` or `Send`; one that is not what it must be counts as failed.
    pub fn answered(&mut self, now_ms: u64, body: &[u8]) {
        match self.take(now_ms, body) {
            Ok(()) => self.went_well(),
            Err(refusal) => self.failed(now_ms, &refusal.into()),
        }
    }

    fn take(&mut self, now_ms: u64, body: &[u8]) -> Result<(), Refusal> {
        match self.step {
            Step::Poll | Step::Look => {
                self.asked_ms = Some(now_ms);
                self.poll = Poll::read(body)?;
                self.polled(now_ms);
            }
            Step::Configure => {
                self.past.configured = true;
                self.polled(now_ms);
            }
            Step::Deployment => self.deployed(now_ms, Deployment::read(body)?)?,
            Step::Accept => self.go(Step::Manifest),
            Step::Manifest => {
                self.check_whole(body, "manifest.json", |d| &d.manifest)?;
                self.go(Step::Signature);
                if self.running == Some(sha256(body)) {
                    // Installed already: nothing to do but to say so.
                    self.past.outcome = Some((self.action, true, "this release runs already"));
                    self.drop_release();
                    self.go(Step::Report);
                }
            }
            Step::Signature => {
                self.check_whole(body, "manifest.sig", |d| &d.signature)?;
                self.go(Step::Verify);
            }
            Step::Progress => self.go(Step::Look),
            Step::Cancel => {
                let (own, stop) = ddi::read_cancel(body, &self.path)?;
                self.cancel = (own, self.past.told == Some(stop));
                self.drop_release();
                self.go(Step::Cancelled);
            }
            Step::Report => {
                self.reported();
                self.go(Step::Poll);
            }
            _ => self.rest(now_ms),
        }
        Ok(())
    }

    fn check_whole(
        &self,
        body: &[u8],
        name: &str,
        of: fn(&Deployment) -> &Artifact,
    ) -> Result<(), Refusal> {
        let Some(artifact) = self.deployment.as_ref().map(of) else {
            return Ok(());
        };
        if u64::try_from(body.len()) != Ok(artifact.size) {
            return Err(Refusal::new(
                Code::BadSize,
                format_args!(
                    "{name} has {} bytes; {} were announced",
                    body.len(),
                    artifact.size
                ),
            ));
        }
        let mut hex: String<64> = String::new();
        for byte in sha256(body) {
            let _ = write!(hex, "{byte:02x}"); // 64 digits fit
        }
        if !artifact.sha256.is_empty() && artifact.sha256 != hex {
            return Err(Refusal::new(
                Code::BadHash,
                format_args!("{name} is not what was announced"),
            ));
        }
        Ok(())
    }

    fn polled(&mut self, now_ms: u64) {
        if let Some(path) = &self.poll.cancel {
            self.path.clone_from(path);
            return self.go(Step::Cancel);
        }
        let ours = self
            .poll
            .deployment
            .as_ref()
            .is_some_and(|(_, id)| *id == self.action);
        if self.step == Step::Look && ours {
            return self.go(if self.got == self.wanted {
                Step::Install
            } else {
                Step::Fetch
            });
        }
        if let Some(path) = self.poll.config.as_ref().filter(|_| !self.past.configured) {
            self.path.clone_from(path);
            return self.go(Step::Configure);
        }
        let Some((path, id)) = &self.poll.deployment else {
            return self.rest(now_ms);
        };
        self.path.clone_from(path);
        self.action = *id;
        self.drop_release();
        self.go(Step::Deployment);
    }

    fn deployed(&mut self, now_ms: u64, deployment: Deployment) -> Result<(), Refusal> {
        if deployment.action != self.action {
            return Err(Refusal::new(
                Code::BadAnswer,
                format_args!(
                    "deployment {} where {} was linked",
                    deployment.action, self.action
                ),
            ));
        }
        if deployment.now {
            self.deployment = Some(deployment);
            self.go(Step::Accept);
        } else {
            self.rest(now_ms);
        }
        Ok(())
    }

    /// `Verify` went well, of a release whose files have `total` bytes.
    pub fn verified(&mut self, now_ms: u64, total: u32) {
        let size = self.deployment.as_ref().map_or(0, |d| d.files.size);
        if size != u64::from(total) {
            let why = format_args!("files.bin has {size} bytes; the manifest's files {total}");
            return self.failed(now_ms, &Refusal::new(Code::BadSize, why).into());
        }
        self.wanted = total;
        self.went_well();
        self.go(Step::Prepare);
    }

    /// `Prepare` or `Fetch` was carried out: so many bytes are there.
    pub fn filled(&mut self, got: u32) {
        self.got = got;
        self.went_well();
        let next = match (self.got == self.wanted, self.step) {
            (true, _) => Step::Look, // the last moment in which the server may say that it is to stop
            (false, Step::Prepare) => Step::Fetch,
            _ => Step::Progress,
        };
        self.go(next);
    }

    /// A `Fetch` came so far and broke off, or what was there is to come anew.
    pub const fn came_to(&mut self, got: u32) {
        self.got = got;
    }

    /// `Install` was carried out.
    pub fn installed(&mut self) {
        self.went_well();
        self.drop_release();
        self.go(Step::Restart);
    }

    /// An order failed: try later, or tell the server that it cannot be.
    pub fn failed(&mut self, now_ms: u64, trouble: &Trouble) {
        self.reason.clone_from(&trouble.refusal.text);
        let step = self.step;
        if step == Step::Configure && !trouble.passing {
            // It does not want to know what this is; what it offers counts all the same.
            self.past.configured = true;
            self.polled(now_ms);
        } else if step.serves() && (!trouble.passing || self.is_tired()) {
            self.drop_release();
            self.code = Some(trouble.refusal.code);
            self.go(Step::Refuse);
        } else if !trouble.passing && step != Step::Poll {
            if step == Step::Report {
                self.reported();
            }
            self.rest(now_ms); // the server does not want to know: the action is over for it
        } else {
            self.due_ms = now_ms.saturating_add(self.next_pause_ms());
            if matches!(step, Step::Poll | Step::Configure) {
                self.go(Step::Idle);
            }
        }
    }

    /// Longer each time, each up to a fifth longer or shorter.
    fn next_pause_ms(&mut self) -> u64 {
        let pause = self.pause_ms;
        self.pause_ms = MOST_TROUBLE_MS.min(pause.saturating_mul(8) / 5);
        pause.saturating_mul(80_u64.saturating_add((self.random)() % 41)) / 100
    }

    fn reported(&mut self) {
        if let Some((action, ..)) = self.past.outcome.take() {
            self.past.told = Some(action);
        }
    }

    fn is_tired(&mut self) -> bool {
        if self.got.saturating_sub(self.gained) >= MIN_GAIN {
            self.tries = 0;
            self.gained = self.got;
        }
        self.tries = self.tries.saturating_add(1);
        self.tries >= MAX_TRIES
    }
}

const _: () = assert!(
    MAX_PATH >= 256 + 64,
    "a base of the settings and what follows it"
);
