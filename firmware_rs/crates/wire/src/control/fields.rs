//! Fields of messages, read with their bounds.

use core::fmt;

use heapless::Vec;

use super::{MAX_TEXT, MAX_TIME, is_id};
use crate::PROTOCOL;
use crate::error::{Code, Shown, WireError};
use crate::json::{self, Arena, Object, Str, Value};
use crate::media::{Kind, MAX_FRAMES};
use crate::privacy::{Mode, Muted};

/// Levels, hundredths of a decibel.
pub(super) const DB: (i32, i32) = (-20_000, 5_000);
/// Thousandths of a score.
pub(super) const SCORE: (i32, i32) = (0, 1_000);

/// Something that messages call by a word of a list.
pub(super) trait Word: Copy + 'static {
    const ALL: &'static [Self];
    fn word(self) -> &'static str;
}

macro_rules! word {
    ($($what:ty),*) => {$(
        impl Word for $what {
            const ALL: &'static [Self] = &<$what>::ALL;
            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    )*};
}

word!(Kind, Mode, Muted);

/// A word of a list as an error names it.
struct OneOf<T: Word>(core::marker::PhantomData<T>);

impl<T: Word> fmt::Display for OneOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of")?;
        for (i, one) in T::ALL.iter().enumerate() {
            write!(f, "{} {}", if i == 0 { "" } else { "," }, one.word())?;
        }
        Ok(())
    }
}

/// Where a value stands, as errors name it.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    outer: &'static str,
    name: &'a str,
    index: Option<usize>,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.outer, Shown(self.name.as_bytes()))?;
        self.index.map_or(Ok(()), |i| write!(f, "[{i}]"))
    }
}

/// A value and where it stands: each method is a rule of docs/protocol.md.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    path: Path<'a>,
    value: Value<'a>,
}

impl<'a> Item<'a> {
    fn bad(&self, want: fmt::Arguments<'_>) -> WireError {
        let shown = Shown(self.value.raw().as_bytes());
        WireError::new(
            Code::BadField,
            format_args!("{} is {shown}; it must be {want}", self.path),
        )
    }

    /// A whole number.
    pub(super) fn int<T: TryFrom<i64>>(self, low: i64, high: i64) -> Result<T, WireError> {
        self.value
            .as_int()
            .filter(|n| (low..=high).contains(n))
            .and_then(|n| T::try_from(n).ok())
            .ok_or_else(|| self.bad(format_args!("a whole number from {low} to {high}")))
    }

    pub(super) fn time(self) -> Result<u64, WireError> {
        self.int(0, MAX_TIME.cast_signed())
    }

    pub(super) fn u32(self) -> Result<u32, WireError> {
        self.int(0, i64::from(u32::MAX))
    }

    pub(super) fn byte(self) -> Result<u8, WireError> {
        self.int(0, 255)
    }

    pub(super) fn percent(self) -> Result<u8, WireError> {
        self.int(0, 100)
    }

    pub(super) fn frames(self) -> Result<u8, WireError> {
        self.int(1, i64::from(MAX_FRAMES))
    }

    /// A number within `range` of `parts`, which is given in that unit and rounded to it.
    pub(super) fn parts(self, range: (i32, i32), parts: f64) -> Result<i32, WireError> {
        let (low, high) = (f64::from(range.0) / parts, f64::from(range.1) / parts);
        self.value
            .as_f64()
            .filter(|x| (low..=high).contains(x))
            .map(|x| {
                let half = if x < 0.0 { -0.5 } else { 0.5 };
                #[expect(
                    clippy::as_conversions,
                    reason = "within the range, which an i32 holds"
                )]
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "rounded, half away from zero"
                )]
                let rounded = (x * parts + half) as i32;
                rounded
            })
            .ok_or_else(|| self.bad(format_args!("a number from {low} to {high}")))
    }

    pub(super) fn db(self) -> Result<i32, WireError> {
        self.parts(DB, 100.0)
    }

    pub(super) fn bool(self) -> Result<bool, WireError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.bad(format_args!("true or false")))
    }

    pub(super) fn word<T: Word>(self) -> Result<T, WireError> {
        self.value
            .as_str()
            .and_then(|text| T::ALL.iter().find(|one| text.is(one.word())))
            .copied()
            .ok_or_else(|| self.bad(format_args!("{}", OneOf::<T>(core::marker::PhantomData))))
    }

    /// Sixteen lower-case hex digits.
    pub(super) fn hex(self) -> Result<u64, WireError> {
        let parse = |text: Str<'_>| {
            let mut digits = 0;
            let number = text.chars().try_fold(0_u64, |sum, c| {
                let digit = c.ok().filter(|c| !c.is_ascii_uppercase())?.to_digit(16)?;
                digits = u32::saturating_add(digits, 1);
                Some((sum << 4) | u64::from(digit))
            })?;
            (digits == 16).then_some(number)
        };
        self.value
            .as_str()
            .and_then(parse)
            .ok_or_else(|| self.bad(format_args!("16 lower-case hex digits")))
    }

    /// A text of at most `limit` bytes.
    pub(super) fn text(self, limit: usize, arena: &mut Arena<'a>) -> Result<&'a str, WireError> {
        self.value
            .as_str()
            .and_then(|text| text.decode(limit, arena))
            .ok_or_else(|| self.bad(format_args!("text of at most {limit} bytes")))
    }

    pub(super) fn id(self, arena: &mut Arena<'a>) -> Result<&'a str, WireError> {
        self.value
            .as_str()
            .and_then(|text| text.decode(super::MAX_ID, arena))
            .filter(|text| is_id(text))
            .ok_or_else(|| self.bad(format_args!("1 to 32 of a-z, 0-9 and '-'")))
    }

    /// A list of `least` to `N` items, each by a rule.
    pub(super) fn list<T, const N: usize>(
        self,
        least: usize,
        rule: impl Fn(Item<'a>) -> Result<T, WireError>,
    ) -> Result<Vec<T, N>, WireError> {
        let wrong = || self.bad(format_args!("a list of {least} to {N} items"));
        let mut out = Vec::new();
        for (i, value) in self.value.as_list().ok_or_else(wrong)?.enumerate() {
            let index = Some(i);
            let path = Path { index, ..self.path };
            out.push(rule(Item { path, value })?).map_err(|_| wrong())?;
        }
        if out.len() < least {
            return Err(wrong());
        }
        Ok(out)
    }

    /// Counts by name: at most `N`; of a name that stands twice the last counts.
    pub(super) fn counts<const N: usize>(
        self,
        limit: usize,
        arena: &mut Arena<'a>,
    ) -> Result<Vec<(&'a str, u64), N>, WireError> {
        let wrong = || self.bad(format_args!("an object of at most {N} items"));
        let mut last: Vec<(Str<'a>, Value<'a>), N> = Vec::new();
        for (key, value) in self.value.as_object().ok_or_else(wrong)?.members() {
            match last.iter_mut().find(|(one, _)| one.same(key)) {
                Some(one) => one.1 = value,
                None => last.push((key, value)).map_err(|_| wrong())?,
            }
        }
        let mut out = Vec::new();
        for &(key, value) in &last {
            let name = key
                .decode(limit, arena)
                .ok_or_else(|| self.bad(format_args!("keyed by text of at most {limit} bytes")))?;
            let path = Path { name, ..self.path };
            let count = Item { path, value }.time()?;
            out.push((name, count)).map_err(|_| wrong())?;
        }
        Ok(out)
    }

    /// The fields of an object, which errors call `name`.
    pub(super) fn fields(self, name: &'static str) -> Result<Fields<'a>, WireError> {
        let object = self
            .value
            .as_object()
            .ok_or_else(|| self.bad(format_args!("an object")))?;
        Ok(Fields { object, name })
    }
}

/// The fields of one object.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    object: Object<'a>,
    name: &'static str,
}

impl<'a> Fields<'a> {
    /// The message's type.
    pub(super) fn name(self) -> &'static str {
        self.name
    }

    fn find(self, name: &'static str) -> Option<Item<'a>> {
        let value = self.object.get(name).filter(|value| !value.is_null())?;
        let path = Path {
            outer: self.name,
            name,
            index: None,
        };
        Some(Item { path, value })
    }

    /// A field that must be there.
    pub(super) fn get(self, name: &'static str) -> Result<Item<'a>, WireError> {
        self.find(name).ok_or_else(|| {
            WireError::new(
                Code::BadField,
                format_args!("{}.{name} is missing", self.name),
            )
        })
    }

    /// A field that may be absent or null, by a rule.
    pub(super) fn maybe<T>(
        self,
        name: &'static str,
        rule: impl FnOnce(Item<'a>) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        self.find(name).map(rule).transpose()
    }

    /// `protocol` is 1; it is looked at before every other field, as a later version may have others.
    pub(super) fn check_version(self) -> Result<(), WireError> {
        if let Some(version) = self.object.get("protocol").and_then(Value::as_int)
            && version != i64::from(PROTOCOL)
        {
            return Err(WireError::new(
                Code::UnsupportedVersion,
                format_args!("peer speaks protocol {version}; this side speaks {PROTOCOL}"),
            ));
        }
        self.get("protocol")?.byte().map(|_| ())
    }
}

/// A frame as the fields of a message of one of `types`.
pub(super) fn open<'a>(data: &'a [u8], types: &[&'static str]) -> Result<Fields<'a>, WireError> {
    let size = data.len();
    if size > MAX_TEXT {
        return Err(WireError::new(
            Code::TooLong,
            format_args!("message of {size} bytes exceeds the {MAX_TEXT}-byte limit"),
        ));
    }
    let object = json::object(data).map_err(|e| {
        if e.what == json::NOT_AN_OBJECT {
            WireError::new(Code::BadJson, format_args!("message is {}", e.what))
        } else {
            WireError::new(Code::BadJson, format_args!("message is not JSON: {e}"))
        }
    })?;
    let kind = object.get("type");
    let found = kind
        .and_then(Value::as_str)
        .and_then(|text| types.iter().find(|name| text.is(name)));
    match found {
        Some(name) => Ok(Fields { object, name }),
        None => {
            let shown = Shown(kind.map_or("missing", Value::raw).as_bytes());
            Err(unknown_type(shown, types))
        }
    }
}

fn unknown_type(shown: Shown<'_>, types: &[&'static str]) -> WireError {
    struct Names<'a>(&'a [&'static str]);
    impl fmt::Display for Names<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0
                .iter()
                .enumerate()
                .try_for_each(|(i, name)| write!(f, "{}{name}", if i == 0 { "" } else { ", " }))
        }
    }
    let names = Names(types);
    WireError::new(
        Code::UnknownType,
        format_args!("message type {shown} is not one of {names}"),
    )
}
