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

mod orders;
mod types;

use heapless::Deque;

use crate::control::{
    self, ErrorMessage, FromDevice, FromHub, Health, Hello, MAX_ITEMS, MuteState, Resume,
};
use crate::error::{Code, WireError, text};
use crate::media::{DEFAULT_FRAMES, Kind, MAX_MEDIA};
use crate::privacy::{Muted, Privacy};

use orders::emit;

pub use types::{HealthFields, Identity, LinkEvent, LinkEvents, State};

/// The hub must answer a hello within this time.
pub const WELCOME_TIMEOUT_MS: u32 = 10_000;
/// The hub must say something, a ping counts, within this time: three of its 15 s pings.
pub const SILENCE_TIMEOUT_MS: u32 = 45_000;
/// Texts that wait to be sent; one frame of the hub makes at most three.
const OUTGOING: usize = 8;

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
    updater: bool,
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
            updater: false,
        }
    }

    /// Whoever drives this link updates the device when the hub says so; before, such orders are refused.
    pub fn has_updater(&mut self) {
        self.updater = true;
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
