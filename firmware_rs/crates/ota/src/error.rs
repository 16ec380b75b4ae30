//! Why a release, an answer or a file is refused.

use core::fmt;

/// Bytes of a refusal's text.
pub const TEXT: usize = 120;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The code of a refusal, as docs/ota.md has it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As the update server and the hub are told.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// `manifest.json` is not written as it must be.
    BadManifest = "bad_manifest",
    /// More bytes than are read.
    TooLong = "too_long",
    /// A `format` of another number.
    UnknownFormat = "unknown_format",
    /// For the other firmware.
    WrongVariant = "wrong_variant",
    /// For other boards.
    WrongBoard = "wrong_board",
    /// For another chip or interpreter.
    WrongAbi = "wrong_abi",
    /// Its time is over.
    Expired = "expired",
    /// Older than what was found good here.
    LowerSecurityVersion = "lower_security_version",
    /// Signed by nobody whom this device trusts.
    UnknownKey = "unknown_key",
    /// Signed by fewer than must.
    TooFewSignatures = "too_few_signatures",
    /// A signature by a key that counts is wrong.
    BadSignature = "bad_signature",
    /// A key set is not written as it must be.
    BadKeyset = "bad_keyset",
    /// A key set between this device's and the release's is missing.
    KeysetGap = "keyset_gap",
    /// A path that a release may not have.
    BadPath = "bad_path",
    /// A size that cannot be, or another than was said.
    BadSize = "bad_size",
    /// Other bytes than the manifest says.
    BadHash = "bad_hash",
    /// The flash has no room for it, or does not take it.
    NoSpace = "no_space",
    /// The server's answer is none of those that are due.
    BadAnswer = "bad_answer",
    /// Another range than was asked for.
    BadRange = "bad_range",
    /// The server trickles.
    TooSlow = "too_slow",
    /// The network failed.
    NoNetwork = "no_network",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A code, and for people the value, the limit and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the update server and the hub are told.
    pub code: Code,
    /// At most [`TEXT`] bytes.
    pub text: heapless::String<TEXT>,
}

impl Refusal {
    /// With a text, which is cut where it is too long.
    #[must_use]
    pub fn new(code: Code, text: fmt::Arguments<'_>) -> Self {
        let mut cut = Cut(heapless::String::new());
        let done = fmt::Write::write_fmt(&mut cut, text);
        debug_assert!(done.is_ok(), "Cut never refuses");
        Self { code, text: cut.0 }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl core::error::Error for Refusal {}

/// Writes what fits and forgets the rest, so that formatting never fails.
struct Cut<const N: usize>(heapless::String<N>);

impl<const N: usize> fmt::Write for Cut<N> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for c in s.chars() {
            if self.0.push(c).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Why a request or step did not do: for now, or for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong.
    pub refusal: Refusal,
    /// It may go well later.
    pub passing: bool,
}

impl Trouble {
    /// The network failed.
    #[must_use]
    pub fn network(text: &str) -> Self {
        Self::passing(Code::NoNetwork, format_args!("{text}"))
    }

    /// Something that may go well later.
    #[must_use]
    pub fn passing(code: Code, text: fmt::Arguments<'_>) -> Self {
        Self {
            refusal: Refusal::new(code, text),
            passing: true,
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            passing: false,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl core::error::Error for Trouble {}
