//! What the updater says: where to, and which words.

use core::fmt::Write;

use super::Updater;
use super::step::Step;
use crate::Code;
use crate::ddi::{self, Artifact, Deployment, Feedback, Path};

impl Updater<'_> {
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
}
