//! What came of an order, and what follows from it.

use core::fmt::Write;

use heapless::String;

use super::step::Step;
use super::{FIRST_TROUBLE_MS, Updater};
use crate::ddi::{self, Artifact, Deployment, Poll};
use crate::error::Trouble;
use crate::sign::sha256;
use crate::{Code, Refusal};

const MOST_TROUBLE_MS: u64 = 600_000; // so a server that was away is found again within ten minutes
const MAX_TRIES: u8 = 8; // in a row without MIN_GAIN bytes, before the server is told that it does not go
const MIN_GAIN: u32 = 4096; // more than a trickling server gives before it is left

impl Updater<'_> {
    pub(super) fn go(&mut self, step: Step) {
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
