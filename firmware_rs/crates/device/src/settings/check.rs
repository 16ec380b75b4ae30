//! One key after the other: what it must be, and what is said when it is not.

use core::fmt;

use heapless::String;
use minerva_wire::control::is_id;
use minerva_wire::json::{Object, Str, Value};
use minerva_wire::privacy::Mode;

use super::url::Schemes;
use super::{MAX_GAIN_DB, MAX_RING, MIN_GAIN_DB, MIN_RING, SettingsError, Url, VERSION};

const DEVICE: &str = "1 to 32 of a-z, 0-9 and '-'";
const BOARD: &str = "the name of a module in boards/, as devkitc1_inmp441";
/// A secret in an error would end up in a log.
const SECRET: [&str; 2] = ["token", "password"];
/// Characters of a value that an error shows.
const SHOWN: usize = 80;

/// The members of one object of the file.
pub(super) struct Keys<'a> {
    object: Object<'a>,
    prefix: &'static str,
}

/// A value as an error shows it: texts in quotes, all else as it is written.
struct Shown<'a>(&'a str, Value<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(key, value) = self;
        if SECRET.contains(key) {
            return f.write_str("(not shown)");
        }
        let write = |f: &mut fmt::Formatter<'_>, c: char| fmt::Write::write_char(f, c);
        match value.as_str() {
            None => value
                .raw()
                .chars()
                .take(SHOWN)
                .try_for_each(|c| write(f, c)),
            Some(text) => {
                f.write_str("'")?;
                for c in text.chars().take(SHOWN) {
                    write(f, c.unwrap_or('?'))?;
                }
                f.write_str("'")
            }
        }
    }
}

type Checked<T> = Result<T, SettingsError>;

#[expect(clippy::result_large_err, reason = "as settings::parse")]
impl<'a> Keys<'a> {
    pub(super) const fn new(object: Object<'a>, prefix: &'static str) -> Self {
        Self { object, prefix }
    }

    /// Refuse every key but `allowed`.
    pub(super) fn only(&self, allowed: &[&str]) -> Checked<()> {
        let mut names = self.object.members().map(|(name, _)| name);
        let Some(unknown) = names.find(|name| !allowed.iter().any(|key| name.is(key))) else {
            return Ok(());
        };
        let prefix = self.prefix;
        let unknown = fmt::from_fn(|f| {
            unknown
                .chars()
                .take(SHOWN)
                .try_for_each(|c| fmt::Write::write_char(f, c.unwrap_or('?')))
        });
        let allowed = fmt::from_fn(|f: &mut fmt::Formatter<'_>| {
            allowed
                .iter()
                .enumerate()
                .try_for_each(|(i, key)| write!(f, "{}{key}", if i > 0 { ", " } else { "" }))
        });
        Err(SettingsError::new(format_args!(
            "unknown key {prefix}{unknown}; allowed are {allowed}"
        )))
    }

    fn wrong(&self, key: &str, value: Value<'_>, want: impl fmt::Display) -> SettingsError {
        let (prefix, shown) = (self.prefix, Shown(key, value));
        SettingsError::new(format_args!("{prefix}{key} is {shown}; it must be {want}"))
    }

    /// The value of a key that may be absent or null.
    fn maybe(&self, key: &str) -> Option<Value<'a>> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn required(&self, key: &str) -> Checked<Value<'a>> {
        let prefix = self.prefix;
        self.object
            .get(key)
            .ok_or_else(|| SettingsError::new(format_args!("{prefix}{key} is missing")))
    }

    pub(super) fn version(&self) -> Checked<()> {
        let value = self.required("version")?;
        if value.as_f64() == Some(f64::from(VERSION)) {
            return Ok(());
        }
        Err(self.wrong(
            "version",
            value,
            format_args!("{VERSION}, the version this firmware reads"),
        ))
    }

    pub(super) fn device(&self) -> Checked<String<32>> {
        let value = self.required("device")?;
        let id = value
            .as_str()
            .and_then(text)
            .filter(|id: &String<32>| is_id(id));
        id.ok_or_else(|| self.wrong("device", value, DEVICE))
    }

    pub(super) fn board(&self) -> Checked<String<32>> {
        let value = self.required("board")?;
        let letter =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        let name = value.as_str().and_then(text);
        name.filter(|name: &String<32>| !name.is_empty() && name.chars().all(letter))
            .ok_or_else(|| self.wrong("board", value, BOARD))
    }

    pub(super) fn url(&self, schemes: &Schemes) -> Checked<Url> {
        let value = self.required("url")?;
        let url: Option<String<1024>> = value.as_str().and_then(text);
        let url = url
            .ok_or(schemes.length)
            .and_then(|url| Url::parse(&url, schemes));
        url.map_err(|want| self.wrong("url", value, want))
    }

    /// Text of at least `least` bytes and at most `N`.
    pub(super) fn text<const N: usize>(
        &self,
        key: &str,
        least: usize,
        default: Option<&str>,
    ) -> Checked<String<N>> {
        let value = match (self.maybe(key), default) {
            (Some(value), _) => value,
            (None, Some(default)) => return Ok(default.chars().collect()),
            (None, None) => self.required(key)?,
        };
        let found = value
            .as_str()
            .and_then(text)
            .filter(|found: &String<N>| found.len() >= least);
        found.ok_or_else(|| self.wrong(key, value, format_args!("text of {least} to {N} bytes")))
    }

    /// An object that may be absent; `want` says what is due.
    pub(super) fn object(&self, key: &str, want: &str) -> Checked<Option<Object<'a>>> {
        let Some(value) = self.maybe(key) else {
            return Ok(None);
        };
        value
            .as_object()
            .map(Some)
            .ok_or_else(|| self.wrong(key, value, want))
    }

    pub(super) fn ceiling(&self) -> Checked<Mode> {
        let Some(value) = self.maybe("ceiling") else {
            return Ok(Mode::Speech);
        };
        let mode = Mode::ALL
            .into_iter()
            .find(|mode| value.as_str().is_some_and(|text| text.is(mode.as_str())));
        mode.ok_or_else(|| {
            self.wrong(
                "ceiling",
                value,
                "one of mute, events, features, speech, full",
            )
        })
    }

    pub(super) fn gain_db(&self) -> Checked<Option<f32>> {
        let Some(value) = self.maybe("gain_db") else {
            return Ok(None);
        };
        let range = f64::from(MIN_GAIN_DB)..=f64::from(MAX_GAIN_DB);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a gain needs no more digits"
        )]
        let gain = value
            .as_f64()
            .filter(|gain| range.contains(gain))
            .map(|gain| gain as f32);
        let want = format_args!("a number from {MIN_GAIN_DB} to {MAX_GAIN_DB}");
        gain.map(Some)
            .ok_or_else(|| self.wrong("gain_db", value, want))
    }

    pub(super) fn ring_bytes(&self) -> Checked<Option<u32>> {
        let Some(value) = self.maybe("ring_bytes") else {
            return Ok(None);
        };
        if value.as_f64() == Some(0.0) {
            return Ok(Some(0));
        }
        let bytes = value.as_int().and_then(|bytes| u32::try_from(bytes).ok());
        let bytes = bytes.filter(|bytes| (MIN_RING..=MAX_RING).contains(bytes));
        let want = format_args!(
            "a whole number from {MIN_RING} to {MAX_RING}, or 0 to take what suits the memory"
        );
        bytes
            .map(Some)
            .ok_or_else(|| self.wrong("ring_bytes", value, want))
    }
}

/// The text with its escapes decoded, when it has at most `N` bytes and is whole UTF-8.
fn text<const N: usize>(written: Str<'_>) -> Option<String<N>> {
    let mut out = String::new();
    for c in written.chars() {
        out.push(c.ok()?).ok()?;
    }
    Some(out)
}
