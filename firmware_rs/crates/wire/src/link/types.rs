//! What goes into a link and comes out of it.

use heapless::{String, Vec};

use crate::control::{Firmware, MAX_ID, MAX_ITEMS, MAX_SLOT, MAX_TOKEN, MAX_WORD};
use crate::error::Text;
use crate::media::Kind;
use crate::privacy::{Mode, Muted};

/// How the link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no connection.
    Closed,
    /// Hello sent, welcome not yet received.
    Greeting,
    /// Welcome received.
    Live,
}

/// Who the device is, for `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub device: String<MAX_ID>,
    /// What it was paired with.
    pub token: String<MAX_TOKEN>,
    /// Random, new at each boot.
    pub boot_id: u64,
    /// What it runs.
    pub firmware: Firmware<'static>,
    /// Where that lies.
    pub slot: String<MAX_SLOT>,
    /// The kinds it can send, the preferred kind of audio first.
    pub kinds: Vec<Kind, MAX_ITEMS>,
    /// `minerva_dsp::mel64::self_test()`, if it computes features.
    pub self_test: Option<u64>,
}

/// What a frame of the hub brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The hub took the device; [`Link::kind`](super::Link::kind), [`Link::frames`](super::Link::frames) and [`Link::resume`](super::Link::resume) say how to go on.
    Welcome {
        /// Milliseconds since 1970 on the hub's clock, now.
        utc_ms: u64,
    },
    /// [`Link::kind`](super::Link::kind) or [`Link::frames`](super::Link::frames) may have changed; the device answers with health.
    Config,
    /// The mode changed.
    Mode(Mode),
    /// Mute changed.
    Muted(Muted),
    /// The hub accepted packets up to this one.
    Ack {
        /// 0 is the microphone.
        stream: u8,
        /// The newest accepted packet.
        seq: u32,
    },
    /// The hub saw this health message.
    HealthAck(u32),
    /// The hub says that the update server has something; only where there is an updater.
    CheckUpdates,
    /// The hub refused something; for the log.
    Error {
        /// Its code.
        code: String<MAX_WORD>,
        /// Its text, cut.
        message: Text,
    },
    /// The link is over.
    Closed {
        /// The code, which is the reason to close with when `own`.
        code: String<MAX_WORD>,
        /// Why.
        message: Text,
        /// This side raised it, and closes the WebSocket with 1008.
        own: bool,
    },
}

/// What one frame of the hub brought about, in order.
pub type LinkEvents = Vec<LinkEvent, 4>;

/// What the caller knows of its health; the link adds counter, slot, mode, mute and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthFields<'a> {
    /// Milliseconds since boot; `uptime_s` follows from it.
    pub time_ms: u64,
    /// Signal in dBm.
    pub rssi: Option<i8>,
    /// Bytes.
    pub heap_free: u64,
    /// What was dropped since boot, by name; at most eight, those beyond are not sent.
    pub drops: &'a [(&'a str, u64)],
    /// Hundredths of a dBFS.
    pub noise_cdb: Option<i32>,
}

impl core::fmt::Display for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Greeting => "greeting",
            Self::Live => "live",
        })
    }
}
