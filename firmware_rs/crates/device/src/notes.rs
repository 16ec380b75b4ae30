//! What the device says to whoever watches its log.

use core::fmt;

use heapless::{Deque, String};

use crate::text;

/// One line, cut where it is full.
pub type Note = String<160>;

/// Lines that wait to be read; the oldest give way.
const WAITING: usize = 6;
/// Lines that the hub may give rise to at once,
const OF_HUB: u64 = 10;
/// and then one in so long: a flood of errors must not fill a log, or the disk under it.
const OF_HUB_MS: u64 = 10_000;

/// The newest lines.
#[derive(Debug, Default)]
pub struct Notes {
    lines: Deque<Note, WAITING>,
    trouble: Note,
    used_ms: u64, // when the hub's allowance is whole again
    held: u32,    // lines of the hub since the last one that was said
}

impl Notes {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            lines: Deque::new(),
            trouble: String::new(),
            used_ms: 0,
            held: 0,
        }
    }

    /// Say it.
    pub fn say(&mut self, line: fmt::Arguments<'_>) {
        if self.lines.is_full() {
            self.lines.pop_front();
        }
        // There is room now.
        let _ = self.lines.push_back(text::line(line));
    }

    /// Say what the hub gave rise to, or count it where there is too much of it.
    pub fn hub(&mut self, now_ms: u64, line: fmt::Arguments<'_>) {
        let used_ms = self.used_ms.max(now_ms).saturating_add(OF_HUB_MS);
        if used_ms.saturating_sub(now_ms) > OF_HUB.saturating_mul(OF_HUB_MS) {
            self.held = self.held.saturating_add(1);
            return;
        }
        self.used_ms = used_ms;
        let held = core::mem::take(&mut self.held);
        if held > 0 {
            self.say(format_args!("hub: {held} lines more, not shown"));
        }
        self.say(line);
    }

    /// Say why there is no link; the same reason only once, however often it is tried.
    pub fn trouble(&mut self, line: fmt::Arguments<'_>) {
        let line: Note = text::line(line);
        if line != self.trouble {
            self.say(format_args!("{line}"));
            self.trouble = line;
        }
    }

    /// The link stands: the next trouble is news.
    pub fn no_trouble(&mut self) {
        self.trouble.clear();
    }

    /// The oldest line, to be read.
    pub fn take(&mut self) -> Option<Note> {
        self.lines.pop_front()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_same_trouble_is_said_once_until_the_link_stood() {
        let mut notes = Notes::new();
        for _ in 0..3 {
            notes.trouble(format_args!("nobody {}", "listens"));
        }
        notes.trouble(format_args!("no answer"));
        notes.no_trouble();
        notes.trouble(format_args!("no answer"));
        let said: [Option<Note>; 4] = core::array::from_fn(|_| notes.take());
        assert_eq!(said[0].as_deref(), Some("nobody listens"));
        assert_eq!(said[1], said[2]);
        assert_eq!(said[3], None);
    }

    #[test]
    fn a_flood_of_the_hub_is_cut_and_counted() {
        let mut notes = Notes::new();
        let mut said = Vec::new();
        for (now_ms, count) in [(5000, 500), (14_999, 1), (15_000, 2), (1_000_000, 500)] {
            for n in 0..count {
                notes.hub(now_ms, format_args!("{n}"));
                while let Some(note) = notes.take() {
                    said.push(note);
                }
            }
        }
        let said: Vec<&str> = said.iter().map(Note::as_str).collect();
        assert_eq!(
            said[..10],
            ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
        );
        assert_eq!(said[10..12], ["hub: 491 lines more, not shown", "0"]);
        assert_eq!(said[12..14], ["hub: 1 lines more, not shown", "0"]);
        assert_eq!(said.len(), 12 + 1 + 10);
    }

    #[test]
    fn lines_are_cut_and_clean_and_the_oldest_give_way() {
        let mut notes = Notes::new();
        for n in 0..9 {
            notes.say(format_args!("{n}\n{:200}", "ä"));
        }
        let first = notes.take().unwrap();
        assert!(first.starts_with("3?ä") && first.len() <= 160);
    }
}
