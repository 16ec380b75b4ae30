//! JSON of a fixed shape, read from front to back: the texts that are signed have one reading.
//!
//! What stands there must be what is due: keys in their order, so that none can be missing, unknown or there twice;
//! numbers as plain digits; strings without escapes. Nothing is built.

use core::fmt;

use crate::{Code, Refusal};

/// 2^53 has 16.
const MAX_DIGITS: usize = 16;

/// Lower-case hex digits -> bytes; `None` when they are not exactly that.
pub(crate) fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    fn digit(c: u8) -> Option<u8> {
        match c {
            b'0'..=b'9' => Some(c.wrapping_sub(b'0')),
            b'a'..=b'f' => Some(c.wrapping_sub(b'a').wrapping_add(10)),
            _ => None,
        }
    }
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut out = [0; N];
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

/// A text and the place in it; whatever is not as it is due is refused with `code`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    /// Nothing stands before it in its object or list.
    first: bool,
    code: Code,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(data: &'a [u8], code: Code) -> Self {
        Self {
            data,
            at: 0,
            first: true,
            code,
        }
    }

    /// The refusal of what stands here, with the code of the text.
    pub(crate) fn fail(&self, want: fmt::Arguments<'_>) -> Refusal {
        self.refuse(self.code, want)
    }

    /// The refusal of what stands here.
    pub(crate) fn refuse(&self, code: Code, want: fmt::Arguments<'_>) -> Refusal {
        Refusal::new(code, format_args!("before byte {}: {want}", self.at))
    }

    fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// The next byte that is no space.
    fn next(&mut self) -> Option<u8> {
        let rest = self.rest();
        let space = |c: &u8| matches!(c, b' ' | b'\t' | b'\r' | b'\n');
        let skip = rest.iter().position(|c| !space(c)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(skip);
        rest.get(skip).copied()
    }

    fn take(&mut self, sign: u8) -> Result<(), Refusal> {
        if self.next() != Some(sign) {
            return Err(self.fail(format_args!("{} is due", char::from(sign))));
        }
        self.at = self.at.saturating_add(1);
        Ok(())
    }

    /// Go into an object or list: `{` or `[`.
    pub(crate) fn begin(&mut self, bracket: u8) -> Result<(), Refusal> {
        self.take(bracket)?;
        self.first = true;
        Ok(())
    }

    /// Leave it: nothing else may stand in it.
    pub(crate) fn end(&mut self, bracket: u8) -> Result<(), Refusal> {
        self.take(bracket)?;
        self.first = false;
        Ok(())
    }

    /// Whether another item of the list follows; goes to it, or leaves the list.
    pub(crate) fn more(&mut self) -> Result<bool, Refusal> {
        if self.next() == Some(b']') {
            self.end(b']')?;
            return Ok(false);
        }
        self.item()?;
        Ok(true)
    }

    /// Go to the next item of a list.
    pub(crate) fn item(&mut self) -> Result<(), Refusal> {
        if !self.first {
            self.take(b',')?;
        }
        self.first = false;
        Ok(())
    }

    /// Go to the value of the key that is due here.
    pub(crate) fn key(&mut self, name: &str) -> Result<(), Refusal> {
        self.item()?;
        if self.string(32, self.code)? != name.as_bytes() {
            return Err(self.fail(format_args!("the key \"{name}\" is due")));
        }
        self.take(b':')
    }

    /// Read `{"format":1`; every text that is signed begins so.
    pub(crate) fn open(&mut self) -> Result<(), Refusal> {
        self.begin(b'{')?;
        self.key("format")?;
        self.number(1, 1, Code::UnknownFormat)?;
        Ok(())
    }

    /// Close the object; only space may follow.
    pub(crate) fn finish(&mut self) -> Result<(), Refusal> {
        self.end(b'}')?;
        if self.next().is_some() {
            return Err(self.fail(format_args!("the end is due")));
        }
        Ok(())
    }

    /// A whole number; one outside `low..=high` is refused with `code`.
    pub(crate) fn number(&mut self, low: u64, high: u64, code: Code) -> Result<u64, Refusal> {
        self.next();
        let rest = self.rest();
        let size = rest
            .iter()
            .position(|c| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let digits = rest.get(..size).unwrap_or_default();
        if digits.is_empty() || size > MAX_DIGITS || (size > 1 && digits.first() == Some(&b'0')) {
            return Err(self.fail(format_args!(
                "a whole number of at most {MAX_DIGITS} digits is due"
            )));
        }
        let value = digits.iter().fold(0_u64, |sum, c| {
            sum.saturating_mul(10)
                .saturating_add(u64::from(c.wrapping_sub(b'0')))
        });
        if !(low..=high).contains(&value) {
            return Err(self.refuse(code, format_args!("{value} is not from {low} to {high}")));
        }
        self.at = self.at.saturating_add(size);
        Ok(value)
    }

    /// [`number`](Self::number), of 31 bits.
    pub(crate) fn small(&mut self, low: u32, high: u32, code: Code) -> Result<u32, Refusal> {
        let value = self.number(low.into(), high.into(), code)?;
        u32::try_from(value).map_err(|_| self.fail(format_args!("{value} is no small number")))
    }

    /// The bytes between two quotes; an escaped quote does not end them.
    fn string(&mut self, most: usize, code: Code) -> Result<&'a [u8], Refusal> {
        self.take(b'"')?;
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.iter().position(|&c| {
            let ends = c == b'"' && !escaped;
            escaped = c == b'\\' && !escaped;
            ends
        });
        let Some(inner) = end.and_then(|end| rest.get(..end)) else {
            return Err(self.fail(format_args!("a string has no end")));
        };
        if inner.len() > most {
            return Err(self.refuse(
                code,
                format_args!(
                    "{} bytes in a string; at most {most} are taken",
                    inner.len()
                ),
            ));
        }
        self.at = self.at.saturating_add(inner.len()).saturating_add(1);
        Ok(inner)
    }

    /// A string of 1 to `most` characters, only `allowed` ones; refused with `code` otherwise.
    pub(crate) fn text(
        &mut self,
        most: usize,
        allowed: fn(u8) -> bool,
        code: Code,
    ) -> Result<&'a str, Refusal> {
        let raw = self.string(most, code)?;
        match core::str::from_utf8(raw) {
            Ok(text) if !text.is_empty() && text.bytes().all(allowed) => Ok(text),
            _ => Err(self.refuse(
                code,
                format_args!("a text is not 1 to {most} of the characters that are allowed in it"),
            )),
        }
    }

    /// `N` bytes written as lower-case hex digits.
    pub(crate) fn hex<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let raw = self.string(N.saturating_mul(2), self.code)?;
        unhex(raw).ok_or_else(|| {
            self.fail(format_args!(
                "{} lower-case hex digits are due",
                N.saturating_mul(2)
            ))
        })
    }

    /// A string that holds another JSON text, of at most `most` bytes (else `code`), as it is written.
    pub(crate) fn escaped(&mut self, most: usize, code: Code) -> Result<Escaped<'a>, Refusal> {
        let text = Escaped(self.string(most.saturating_mul(2), code)?);
        if text.0.iter().any(|c| matches!(c, b'\r' | b'\n' | b'\t')) {
            return Err(self.fail(format_args!("a control character in a string")));
        }
        let mut size: usize = 0;
        for byte in text.bytes() {
            if byte.is_none() {
                return Err(self.fail(format_args!(
                    "an escape other than those of quotes and line ends"
                )));
            }
            size = size.saturating_add(1);
        }
        if size > most {
            return Err(self.refuse(
                code,
                format_args!("{size} bytes in a string; at most {most} are taken"),
            ));
        }
        Ok(text)
    }
}

/// A JSON text within a JSON text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<'a>(&'a [u8]);

impl<'a> Escaped<'a> {
    /// What is meant, byte by byte; `None` for an escape that may not stand there.
    fn bytes(self) -> impl Iterator<Item = Option<u8>> + 'a {
        let mut rest = self.0.iter();
        core::iter::from_fn(move || {
            let &c = rest.next()?;
            if c != b'\\' {
                return Some(Some(c));
            }
            Some(match rest.next() {
                Some(b'"') => Some(b'"'),
                Some(b'n') => Some(b'\n'),
                Some(b'r') => Some(b'\r'),
                Some(b't') => Some(b'\t'),
                _ => None,
            })
        })
    }

    /// Write what is meant to the front of `room`, which `escaped` has bounded; the part that was written.
    pub(crate) fn unescape(self, room: &mut [u8]) -> &[u8] {
        let mut size: usize = 0;
        for (to, from) in room.iter_mut().zip(self.bytes().flatten()) {
            *to = from;
            size = size.saturating_add(1);
        }
        room.get(..size).unwrap_or_default()
    }
}
