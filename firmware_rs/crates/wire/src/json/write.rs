//! Writes one JSON object into a buffer.

use core::fmt::{self, Write};

/// An object under way. What does not fit is counted, not written: [`Writer::finish`] says so once.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    size: usize,
    comma: bool,
}

impl<'a> Writer<'a> {
    /// Begins an object at the beginning of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        let mut writer = Self {
            out,
            size: 0,
            comma: false,
        };
        writer.open('{');
        writer
    }

    /// Ends the object: its bytes.
    ///
    /// # Errors
    ///
    /// The bytes it would have, when they exceed the buffer.
    pub fn finish(mut self) -> Result<usize, usize> {
        self.close('}');
        if self.size <= self.out.len() {
            Ok(self.size)
        } else {
            Err(self.size)
        }
    }

    /// A member that is a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.quoted(value);
    }

    /// A member that is written as it displays: a number or a truth value.
    pub fn plain(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        self.show(value);
    }

    /// A member that is a fixed-point number: `value` / 10^`places`.
    pub fn decimal(&mut self, name: &str, value: i64, places: u32) {
        self.name(name);
        let mut unit = 10_u64.saturating_pow(places).max(1);
        let magnitude = value.unsigned_abs();
        let whole = magnitude.checked_div(unit).unwrap_or(0);
        let rest = magnitude.checked_rem(unit).unwrap_or(0);
        let sign = if value < 0 { "-" } else { "" };
        self.show(format_args!("{sign}{whole}"));
        if rest == 0 {
            return;
        }
        self.put(b".");
        while unit > 1 {
            unit /= 10;
            self.show(rest.checked_div(unit).unwrap_or(0) % 10);
        }
    }

    /// A member that is an object, whose members `fill` writes.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.name(name);
        self.open('{');
        fill(self);
        self.close('}');
    }

    /// A member that is a list of words.
    pub fn words<'w>(&mut self, name: &str, items: impl IntoIterator<Item = &'w str>) {
        self.name(name);
        self.open('[');
        for item in items {
            self.item();
            self.quoted(item);
        }
        self.close(']');
    }

    /// A member that is a list of numbers.
    pub fn numbers(&mut self, name: &str, items: impl IntoIterator<Item = u8>) {
        self.name(name);
        self.open('[');
        for item in items {
            self.item();
            self.show(item);
        }
        self.close(']');
    }

    fn name(&mut self, name: &str) {
        self.item();
        self.quoted(name);
        self.put(b":");
    }

    fn item(&mut self) {
        if self.comma {
            self.put(b",");
        }
        self.comma = true;
    }

    fn open(&mut self, bracket: char) {
        self.show(bracket);
        self.comma = false;
    }

    fn close(&mut self, bracket: char) {
        self.show(bracket);
        self.comma = true;
    }

    fn show(&mut self, value: impl fmt::Display) {
        let done = write!(self, "{value}");
        debug_assert!(done.is_ok(), "write_str never refuses");
    }

    fn quoted(&mut self, text: &str) {
        self.put(b"\"");
        for c in text.chars() {
            match c {
                '"' => self.put(b"\\\""),
                '\\' => self.put(b"\\\\"),
                c if c < ' ' => self.show(format_args!("\\u{:04x}", u32::from(c))),
                c => self.put(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.put(b"\"");
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.size.saturating_add(bytes.len());
        if let Some(room) = self.out.get_mut(self.size..end) {
            for (to, from) in room.iter_mut().zip(bytes) {
                *to = *from;
            }
        }
        self.size = end;
    }
}

impl Write for Writer<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.put(s.as_bytes());
        Ok(())
    }
}
