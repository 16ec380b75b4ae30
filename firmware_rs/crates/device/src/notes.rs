//! What the device says to whoever watches its log.

use core::fmt;

use heapless::{Deque, String};

use crate::text;

/// One line, cut where it is full.
pub type Note = String<160>;

/// Lines that wait to be read; the oldest give way.
const WAITING: usize = 6;

/// The newest lines.
#[derive(Debug, Default)]
pub struct Notes {
    lines: Deque<Note, WAITING>,
    trouble: Note,
}

impl Notes {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            lines: Deque::new(),
            trouble: String::new(),
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
    use super::*;

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
    fn lines_are_cut_and_clean_and_the_oldest_give_way() {
        let mut notes = Notes::new();
        for n in 0..9 {
            notes.say(format_args!("{n}\n{:200}", "ä"));
        }
        let first = notes.take().unwrap();
        assert!(first.starts_with("3?ä") && first.len() <= 160);
    }
}
