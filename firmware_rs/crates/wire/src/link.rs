//! The device's side of the link as a state machine: frames in, events and texts out.
//!
//! ```text
//! let size = link.open(time_ms, &mut frame)?;                    // hello
//! for event in link.receive_text(&frame) { ... }                 // what the hub said, already checked
//! while let Some(size) = link.take_outgoing(&mut frame)? { ... } // refusals and answers the link decided on
//! ```
//!
//! After [`LinkEvent::Closed`] the connection is to be closed, when the outgoing texts are sent; a new one begins with
//! [`Link::open`].

use heapless::{Deque, String, Vec};

use crate::control::{
    self, Ack, Config, ErrorMessage, Firmware, FromDevice, FromHub, Health, Hello, MAX_ID,
    MAX_ITEMS, MAX_SLOT, MAX_TOKEN, MAX_WORD, MuteState, PlayAction, Resume, UpdateOrder, Welcome,
};
use crate::error::{Code, Text, WireError, text};
use crate::media::{DEFAULT_FRAMES, Kind, MAX_MEDIA};
use crate::privacy::{Mode, Muted, Privacy};

/// The hub must answer a hello within this time.
pub const WELCOME_TIMEOUT_MS: u32 = 10_000;
/// The hub must say something, a ping counts, within this time: three of its 15 s pings.
pub const SILENCE_TIMEOUT_MS: u32 = 45_000;
/// Texts that wait to be sent; one frame of the hub makes at most three.
const OUTGOING: usize = 8;

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
    /// The hub took the device; [`Link::kind`], [`Link::frames`] and [`Link::resume`] say how to go on.
    Welcome {
        /// Milliseconds since 1970 on the hub's clock, now.
        utc_ms: u64,
    },
    /// [`Link::kind`] or [`Link::frames`] may have changed; the device answers with health.
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

#[derive(Clone, Debug)]
enum Outgoing {
    Refusal { error: WireError, fatal: bool },
    Mute(Muted),
}

/// One device's link, over as many connections as it takes.
#[derive(Clone, Debug)]
pub struct Link {
    identity: Identity,
    privacy: Privacy,
    state: State,
    kind: Kind,
    frames: u8,
    resume: Option<Resume>,
    outgoing: Deque<Outgoing, OUTGOING>,
    dropped: u32,
    health_n: u32,
    health_acked: Option<u32>,
}

impl Link {
    /// A link that was never open. `identity.kinds` names the preferred kind of audio first.
    #[must_use]
    pub fn new(identity: Identity, privacy: Privacy) -> Self {
        let first = identity.kinds.iter().find(|kind| kind.is_audio());
        Self {
            kind: first.copied().unwrap_or(Kind::PcmS16le),
            identity,
            privacy,
            state: State::Closed,
            frames: DEFAULT_FRAMES,
            resume: None,
            outgoing: Deque::new(),
            dropped: 0,
            health_n: 0,
            health_acked: None,
        }
    }

    /// How the link stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Who may hear what; it changes only by the hub's orders and [`Link::button`].
    #[must_use]
    pub fn privacy(&self) -> &Privacy {
        &self.privacy
    }

    /// Who the device is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The kind of audio to send.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Frames of a packet of audio.
    #[must_use]
    pub fn frames(&self) -> u8 {
        self.frames
    }

    /// The last packet the hub has settled, as its welcome said.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        self.resume
    }

    /// The newest health counter that the hub acknowledged, since boot.
    #[must_use]
    pub fn health_acked(&self) -> Option<u32> {
        self.health_acked
    }

    /// Outgoing texts that gave way to newer ones, since boot.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// A new connection stands: write the hello to send to `out`; its size. `time_ms` is the device time now.
    ///
    /// # Errors
    ///
    /// Where our own side would break the protocol: an identity beyond its bounds, no room in `out`.
    pub fn open(&mut self, time_ms: u64, out: &mut [u8]) -> Result<usize, WireError> {
        self.state = State::Greeting;
        self.resume = None;
        self.outgoing.clear();
        let hello = Hello {
            device: &self.identity.device,
            token: &self.identity.token,
            boot_id: self.identity.boot_id,
            time_ms,
            firmware: self.identity.firmware,
            slot: &self.identity.slot,
            kinds: self.identity.kinds.clone(),
            modes: self.privacy.modes().iter().collect(),
            mode: self.privacy.mode(),
            ceiling: self.privacy.ceiling(),
            mute: self.privacy.muted(),
            self_test: self.identity.self_test,
        };
        control::encode_from_device(&FromDevice::Hello(hello), out)
    }

    /// The connection is gone.
    pub fn lost(&mut self) {
        self.state = State::Closed;
        self.outgoing.clear();
    }

    /// Write the next text to send to `out`; its size, or `None` when there is nothing to say.
    ///
    /// # Errors
    ///
    /// `too_long` when `out` has no room; the text is gone.
    pub fn take_outgoing(&mut self, out: &mut [u8]) -> Result<Option<usize>, WireError> {
        let Some(next) = self.outgoing.pop_front() else {
            return Ok(None);
        };
        let message = match &next {
            Outgoing::Refusal { error, fatal } => {
                FromDevice::Error(ErrorMessage::of(error, *fatal))
            }
            Outgoing::Mute(state) => FromDevice::Mute(MuteState { state: *state }),
        };
        control::encode_from_device(&message, out).map(Some)
    }

    /// A text frame from the hub.
    pub fn receive_text(&mut self, data: &[u8]) -> LinkEvents {
        let mut events = LinkEvents::new();
        if self.state == State::Closed {
            return events;
        }
        let mut scratch = control::SCRATCH;
        match control::decode_from_hub(data, &mut scratch) {
            Err(error) => self.fail(error, &mut events),
            Ok(message) => match next_state(self.state, &message) {
                None => {
                    let error = WireError::new(
                        Code::UnexpectedMessage,
                        format_args!("{} while {}", message.type_name(), self.state),
                    );
                    self.fail(error, &mut events);
                }
                Some(after) => {
                    self.state = after;
                    self.obey(message, &mut events);
                }
            },
        }
        events
    }

    /// A binary frame from the hub: this device plays nothing yet, so it is refused.
    pub fn receive_binary(&mut self, data: &[u8]) -> LinkEvents {
        let mut events = LinkEvents::new();
        if self.state == State::Closed {
            return events;
        }
        let size = data.len();
        let error = if size > MAX_MEDIA {
            WireError::new(
                Code::TooLong,
                format_args!("packet of {size} bytes exceeds the {MAX_MEDIA}-byte limit"),
            )
        } else {
            WireError::new(
                Code::ForbiddenMedia,
                format_args!("media from the hub without a play that this device accepted"),
            )
        };
        self.fail(error, &mut events);
        events
    }

    /// The button was pressed: the new state of mute; the hub is told when it listens.
    pub fn button(&mut self) -> Muted {
        let state = self.privacy.button();
        if self.state == State::Live {
            self.say(Outgoing::Mute(state));
        }
        state
    }

    /// Write a health message to `out`; its size. Counts it.
    ///
    /// # Errors
    ///
    /// Where `fields` are beyond the protocol's bounds, or `out` has no room.
    pub fn health(
        &mut self,
        fields: &HealthFields<'_>,
        out: &mut [u8],
    ) -> Result<usize, WireError> {
        let message = Health {
            n: self.health_n,
            time_ms: fields.time_ms,
            uptime_s: fields.time_ms / 1000,
            rssi: fields.rssi,
            heap_free: fields.heap_free,
            drops: fields.drops.iter().copied().take(MAX_ITEMS).collect(),
            version: self.identity.firmware.version,
            slot: &self.identity.slot,
            mode: self.privacy.mode(),
            mute: self.privacy.muted(),
            kind: self.kind,
            noise_cdb: fields.noise_cdb,
        };
        let size = control::encode_from_device(&FromDevice::Health(message), out)?;
        self.health_n = self.health_n.wrapping_add(1);
        Ok(size)
    }

    fn say(&mut self, what: Outgoing) {
        if self.outgoing.is_full() {
            self.outgoing.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        // There is room now.
        let _ = self.outgoing.push_back(what);
    }

    fn refuse(&mut self, error: WireError) {
        self.say(Outgoing::Refusal {
            error,
            fatal: false,
        });
    }

    fn fail(&mut self, error: WireError, events: &mut LinkEvents) {
        self.state = State::Closed;
        emit(
            events,
            LinkEvent::Closed {
                code: text(format_args!("{}", error.code)),
                message: error.message.clone(),
                own: true,
            },
        );
        self.say(Outgoing::Refusal { error, fatal: true });
    }

    fn obey(&mut self, message: FromHub<'_>, events: &mut LinkEvents) {
        match message {
            FromHub::Welcome(welcome) => self.on_welcome(welcome, events),
            FromHub::Config(config) => self.on_config(config, events),
            FromHub::Ack(ack) => self.on_ack(ack, events),
            FromHub::Mute(order) => self.set_mute(order.on, true, events),
            FromHub::Play(play) => {
                if play.action == PlayAction::Start {
                    self.refuse(WireError::new(
                        Code::UnsupportedPlay,
                        format_args!("this device has no speaker"),
                    ));
                }
            }
            FromHub::Update(UpdateOrder::Check) => self.refuse(WireError::new(
                Code::UnsupportedUpdate,
                format_args!("this firmware has no updater"),
            )),
            FromHub::Error(error) => self.on_error(&error, events),
        }
    }

    fn on_welcome(&mut self, welcome: Welcome<'_>, events: &mut LinkEvents) {
        self.frames = welcome.frames;
        self.set_kind(welcome.kind);
        self.resume = welcome.resume;
        emit(
            events,
            LinkEvent::Welcome {
                utc_ms: welcome.utc_ms,
            },
        );
        self.set_mode(welcome.mode, events);
        self.set_mute(welcome.mute, false, events);
    }

    fn on_config(&mut self, config: Config, events: &mut LinkEvents) {
        self.frames = config.frames.unwrap_or(self.frames);
        if let Some(kind) = config.kind {
            self.set_kind(kind);
        }
        emit(events, LinkEvent::Config);
        if let Some(mode) = config.mode {
            self.set_mode(mode, events);
        }
    }

    fn on_ack(&mut self, ack: Ack, events: &mut LinkEvents) {
        if let Some(seq) = ack.seq {
            let stream = ack.stream.unwrap_or(0);
            emit(events, LinkEvent::Ack { stream, seq });
        }
        if let Some(n) = ack.health {
            self.health_acked = Some(n);
            emit(events, LinkEvent::HealthAck(n));
        }
    }

    fn on_error(&mut self, error: &ErrorMessage<'_>, events: &mut LinkEvents) {
        let code = text(format_args!("{}", error.code));
        let message: Text = text(format_args!("{}", error.message));
        emit(
            events,
            LinkEvent::Error {
                code: code.clone(),
                message: message.clone(),
            },
        );
        if error.fatal {
            self.state = State::Closed;
            let own = false;
            emit(events, LinkEvent::Closed { code, message, own });
        }
    }

    fn set_kind(&mut self, kind: Kind) {
        if kind.is_audio() && self.identity.kinds.contains(&kind) {
            self.kind = kind;
            return;
        }
        let what = if kind.is_audio() {
            "this device has no media kind"
        } else {
            "features are a mode, not a kind of audio:"
        };
        self.refuse(WireError::new(
            Code::UnknownKind,
            format_args!("{what} {kind}; it stays with {}", self.kind),
        ));
    }

    fn set_mode(&mut self, mode: Mode, events: &mut LinkEvents) {
        let outcome = self.privacy.ask(mode);
        if let Some(error) = outcome.refusal {
            self.refuse(error);
        }
        if outcome.changed {
            emit(events, LinkEvent::Mode(self.privacy.mode()));
        }
    }

    fn set_mute(&mut self, on: bool, explicit: bool, events: &mut LinkEvents) {
        let outcome = self.privacy.hub_mute(on);
        if let Some(error) = outcome.refusal.filter(|_| explicit) {
            self.refuse(error);
        }
        if outcome.changed || explicit {
            self.say(Outgoing::Mute(self.privacy.muted()));
        }
        if outcome.changed {
            emit(events, LinkEvent::Muted(self.privacy.muted()));
        }
    }
}

/// (state, message) -> next state; a pair that is missing is an unexpected message.
fn next_state(state: State, message: &FromHub<'_>) -> Option<State> {
    match (state, message) {
        (State::Greeting, FromHub::Welcome(_)) => Some(State::Live),
        (State::Greeting, FromHub::Error(_)) => Some(State::Greeting),
        (
            State::Live,
            FromHub::Config(_)
            | FromHub::Ack(_)
            | FromHub::Mute(_)
            | FromHub::Play(_)
            | FromHub::Update(_)
            | FromHub::Error(_),
        ) => Some(State::Live),
        _ => None,
    }
}

/// No message makes more events than [`LinkEvents`] holds.
fn emit(events: &mut LinkEvents, event: LinkEvent) {
    let pushed = events.push(event);
    debug_assert!(pushed.is_ok(), "a message made more than four events");
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
