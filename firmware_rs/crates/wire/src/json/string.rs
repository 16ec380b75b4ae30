//! Texts in a JSON text: compared and decoded with their escapes.

use core::mem;

/// A text as it is written between its quotes; its syntax was checked.
#[derive(Clone, Copy, Debug)]
pub struct Str<'a>(&'a str);

/// Half of a pair of surrogates without the other: JSON can write it, a text cannot hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoneSurrogate(pub u16);

/// Room for texts with escapes, given out piece by piece.
#[derive(Debug)]
pub struct Arena<'a>(&'a mut [u8]);

impl<'a> Arena<'a> {
    /// Gives out `room`.
    pub fn new(room: &'a mut [u8]) -> Self {
        Self(room)
    }
}

impl<'a> Str<'a> {
    pub(super) const fn new(inner: &'a str) -> Self {
        Self(inner)
    }

    /// As it is written, without the quotes.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// Its characters, escapes decoded.
    #[must_use]
    pub fn chars(self) -> Chars<'a> {
        Chars(self.0)
    }

    /// Whether it reads `text`.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        self.chars().eq(text.chars().map(Ok))
    }

    /// Whether it reads as `other` does.
    #[must_use]
    pub fn same(self, other: Str<'_>) -> bool {
        self.chars().eq(other.chars())
    }

    /// The text, when it has at most `limit` bytes, is whole UTF-8 and, with escapes, fits the arena.
    #[must_use]
    pub fn decode(self, limit: usize, arena: &mut Arena<'a>) -> Option<&'a str> {
        if !self.0.contains('\\') {
            return (self.0.len() <= limit).then_some(self.0);
        }
        let mut size = 0_usize;
        for c in self.chars() {
            size = size.checked_add(c.ok()?.len_utf8())?;
        }
        if size > limit || size > arena.0.len() {
            return None;
        }
        let (room, rest) = mem::take(&mut arena.0).split_at_mut_checked(size)?;
        arena.0 = rest;
        let mut free = room.iter_mut();
        for c in self.chars() {
            for (from, to) in c.ok()?.encode_utf8(&mut [0; 4]).bytes().zip(&mut free) {
                *to = from;
            }
        }
        core::str::from_utf8(room).ok()
    }
}

/// Goes through the characters of a [`Str`].
#[derive(Clone, Debug)]
pub struct Chars<'a>(&'a str);

impl Chars<'_> {
    /// The unit after `\u`, which is eaten.
    fn unit(&mut self) -> Option<u16> {
        let digits = self.0.get(..4)?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        self.0 = self.0.get(4..)?;
        Some(unit)
    }

    fn unicode(&mut self) -> Option<Result<char, LoneSurrogate>> {
        let first = self.unit()?;
        if (0xd800..0xdc00).contains(&first) {
            let mut ahead = Chars(self.0.strip_prefix("\\u").unwrap_or_default());
            if let Some(second) = ahead.unit()
                && let Some(Ok(c)) = char::decode_utf16([first, second]).next()
            {
                *self = ahead;
                return Some(Ok(c));
            }
        }
        Some(char::from_u32(u32::from(first)).ok_or(LoneSurrogate(first)))
    }
}

impl Iterator for Chars<'_> {
    type Item = Result<char, LoneSurrogate>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut chars = self.0.chars();
        let c = chars.next()?;
        self.0 = chars.as_str();
        if c != '\\' {
            return Some(Ok(c));
        }
        let c = chars.next()?;
        self.0 = chars.as_str();
        Some(Ok(match c {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            other => other, // a quote, a backslash or a slash
        }))
    }
}
