//! Walks through a JSON text once, from value to value.

use super::{MAX_DEPTH, Str, Value};

/// Why a text is not the JSON that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Bytes from the beginning.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl SyntaxError {
    pub(super) const fn new(at: usize, what: &'static str) -> Self {
        Self { at, what }
    }
}

impl core::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// Which brackets are open, one bit each: an object or a list.
#[derive(Default)]
struct Open {
    bits: u32,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: bool) -> bool {
        if self.depth == MAX_DEPTH {
            return false;
        }
        self.bits = (self.bits << 1) | u32::from(object);
        self.depth = self.depth.saturating_add(1);
        true
    }

    fn pop(&mut self) {
        self.bits >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    /// Whether the innermost is an object; `None` when nothing is open.
    fn top(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }
}

fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\r' | b'\n')
}

/// What is left of a text.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    rest: &'a str,
    size: usize,
}

impl<'a> Scan<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            size: text.len(),
        }
    }

    fn wrong(&self, what: &'static str) -> SyntaxError {
        SyntaxError::new(self.size.saturating_sub(self.rest.len()), what)
    }

    fn eat(&mut self, c: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(c) else {
            return false;
        };
        self.rest = rest;
        true
    }

    /// Eat bytes as long as they are wanted, which all or no bytes of a character beyond ASCII are.
    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        let end = self.rest.bytes().position(|c| !wanted(c));
        self.rest = end.and_then(|end| self.rest.get(end..)).unwrap_or_default();
    }

    fn digits(&mut self) -> bool {
        let before = self.rest.len();
        self.skip(|c| c.is_ascii_digit());
        self.rest.len() < before
    }

    /// What was eaten since `before` was the rest.
    fn since(&self, before: &'a str) -> &'a str {
        before
            .get(..before.len().saturating_sub(self.rest.len()))
            .unwrap_or_default()
    }

    pub(super) fn space(&mut self) {
        self.skip(is_space);
    }

    pub(super) fn end(&self) -> Result<(), SyntaxError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.wrong("more than one value"))
    }

    /// Between the members of a checked text: eats white space and commas.
    pub(super) fn separator(&mut self) {
        self.skip(|c| is_space(c) || c == b',');
    }

    /// A name and its colon, and the white space around.
    pub(super) fn key(&mut self) -> Result<Str<'a>, SyntaxError> {
        self.space();
        let key = self.string()?;
        self.space();
        if !self.eat(':') {
            return Err(self.wrong("no colon"));
        }
        self.space();
        Ok(key)
    }

    /// The value that begins here, whole.
    pub(super) fn value(&mut self) -> Result<Value<'a>, SyntaxError> {
        let before = self.rest;
        let mut open = Open::default();
        loop {
            if self.begin(&mut open)? {
                continue;
            }
            // A value ended, and perhaps others with it.
            loop {
                let Some(object) = open.top() else {
                    return Ok(Value(self.since(before)));
                };
                self.space();
                if self.eat(',') {
                    self.space();
                    if object {
                        self.key()?;
                    }
                    break;
                }
                if !self.eat(if object { '}' } else { ']' }) {
                    return Err(self.wrong("neither comma nor closing bracket"));
                }
                open.pop();
            }
        }
    }

    /// Eat a scalar or empty container, or the opening of another container: whether a value is due in that.
    fn begin(&mut self, open: &mut Open) -> Result<bool, SyntaxError> {
        let (object, closing) = match self.rest.as_bytes().first() {
            Some(b'{') => (true, '}'),
            Some(b'[') => (false, ']'),
            Some(b'"') => return self.string().map(|_| false),
            Some(b'-' | b'0'..=b'9') => return self.number().map(|()| false),
            _ => return self.name().map(|()| false),
        };
        if !open.push(object) {
            return Err(self.wrong("nested deeper than 32"));
        }
        self.eat(if object { '{' } else { '[' });
        self.space();
        if self.eat(closing) {
            open.pop();
            return Ok(false);
        }
        if object {
            self.key()?;
        }
        Ok(true)
    }

    fn name(&mut self) -> Result<(), SyntaxError> {
        for name in ["true", "false", "null"] {
            if let Some(rest) = self.rest.strip_prefix(name) {
                self.rest = rest;
                return Ok(());
            }
        }
        Err(self.wrong("no value"))
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        self.eat('-');
        let whole = if self.eat('0') { true } else { self.digits() };
        let fraction = !self.eat('.') || self.digits();
        let exponent = !(self.eat('e') || self.eat('E')) || {
            let _sign = self.eat('+') || self.eat('-');
            self.digits()
        };
        if whole && fraction && exponent {
            return Ok(());
        }
        Err(self.wrong("no digit"))
    }

    fn string(&mut self) -> Result<Str<'a>, SyntaxError> {
        if !self.eat('"') {
            return Err(self.wrong("no name"));
        }
        let before = self.rest;
        loop {
            self.skip(|c| c >= b' ' && c != b'"' && c != b'\\');
            let inner = self.since(before);
            if self.eat('"') {
                return Ok(Str::new(inner));
            }
            if !self.eat('\\') {
                return Err(self.wrong("a string has no end, or a control character in it"));
            }
            if !self.escape() {
                return Err(self.wrong("no escape of JSON"));
            }
        }
    }

    /// What stands after a backslash.
    fn escape(&mut self) -> bool {
        if self.eat('u') {
            let hex = self.rest.get(..4).unwrap_or_default();
            let Some(rest) = self.rest.get(4..) else {
                return false;
            };
            self.rest = rest;
            return hex.len() == 4 && hex.bytes().all(|c| c.is_ascii_hexdigit());
        }
        ['"', '\\', '/', 'b', 'f', 'n', 'r', 't']
            .into_iter()
            .any(|c| self.eat(c))
    }
}
