//! What the update server is told.

use core::fmt;

use heapless::String;
use minerva_wire::json::Writer;

/// Characters of a text for people; hawkBit takes no more.
const MAX_DETAIL: usize = 512;

/// As much of a text for people as is taken.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_DETAIL);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// How an action stands.
#[derive(Clone, Copy, Debug)]
pub struct Feedback<'a> {
    /// Its id.
    pub action: u64,
    /// proceeding, canceled, rejected, scheduled, resumed or closed.
    pub execution: &'a str,
    /// none, success or failure.
    pub finished: &'a str,
    /// For people.
    pub details: [&'a str; 2],
    /// Bytes that are there, and bytes in all.
    pub progress: Option<(u32, u32)>,
}

impl<'a> Feedback<'a> {
    /// An action that goes on.
    #[must_use]
    pub const fn proceeding(action: u64) -> Self {
        Self {
            action,
            execution: "proceeding",
            finished: "none",
            details: [""; 2],
            progress: None,
        }
    }

    /// An action that ended.
    #[must_use]
    pub const fn closed(action: u64, success: bool, details: [&'a str; 2]) -> Self {
        let finished = if success { "success" } else { "failure" };
        Self {
            action,
            execution: "closed",
            finished,
            details,
            progress: None,
        }
    }

    /// The body to send, in `out`; `None` where that is too small.
    #[must_use]
    pub fn write(self, out: &mut [u8]) -> Option<usize> {
        let mut digits: String<20> = String::new();
        fmt::Write::write_fmt(&mut digits, format_args!("{}", self.action)).ok()?;
        let mut to = Writer::new(out);
        to.text("id", &digits);
        to.object("status", |to| {
            to.text("execution", self.execution);
            to.object("result", |to| {
                to.text("finished", self.finished);
                if let Some((cnt, of)) = self.progress {
                    to.object("progress", |to| {
                        to.plain("cnt", cnt);
                        to.plain("of", of);
                    });
                }
            });
            to.words(
                "details",
                self.details
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .map(cut),
            );
        });
        to.finish().ok()
    }
}

/// The body that tells what this device is, in `out`; `None` where that is too small.
#[must_use]
pub fn config_data(attributes: &[(&str, &str)], out: &mut [u8]) -> Option<usize> {
    let mut to = Writer::new(out);
    to.text("mode", "merge");
    to.object("data", |to| {
        for (name, value) in attributes {
            to.text(name, value);
        }
    });
    to.finish().ok()
}
