//! The one error of the crate: a code of docs/protocol.md and a text that names value, limit and whose it is.

use core::fmt;

/// A text for people, cut where it is full.
pub type Text = heapless::String<TEXT>;

/// Bytes of a [`Text`]: the longest of this crate, with a shown value of [`SHOWN`] bytes, has about 150.
const TEXT: usize = 160;
/// How much of a peer's value a text shows.
const SHOWN: usize = 48;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a packet, message or order is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of docs/protocol.md.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it stands in an `error` message.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// Not one JSON object, or one with too many brackets or too deep.
    BadJson = "bad_json",
    /// A message type that this side does not take.
    UnknownType = "unknown_type",
    /// A field that is missing, of the wrong type or beyond its bound.
    BadField = "bad_field",
    /// A text or packet beyond its limit.
    TooLong = "too_long",
    /// The other side speaks another protocol version.
    UnsupportedVersion = "unsupported_version",
    /// A known message at the wrong moment.
    UnexpectedMessage = "unexpected_message",
    /// The hub does not know this device with this token.
    Unauthorized = "unauthorized",
    /// The same device connected again.
    Replaced = "replaced",
    /// A mode this device does not have.
    UnsupportedMode = "unsupported_mode",
    /// A mode above the device's ceiling.
    AboveCeiling = "above_ceiling",
    /// Only the button ends this mute.
    MutedAtButton = "muted_at_button",
    /// The device has no speaker.
    UnsupportedPlay = "unsupported_play",
    /// The device has no updater.
    UnsupportedUpdate = "unsupported_update",
    /// A packet that is not one of the protocol.
    BadMedia = "bad_media",
    /// A media kind that does not exist, or that this device does not have.
    UnknownKind = "unknown_kind",
    /// Media that the mode in force does not allow.
    ForbiddenMedia = "forbidden_media",
    /// A sequence number that falls back.
    BadSequence = "bad_sequence",
    /// A time that cannot be.
    BadTime = "bad_time",
    /// Audio that runs ahead of real time.
    TooFast = "too_fast",
    /// No hello in time.
    Timeout = "timeout",
    /// Too many links, or too many messages.
    Overloaded = "overloaded",
    /// The fault is the sender's own.
    Internal = "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A peer's packet or message breaks the protocol, or what this side wants to send would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    /// What to answer.
    pub code: Code,
    /// For people: the value, the limit and whose it is.
    pub message: Text,
}

impl WireError {
    /// An error with a text, which is cut at the bound of [`Text`].
    #[must_use]
    pub fn new(code: Code, message: fmt::Arguments<'_>) -> Self {
        Self {
            code,
            message: text(message),
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl core::error::Error for WireError {}

/// Writes what fits and forgets the rest, so that formatting never fails.
struct Cut<'a, const N: usize>(&'a mut heapless::String<N>);

impl<const N: usize> fmt::Write for Cut<'_, N> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for c in s.chars() {
            if self.0.push(c).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Format into a bounded string, cut at a character where it is full.
pub(crate) fn text<const N: usize>(what: fmt::Arguments<'_>) -> heapless::String<N> {
    let mut out = heapless::String::new();
    let done = fmt::Write::write_fmt(&mut Cut(&mut out), what);
    debug_assert!(done.is_ok(), "Cut never refuses");
    out
}

/// A peer's bytes as a text shows them: the beginning, with what is not printable escaped.
pub(crate) struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = SHOWN;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                let Some(left) = room.checked_sub(c.len_utf8()) else {
                    return f.write_str("...");
                };
                room = left;
                fmt::Write::write_char(f, if c.is_control() { '\u{fffd}' } else { c })?;
            }
            if !chunk.invalid().is_empty() {
                f.write_str("\u{fffd}")?;
                room = room.saturating_sub(1);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_protocol() {
        let page = include_str!("../../../../docs/protocol.md");
        for code in Code::ALL {
            assert!(
                page.contains(&format!("`{code}`")),
                "{code} is not in docs/protocol.md"
            );
        }
    }

    #[test]
    fn texts_are_cut_at_a_character() {
        let long = "ä".repeat(200);
        let error = WireError::new(Code::BadField, format_args!("x{long}"));
        assert_eq!(error.message.len(), TEXT - 1);
        assert!(error.message.ends_with('ä'));
    }

    #[test]
    fn shown_values_are_short_and_printable() {
        assert_eq!(
            Shown(b"\"a\x07b\xff\"").to_string(),
            "\"a\u{fffd}b\u{fffd}\""
        );
        assert_eq!(
            Shown(&[b'x'; 100]).to_string(),
            format!("{}...", "x".repeat(SHOWN))
        );
    }
}
