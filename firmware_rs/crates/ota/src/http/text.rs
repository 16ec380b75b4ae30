//! Numbers, ranges and lines as HTTP writes them.

use super::Range;

/// 1 to 10 digits and nothing else.
pub(super) fn number(text: &[u8], radix: u32) -> Option<u64> {
    if !(1..=10).contains(&text.len()) {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, c| {
        let digit = char::from(*c).to_digit(radix)?;
        Some(
            sum.saturating_mul(radix.into())
                .saturating_add(digit.into()),
        )
    })
}

/// `bytes 0-99/1000`.
#[must_use]
pub fn content_range(text: &[u8]) -> Option<Range> {
    let (unit, rest) = text.split_at_checked(6)?;
    let split = |text: &'_ [u8], sign: u8| text.iter().position(|c| *c == sign);
    let rest = trim(rest, SPACE);
    let slash = split(rest, b'/')?;
    let (places, total) = (rest.get(..slash)?, rest.get(slash.saturating_add(1)..)?);
    let dash = split(places, b'-')?;
    let (first, last) = (places.get(..dash)?, places.get(dash.saturating_add(1)..)?);
    unit.eq_ignore_ascii_case(b"bytes ").then_some(())?;
    Some(Range {
        first: number(first, 10)?,
        last: number(last, 10)?,
        total: number(total, 10)?,
    })
}

/// HTTP knows no other white space within a line.
pub(super) const SPACE: &[u8] = b" \t";

/// Without the bytes around it that are of `what`.
pub(super) fn trim<'a>(mut text: &'a [u8], what: &[u8]) -> &'a [u8] {
    while let [c, rest @ ..] = text
        && what.contains(c)
    {
        text = rest;
    }
    while let [rest @ .., c] = text
        && what.contains(c)
    {
        text = rest;
    }
    text
}

/// Name, its value without white space around; `None` for what is no header line.
pub(super) fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|c| *c == b':')?;
    let (name, value) = (line.get(..colon)?, line.get(colon.saturating_add(1)..)?);
    let fine = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    fine.then_some((name, trim(value, SPACE)))
}

/// The lines of a header; `None` when a carriage return or line feed stands alone, where others may see the end of a line.
pub(super) fn lines(head: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let mut before = 0;
    for c in head.iter().chain(b"x") {
        let alone = (before == b'\r') != (*c == b'\n');
        if alone {
            return None;
        }
        before = *c;
    }
    Some(
        head.split(|c| *c == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line)),
    )
}
