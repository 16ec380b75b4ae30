//! Messages written field by field: what would break the protocol is our own fault, and said before it is sent.

use core::fmt;

use super::fields::Word;
use super::{MAX_TEXT, MAX_TIME, is_id};
use crate::error::{Code, Shown, WireError};
use crate::json::Writer;

/// A message of a type under way.
pub(super) struct Message<'a> {
    json: Writer<'a>,
    name: &'static str,
    room: usize,
    fault: Option<WireError>,
}

impl<'a> Message<'a> {
    pub(super) fn new(name: &'static str, out: &'a mut [u8]) -> Self {
        let room = out.len().min(MAX_TEXT);
        let mut json = Writer::new(
            out.split_at_mut_checked(room)
                .map_or(&mut [], |(out, _)| out),
        );
        json.text("type", name);
        Self {
            json,
            name,
            room,
            fault: None,
        }
    }

    /// The message's bytes, or what is wrong with it.
    pub(super) fn finish(self) -> Result<usize, WireError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let room = self.room;
        self.json.finish().map_err(|size| {
            WireError::new(
                Code::TooLong,
                format_args!("message of {size} bytes exceeds this side's {room} bytes of room"),
            )
        })
    }

    fn check(
        &mut self,
        right: bool,
        name: &str,
        value: impl fmt::Display,
        want: fmt::Arguments<'_>,
    ) {
        if !right && self.fault.is_none() {
            let outer = self.name;
            self.fault = Some(WireError::new(
                Code::BadField,
                format_args!("{outer}.{name} is {value}; it must be {want}"),
            ));
        }
    }

    pub(super) fn text(&mut self, name: &str, value: &str, limit: usize) {
        let shown = Shown(value.as_bytes());
        let right = value.len() <= limit;
        self.check(
            right,
            name,
            shown,
            format_args!("text of at most {limit} bytes"),
        );
        self.json.text(name, value);
    }

    /// A text that no error shows.
    pub(super) fn secret(&mut self, name: &str, value: &str, limit: usize) {
        let right = value.len() <= limit;
        let size = format_args!("{} bytes long", value.len());
        self.check(
            right,
            name,
            size,
            format_args!("text of at most {limit} bytes"),
        );
        self.json.text(name, value);
    }

    pub(super) fn id(&mut self, name: &str, value: &str) {
        let shown = Shown(value.as_bytes());
        self.check(
            is_id(value),
            name,
            shown,
            format_args!("1 to 32 of a-z, 0-9 and '-'"),
        );
        self.json.text(name, value);
    }

    pub(super) fn word(&mut self, name: &str, value: impl Word) {
        self.json.text(name, value.word());
    }

    pub(super) fn words<T: Word>(&mut self, name: &str, values: &[T]) {
        self.check(
            !values.is_empty(),
            name,
            "empty",
            format_args!("a list of at least 1 item"),
        );
        self.json.words(name, values.iter().map(|one| one.word()));
    }

    pub(super) fn hex(&mut self, name: &str, value: u64) {
        self.json.plain(name, format_args!("\"{value:016x}\""));
    }

    pub(super) fn bool(&mut self, name: &str, value: bool) {
        self.json.plain(name, value);
    }

    /// A whole number from `low` to `high`.
    pub(super) fn int(&mut self, name: &str, value: impl Into<i64>, low: i64, high: i64) {
        let value = value.into();
        let right = (low..=high).contains(&value);
        self.check(
            right,
            name,
            value,
            format_args!("a whole number from {low} to {high}"),
        );
        self.json.plain(name, value);
    }

    pub(super) fn time(&mut self, name: &str, value: u64) {
        let want = format_args!("a whole number from 0 to {MAX_TIME}");
        self.check(value <= MAX_TIME, name, value, want);
        self.json.plain(name, value);
    }

    /// A number in 10^-`places`.
    pub(super) fn decimal(&mut self, name: &str, value: i32, range: (i32, i32), places: u32) {
        let (low, high) = range;
        let want = format_args!("{low} to {high}, in 10^-{places}");
        self.check((low..=high).contains(&value), name, value, want);
        self.json.decimal(name, i64::from(value), places);
    }

    /// Counts by name.
    pub(super) fn counts(&mut self, name: &str, items: &[(&str, u64)], limit: usize) {
        for (key, count) in items {
            let shown = Shown(key.as_bytes());
            let right = key.len() <= limit;
            self.check(
                right,
                name,
                shown,
                format_args!("keyed by text of at most {limit} bytes"),
            );
            let want = format_args!("counts of at most {MAX_TIME}");
            self.check(*count <= MAX_TIME, name, count, want);
        }
        self.json.object(name, |inner| {
            for (key, count) in items {
                inner.plain(key, count);
            }
        });
    }

    /// An object within the message.
    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Writer<'a>)) {
        self.json.object(name, fill);
    }

    /// Texts by name within the message.
    pub(super) fn texts(&mut self, name: &str, items: &[(&str, &str)], limit: usize) {
        for (key, value) in items {
            let shown = Shown(value.as_bytes());
            let right = value.len() <= limit;
            self.check(
                right,
                key,
                shown,
                format_args!("text of at most {limit} bytes"),
            );
        }
        self.json.object(name, |inner| {
            for (key, value) in items {
                inner.text(key, value);
            }
        });
    }

    /// A list of numbers, each at least `low`.
    pub(super) fn numbers(&mut self, name: &str, items: &[u8], low: u8) {
        for item in items {
            self.check(*item >= low, name, item, format_args!("at least {low}"));
        }
        self.json.numbers(name, items.iter().copied());
    }
}
