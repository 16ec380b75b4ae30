//! One connection after the other: opened, shaken hands, given up on in time, closed in good order.

use core::fmt;
use core::ops::Range;

use crate::backoff::Backoff;
use crate::ports::{Line, Transport};
use crate::websocket::{Event, Opcode, ROOM, WebSocket, WebSocketError, close_frame, frame};

/// Joining a network takes up to 15 s, TCP 10 s, and TLS on a small chip two of these 15.
pub const OPEN_TIMEOUT_MS: u64 = 40_000;
/// The hub answers the request for a WebSocket within this time.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 15_000;
/// A link that stood for so long, or on which a packet was acknowledged, was a good one: the next pause is short.
/// A welcome alone proves nothing: a hub may close right after it, for ever.
pub const STEADY_MS: u64 = 30_000;
/// Last words have that long to go out.
const LEAVE_TIMEOUT_MS: u64 = 1000;
/// A fatal error of either side, as docs/protocol.md says.
pub const FATAL: u16 = 1008;
/// The device goes, and nothing was said against the hub.
pub const AWAY: u16 = 1001;

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none until then.
    Down { until_ms: u64 },
    /// The transport opens.
    Opening { until_ms: u64 },
    /// The request for a WebSocket is under way.
    Shaking { until_ms: u64 },
    /// Messages may go both ways.
    Talking,
    /// Last words, then the end.
    Leaving {
        until_ms: u64,
        code: u16,
        said: bool,
    },
}

/// Why a connection ended or did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// What the transport said.
    Transport(&'static str),
    /// Too slow to open.
    NotOpened,
    /// No answer to the request for a WebSocket.
    NoHandshake,
    /// The other end is not a hub, or breaks RFC 6455.
    Hub(WebSocketError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(why) => f.write_str(why),
            Self::NotOpened => write!(f, "no connection within {} s", OPEN_TIMEOUT_MS / 1000),
            Self::NoHandshake => write!(f, "no handshake within {} s", HANDSHAKE_TIMEOUT_MS / 1000),
            Self::Hub(error) => error.fmt(f),
        }
    }
}

/// What a frame in the making tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Of the device.
    Control,
    /// Of sound, in words.
    Heard,
    /// Of sound, for the first time or once more.
    Media { first: bool },
}

/// Where the hub is.
#[derive(Clone, Copy, Debug)]
pub struct Address<'s> {
    /// A name or number.
    pub host: &'s str,
    /// TCP.
    pub port: u16,
    /// Of the request.
    pub path: &'s str,
}

/// A WebSocket over a transport, one outgoing frame in the making at a time.
pub struct Connection<'a> {
    phase: Phase,
    websocket: WebSocket<'a>,
    out: &'a mut [u8],
    pending: Range<usize>, // of `out`, not yet taken by the transport
    carries: Carries,
    begun: bool, // some of that frame was
    backoff: Backoff,
    welcomed_ms: Option<u64>,
    reason: heapless::String<32>,
}

impl<'a> Connection<'a> {
    /// None yet. `message` bounds the hub's messages, `out` holds a frame with [`ROOM`] before its payload.
    pub fn new(message: &'a mut [u8], out: &'a mut [u8]) -> Self {
        Self {
            phase: Phase::Down { until_ms: 0 },
            websocket: WebSocket::new(message),
            out,
            pending: 0..0,
            carries: Carries::Control,
            begun: false,
            backoff: Backoff::of_link(),
            welcomed_ms: None,
            reason: heapless::String::new(),
        }
    }

    /// How it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Open, ask for a WebSocket, give up in time: whatever is due at `now_ms` before the link may talk.
    ///
    /// # Errors
    ///
    /// Why it came to nothing; the transport is closed and tried again later.
    pub fn advance<T: Transport>(
        &mut self,
        transport: &mut T,
        now_ms: u64,
        address: Address<'_>,
        random: fn() -> u64,
    ) -> Result<(), Trouble> {
        let result = self.step(transport, now_ms, address, random);
        if result.is_err() {
            self.down(transport, now_ms, random);
        }
        result
    }

    fn step<T: Transport>(
        &mut self,
        transport: &mut T,
        now_ms: u64,
        address: Address<'_>,
        random: fn() -> u64,
    ) -> Result<(), Trouble> {
        if let Phase::Down { until_ms } = self.phase {
            if now_ms < until_ms {
                return Ok(());
            }
            transport.open();
            self.phase = Phase::Opening {
                until_ms: now_ms.saturating_add(OPEN_TIMEOUT_MS),
            };
        }
        let line = transport.line();
        if let Line::Closed(why) = line {
            return Err(Trouble::Transport(why));
        }
        match self.phase {
            Phase::Opening { .. } if line == Line::Open => {
                let [a, b] = [random().to_le_bytes(), random().to_le_bytes()];
                let mut key = [0; 16];
                for (to, from) in key.iter_mut().zip(a.iter().chain(&b)) {
                    *to = *from;
                }
                let Address { host, port, path } = address;
                let size = self
                    .websocket
                    .start(host, port, path, key, self.out)
                    .map_err(Trouble::Hub)?;
                self.send(0..size, Carries::Control);
                self.phase = Phase::Shaking {
                    until_ms: now_ms.saturating_add(HANDSHAKE_TIMEOUT_MS),
                };
            }
            Phase::Opening { until_ms } if now_ms >= until_ms => return Err(Trouble::NotOpened),
            Phase::Shaking { until_ms } if now_ms >= until_ms => return Err(Trouble::NoHandshake),
            _ => {}
        }
        Ok(())
    }

    /// Nothing is connected any more; try again after a pause.
    pub fn down<T: Transport>(&mut self, transport: &mut T, now_ms: u64, random: fn() -> u64) {
        transport.close();
        self.websocket.reset();
        self.pending = 0..0;
        self.begun = false;
        if let Some(welcomed_ms) = self.welcomed_ms.take()
            && now_ms.saturating_sub(welcomed_ms) >= STEADY_MS
        {
            self.backoff.reset();
        }
        let pause_ms = u64::from(self.backoff.next_ms(random()));
        self.phase = Phase::Down {
            until_ms: now_ms.saturating_add(pause_ms),
        };
    }

    /// The hub said welcome.
    pub fn welcomed(&mut self, now_ms: u64) {
        self.welcomed_ms = Some(now_ms);
    }

    /// The hub took a packet into the stream: the next pause is a short one again.
    pub fn acked(&mut self) {
        self.backoff.reset();
    }

    /// Begin to take leave, by a close frame with `code` and `reason`.
    pub fn leave(&mut self, now_ms: u64, code: u16, reason: &str) {
        self.reason.clear();
        for c in reason.chars() {
            if self.reason.push(c).is_err() {
                break;
            }
        }
        self.phase = Phase::Leaving {
            until_ms: now_ms.saturating_add(LEAVE_TIMEOUT_MS),
            code,
            said: false,
        };
    }

    /// Say good-bye if that is still to be said, and end when it is out, or in time. Not while [`busy`](Self::busy).
    pub fn part<T: Transport>(&mut self, transport: &mut T, now_ms: u64, random: fn() -> u64) {
        let Phase::Leaving {
            until_ms,
            code,
            said,
        } = self.phase
        else {
            return;
        };
        if !said {
            self.phase = Phase::Leaving {
                until_ms,
                code,
                said: true,
            };
            // It fits: `out` has room for a packet.
            if let Ok(range) = close_frame(self.out, code, &self.reason, mask(random)) {
                self.send(range, Carries::Control);
            }
        }
        let out = self.flush(transport, random);
        if out || now_ms >= until_ms {
            self.down(transport, now_ms, random);
        }
    }

    /// Take what came from the front of `data`; as [`WebSocket::feed`].
    ///
    /// # Errors
    ///
    /// When the hub breaks RFC 6455; the connection is of no use any more.
    pub fn feed(&mut self, data: &mut &[u8]) -> Result<Option<Event<'_>>, WebSocketError> {
        self.websocket.feed(data)
    }

    /// The hub has switched to WebSocket.
    pub fn opened(&mut self) {
        self.phase = Phase::Talking;
    }

    /// Where the payload of the next frame goes; not while [`busy`](Self::busy).
    pub fn payload(&mut self) -> &mut [u8] {
        self.out.get_mut(ROOM..).unwrap_or_default()
    }

    /// Send the first `size` bytes of [`payload`](Self::payload) as a frame; false when they do not fit one.
    pub fn send_frame(
        &mut self,
        opcode: Opcode,
        size: usize,
        carries: Carries,
        random: fn() -> u64,
    ) -> bool {
        match frame(self.out, opcode, size, mask(random)) {
            Ok(range) => {
                self.send(range, carries);
                true
            }
            Err(_) => false,
        }
    }

    fn send(&mut self, range: Range<usize>, carries: Carries) {
        self.pending = range;
        self.carries = carries;
        self.begun = false;
    }

    /// Whether a frame is not yet taken whole.
    pub fn busy(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Take back the frame in the making if none of it is on its way yet and it carries media, or in a `mute`
    /// anything heard; what it carried.
    pub fn withdraw(&mut self, mute: bool) -> Option<Carries> {
        let tells = match self.carries {
            Carries::Control => false,
            Carries::Heard => mute,
            Carries::Media { .. } => true,
        };
        let can = self.busy() && !self.begun && tells;
        can.then(|| {
            self.pending = 0..0;
            self.carries
        })
    }

    /// Hand the transport what it takes, pongs included; true when the next frame may begin.
    pub fn flush<T: Transport>(&mut self, transport: &mut T, random: fn() -> u64) -> bool {
        loop {
            while let Some(bytes) = self.out.get(self.pending.clone()).filter(|b| !b.is_empty()) {
                let taken = transport.send(bytes).min(bytes.len());
                if taken == 0 {
                    return false;
                }
                self.begun = true;
                self.pending.start = self.pending.start.saturating_add(taken);
            }
            match self.websocket.pong(mask(random), self.out) {
                Ok(Some(range)) => self.send(range, Carries::Control),
                // A pong is short and `out` holds a packet: there is nothing to be wrong.
                Ok(None) | Err(_) => return true,
            }
        }
    }
}

fn mask(random: fn() -> u64) -> [u8; 4] {
    let [a, b, c, d, ..] = random().to_le_bytes();
    [a, b, c, d]
}
