//! JSON for messages: strict to RFC 8259, bounded, without allocation or recursion.
//!
//! Own code, as docs/decisions/0011-json-without-a-library.md says: the text is checked whole before any field is
//! looked at, so a syntax error anywhere is `bad_json`; of a name that stands twice the last counts.

mod scan;
mod string;
mod write;

use scan::Scan;

pub use scan::SyntaxError;
pub use string::{Arena, Chars, Str};
pub use write::Writer;

/// Brackets in a text: the bound that peers with small heaps need.
pub const MAX_OPENINGS: usize = 600;
/// How deep objects and lists may nest.
pub const MAX_DEPTH: u32 = 32;

/// [`SyntaxError::what`] of a text that is JSON otherwise.
pub const NOT_AN_OBJECT: &str = "JSON, but not an object";

/// A value in a text whose syntax was checked; `0` is how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a>(&'a str);

/// The one object that `data` is.
///
/// # Errors
///
/// Where `data` is not UTF-8, not JSON, not an object, has more than [`MAX_OPENINGS`] brackets (those in strings
/// counted too) or nests deeper than [`MAX_DEPTH`].
pub fn object(data: &[u8]) -> Result<Object<'_>, SyntaxError> {
    let openings = data.iter().filter(|c| matches!(c, b'{' | b'[')).count();
    if openings > MAX_OPENINGS {
        return Err(SyntaxError::new(
            data.len(),
            "more brackets than the 600 allowed",
        ));
    }
    let text =
        core::str::from_utf8(data).map_err(|e| SyntaxError::new(e.valid_up_to(), "not UTF-8"))?;
    let mut scan = Scan::new(text);
    scan.space();
    let value = scan.value()?;
    scan.space();
    scan.end()?;
    value.as_object().ok_or(SyntaxError::new(0, NOT_AN_OBJECT))
}

impl<'a> Value<'a> {
    /// As it is written.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// `true` or `false`.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A whole number without fraction or exponent; what an i64 cannot hold is its nearest bound.
    #[must_use]
    pub fn as_int(self) -> Option<i64> {
        let (digits, negative) = match self.0.strip_prefix('-') {
            Some(digits) => (digits, true),
            None => (self.0, false),
        };
        digits.bytes().try_fold(0_i64, |sum, c| {
            let digit = c
                .is_ascii_digit()
                .then(|| i64::from(c.wrapping_sub(b'0')))?;
            let digit = if negative {
                digit.wrapping_neg()
            } else {
                digit
            };
            Some(sum.saturating_mul(10).saturating_add(digit))
        })
    }

    /// A number.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        // Rust also reads "inf" and "+1"; a checked value that begins so is a number of JSON.
        let number = self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        number.then(|| self.0.parse().ok()).flatten()
    }

    /// A text.
    #[must_use]
    pub fn as_str(self) -> Option<Str<'a>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(Str::new(inner))
    }

    /// An object.
    #[must_use]
    pub fn as_object(self) -> Option<Object<'a>> {
        self.0.strip_prefix('{').map(Object)
    }

    /// The items of a list.
    #[must_use]
    pub fn as_list(self) -> Option<List<'a>> {
        self.0.strip_prefix('[').map(|rest| List(Scan::new(rest)))
    }
}

/// An object in a text whose syntax was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'a>(&'a str);

impl<'a> Object<'a> {
    /// The value of a name; of several the last.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        self.members()
            .filter(|(key, _)| key.is(name))
            .last()
            .map(|(_, value)| value)
    }

    /// Names and values as they stand.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members(Scan::new(self.0))
    }
}

/// Goes through an object.
#[derive(Clone, Debug)]
pub struct Members<'a>(Scan<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Str<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.separator();
        // On a checked text the only thing that is not a key is the closing bracket.
        let key = self.0.key().ok()?;
        let value = self.0.value().ok()?;
        Some((key, value))
    }
}

/// Goes through a list.
#[derive(Clone, Debug)]
pub struct List<'a>(Scan<'a>);

impl<'a> Iterator for List<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.separator();
        self.0.value().ok()
    }
}

#[cfg(test)]
mod tests;
