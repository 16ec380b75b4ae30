//! Control messages: one JSON object in a text frame, in either direction.
//!
//! A device uses [`encode_from_device`] and [`decode_from_hub`]; the other two serve tests and tools. Texts borrow from
//! the frame, or from the caller's [`Scratch`] where they hold escapes. Levels are in hundredths of a decibel and scores
//! in thousandths, so that no message needs floating point.

mod fields;
mod from_device;
mod from_hub;
mod message;

use heapless::Vec;

use crate::error::{Code, WireError};
use crate::media::Kind;
use crate::privacy::{Mode, Muted};

pub use from_device::{decode_from_device, encode_from_device};
pub use from_hub::{decode_from_hub, encode_from_hub};

/// Bytes of a message; the longest valid one has about 1,500.
pub const MAX_TEXT: usize = 4096;
/// Where texts with escapes are decoded: an `error` with code and message at their limits has 544 bytes.
pub type Scratch = [u8; 640];
/// A [`Scratch`] to begin with.
pub const SCRATCH: Scratch = [0; 640];

/// Bytes of a device's id.
pub const MAX_ID: usize = 32;
/// Bytes of a token.
pub const MAX_TOKEN: usize = 128;
/// Bytes of a name or version.
pub const MAX_NAME: usize = 64;
/// Bytes of a slot's name.
pub const MAX_SLOT: usize = 16;
/// Bytes of an event's label, an error's code, an update's state, the name of a drop.
pub const MAX_WORD: usize = 32;
/// Bytes of an error's text.
pub const MAX_MESSAGE: usize = 512;
/// Items of `kinds`, `modes` and `drops`.
pub const MAX_ITEMS: usize = 8;
/// Versions in `supported`.
pub const MAX_SUPPORTED: usize = 16;
/// The largest time or count: JSON numbers are exact to here.
pub const MAX_TIME: u64 = 1 << 53;

/// What the device runs; each of at most [`MAX_NAME`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firmware<'a> {
    /// `minerva`.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Which of the firmwares: `rust`.
    pub variant: &'a str,
    /// The board it was built for.
    pub board: &'a str,
}

/// A device introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Its id: 1 to 32 of a-z, 0-9 and '-'.
    pub device: &'a str,
    /// What it was paired with.
    pub token: &'a str,
    /// Random, new at each boot; sixteen hex digits in the message.
    pub boot_id: u64,
    /// Milliseconds since boot.
    pub time_ms: u64,
    /// What it runs.
    pub firmware: Firmware<'a>,
    /// Where that lies.
    pub slot: &'a str,
    /// The kinds it can send, the preferred first; at least one.
    pub kinds: Vec<Kind, MAX_ITEMS>,
    /// The modes it has; at least one.
    pub modes: Vec<Mode, MAX_ITEMS>,
    /// The mode it is in, mute aside.
    pub mode: Mode,
    /// The most open mode its owner allowed.
    pub ceiling: Mode,
    /// Whether it is muted.
    pub mute: Muted,
    /// The hash of the features it computes of the known signal, if it computes features.
    pub self_test: Option<u64>,
}

/// How the device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health<'a> {
    /// Counts health messages; wraps.
    pub n: u32,
    /// Milliseconds since boot.
    pub time_ms: u64,
    /// Seconds since boot.
    pub uptime_s: u64,
    /// Signal in dBm, -128 to 0.
    pub rssi: Option<i8>,
    /// Bytes.
    pub heap_free: u64,
    /// What was dropped since boot, by name.
    pub drops: Vec<(&'a str, u64), MAX_ITEMS>,
    /// The firmware's version.
    pub version: &'a str,
    /// Where the firmware lies.
    pub slot: &'a str,
    /// The mode as chosen.
    pub mode: Mode,
    /// Whether it is muted.
    pub mute: Muted,
    /// The kind of audio it sends.
    pub kind: Kind,
    /// The gate's noise floor, hundredths of a dBFS.
    pub noise_cdb: Option<i32>,
}

/// How loud it is; hundredths of a dBFS, -20000 to 5000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Milliseconds since boot.
    pub time_ms: u64,
    /// Since the last level.
    pub rms_cdb: i32,
    /// The loudest since the last level.
    pub peak_cdb: i32,
}

/// A sound the device recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// What it was.
    pub label: &'a str,
    /// How sure, 0 to 1000 thousandths.
    pub score_milli: u16,
    /// Device time at which it began.
    pub start_ms: u64,
    /// Device time at which it ended.
    pub end_ms: u64,
    /// How loud, hundredths of a dBFS.
    pub level_cdb: Option<i32>,
}

/// What mute is in force on the device now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MuteState {
    /// Whether and by whom.
    pub state: Muted,
}

/// How an update goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateState<'a> {
    /// A word.
    pub state: &'a str,
    /// The version it leads to.
    pub version: Option<&'a str>,
    /// 0 to 100.
    pub progress: Option<u8>,
    /// Why it failed, a code of docs/ota.md.
    pub code: Option<&'a str>,
}

/// The last packet of a stream that the hub has settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// 0 is the microphone.
    pub stream: u8,
    /// Its sequence number.
    pub seq: u32,
}

/// The hub takes the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The hub's name.
    pub hub: &'a str,
    /// Milliseconds since 1970, now.
    pub utc_ms: u64,
    /// The mode to take.
    pub mode: Mode,
    /// Whether the owner muted this device on the hub.
    pub mute: bool,
    /// The kind of audio to send.
    pub kind: Kind,
    /// Frames of a packet, 1 to 10.
    pub frames: u8,
    /// Where to go on; nothing is known of this boot without it.
    pub resume: Option<Resume>,
}

/// Other orders while the link lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The mode to take.
    pub mode: Option<Mode>,
    /// The kind of audio to send.
    pub kind: Option<Kind>,
    /// Frames of a packet, 1 to 10.
    pub frames: Option<u8>,
}

/// What the hub has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// 0, the microphone, where it is absent.
    pub stream: Option<u8>,
    /// The newest packet it accepted.
    pub seq: Option<u32>,
    /// The newest health counter.
    pub health: Option<u32>,
}

/// The hub mutes the device, or ends that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MuteOrder {
    /// Whether to be muted.
    pub on: bool,
}

/// What a [`Play`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayAction {
    /// Sound follows.
    Start,
    /// It ended.
    Stop,
}

/// Sound for the device's speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Play {
    /// Begin or end.
    pub action: PlayAction,
    /// The stream it comes on.
    pub stream: u8,
    /// As what.
    pub kind: Kind,
    /// 0 to 100.
    pub volume: Option<u8>,
}

/// What the hub says about updates: ask your update server now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOrder {
    /// `check`
    Check,
}

/// Either side refuses something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorMessage<'a> {
    /// One of the protocol's codes, or one of a later version.
    pub code: &'a str,
    /// The value, the limit and whose it is.
    pub message: &'a str,
    /// Whether the sender closes.
    pub fatal: bool,
    /// The protocol versions it speaks, with `unsupported_version`.
    pub supported: Option<Vec<u8, MAX_SUPPORTED>>,
}

impl<'a> ErrorMessage<'a> {
    /// The message that tells a peer of `error`; `unsupported_version` also says what this side speaks.
    #[must_use]
    pub fn of(error: &'a WireError, fatal: bool) -> Self {
        let supported = (error.code == Code::UnsupportedVersion)
            .then(|| core::iter::once(crate::PROTOCOL).collect());
        Self {
            code: error.code.as_str(),
            message: &error.message,
            fatal,
            supported,
        }
    }
}

/// What a device sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromDevice<'a> {
    /// `hello`
    Hello(Hello<'a>),
    /// `health`
    Health(Health<'a>),
    /// `level`
    Level(Level),
    /// `event`
    Event(Event<'a>),
    /// `mute`
    Mute(MuteState),
    /// `update`
    Update(UpdateState<'a>),
    /// `error`
    Error(ErrorMessage<'a>),
}

/// What a hub sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromHub<'a> {
    /// `welcome`
    Welcome(Welcome<'a>),
    /// `config`
    Config(Config),
    /// `ack`
    Ack(Ack),
    /// `mute`
    Mute(MuteOrder),
    /// `play`
    Play(Play),
    /// `update`
    Update(UpdateOrder),
    /// `error`
    Error(ErrorMessage<'a>),
}

impl FromDevice<'_> {
    /// The message's `type`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Health(_) => "health",
            Self::Level(_) => "level",
            Self::Event(_) => "event",
            Self::Mute(_) => "mute",
            Self::Update(_) => "update",
            Self::Error(_) => "error",
        }
    }
}

impl FromHub<'_> {
    /// The message's `type`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Welcome(_) => "welcome",
            Self::Config(_) => "config",
            Self::Ack(_) => "ack",
            Self::Mute(_) => "mute",
            Self::Play(_) => "play",
            Self::Update(_) => "update",
            Self::Error(_) => "error",
        }
    }
}

/// Whether `text` can name a device: 1 to 32 of a-z, 0-9 and '-'.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len())
        && text
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}
