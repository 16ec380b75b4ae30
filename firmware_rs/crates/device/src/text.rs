//! Texts for people, of bounded length.

use core::fmt::{self, Write};

use heapless::String;

/// Writes what fits, so that formatting never fails, with `?` for what cannot be printed.
struct Cut<const N: usize>(String<N>);

impl<const N: usize> Write for Cut<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.push(if c.is_control() { '?' } else { c }).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// The line, cut where it is full.
pub fn line<const N: usize>(line: fmt::Arguments<'_>) -> String<N> {
    let mut cut = Cut(String::new());
    // A line that is too long is cut, not refused.
    let _ = cut.write_fmt(line);
    cut.0
}
