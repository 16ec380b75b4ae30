//! The client's side of RFC 6455 as bytes in, events out, in memory that the caller owns.
//!
//! ```text
//! let mut ws = WebSocket::new(&mut message);
//! let size = ws.start("hub.local", 8400, "/link", random_16, &mut out)?;      // send out[..size]
//! while let Some(event) = ws.feed(&mut received)? { … }                       // takes from the front of received
//! if let Some(range) = ws.pong(random_4, &mut out)? { … }                     // send out[range] between two frames
//! let range = frame(&mut out, Opcode::Text, size, random_4)?;                 // payload was in out[ROOM..ROOM + size]
//! ```
//!
//! Frame headers are read here and not by `edge-ws`, because a frame that is refused says which rule it broke.

mod error;
mod frames;
mod handshake;

use core::ops::Range;

pub use error::WebSocketError;
pub use frames::{MAX_CONTROL, Opcode, ROOM, close_frame, frame, frame_of};
pub use handshake::SUBPROTOCOL;
pub use minerva_wire::control::MAX_TEXT;
pub use minerva_wire::media::MAX_MEDIA as MAX_BINARY;

use handshake::{ACCEPT, check_answer};

/// An answer to the request is a dozen short lines; aiohttp's has about 250 bytes.
pub const MAX_ANSWER: usize = 2048;

/// What came from the hub.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'m> {
    /// The hub speaks minerva.v1: messages may go both ways.
    Opened,
    /// A text message, not yet known to be UTF-8.
    Text(&'m [u8]),
    /// A binary message.
    Binary(&'m [u8]),
    /// The hub closes: its code (1005 without one) and its reason, bytes of unknown origin.
    Close {
        /// As in RFC 6455, 7.4.
        code: u16,
        /// At most 123 bytes.
        reason: &'m [u8],
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Off,
    Answer([u8; ACCEPT]),
    Frames,
}

/// Where the frame that is being received stands.
#[derive(Clone, Copy, Debug)]
enum Frame {
    /// `.1` bytes of its header are here.
    Header([u8; 4], usize),
    /// So many bytes of the payload are missing.
    Payload {
        opcode: u8,
        last: bool,
        missing: usize,
    },
}

const NEXT: Frame = Frame::Header([0; 4], 0);

/// One connection after the other; `message` holds what came of an incomplete message.
pub struct WebSocket<'b> {
    message: &'b mut [u8],
    length: usize,
    kind: u8, // of the message in fragments; 0: none
    state: State,
    frame: Frame,
    control: [u8; MAX_CONTROL],
    control_length: usize,
    ping: [u8; MAX_CONTROL],
    ping_length: Option<usize>,
}

impl<'b> WebSocket<'b> {
    /// A client that takes messages of up to `message.len()` bytes; [`MAX_TEXT`] serves a device without a
    /// speaker, [`MAX_BINARY`] any.
    pub fn new(message: &'b mut [u8]) -> Self {
        Self {
            message,
            length: 0,
            kind: 0,
            state: State::Off,
            frame: NEXT,
            control: [0; MAX_CONTROL],
            control_length: 0,
            ping: [0; MAX_CONTROL],
            ping_length: None,
        }
    }

    /// Forget the old connection and write the request for a new one into `out`; its size.
    ///
    /// `host`, `port` and `path` come from checked settings; `key` is random.
    ///
    /// # Errors
    ///
    /// `RequestTooLong`.
    pub fn start(
        &mut self,
        host: &str,
        port: u16,
        path: &str,
        key: [u8; 16],
        out: &mut [u8],
    ) -> Result<usize, WebSocketError> {
        self.reset();
        let (size, accept) = handshake::request(host, port, path, key, out)?;
        self.state = State::Answer(accept);
        Ok(size)
    }

    /// Forget the connection: nothing more is expected.
    pub fn reset(&mut self) {
        self.state = State::Off;
        self.length = 0;
        self.kind = 0;
        self.frame = NEXT;
        self.ping_length = None;
    }

    /// Whether the hub has opened the WebSocket and no error ended it.
    pub fn is_open(&self) -> bool {
        self.state == State::Frames
    }

    /// Take bytes from the front of `data` until something is complete: call again until it gives `None`,
    /// when all was taken. A ping is kept for [`pong`](Self::pong).
    ///
    /// # Errors
    ///
    /// Whatever the hub did wrong; the connection is of no use any more.
    pub fn feed(&mut self, data: &mut &[u8]) -> Result<Option<Event<'_>>, WebSocketError> {
        match self.advance(data) {
            Ok(None) => Ok(None),
            Ok(Some(Done::Opened)) => Ok(Some(Event::Opened)),
            Ok(Some(Done::Message(kind, size))) => {
                let message = self.message.get(..size).unwrap_or_default();
                Ok(Some(if kind == Opcode::Text as u8 {
                    Event::Text(message)
                } else {
                    Event::Binary(message)
                }))
            }
            Ok(Some(Done::Close)) => Ok(Some(match self.control.get(..self.control_length) {
                Some([high, low, reason @ ..]) => Event::Close {
                    code: u16::from_be_bytes([*high, *low]),
                    reason,
                },
                _ => Event::Close {
                    code: 1005,
                    reason: &[],
                },
            })),
            Err(error) => {
                self.reset();
                Err(error)
            }
        }
    }

    /// The answer to the newest ping (which stands for those before it: RFC 6455, 5.5.3) in `out`; `None`
    /// when none is due. Call it where a frame may begin.
    ///
    /// # Errors
    ///
    /// `FrameTooLong`; the answer stays due.
    pub fn pong(
        &mut self,
        mask: [u8; 4],
        out: &mut [u8],
    ) -> Result<Option<Range<usize>>, WebSocketError> {
        let Some(size) = self.ping_length else {
            return Ok(None);
        };
        let payload = self.ping.get(..size).unwrap_or_default();
        let range = frame_of(out, Opcode::Pong, payload, mask)?;
        self.ping_length = None;
        Ok(Some(range))
    }

    fn advance(&mut self, data: &mut &[u8]) -> Result<Option<Done>, WebSocketError> {
        match self.state {
            State::Off if data.is_empty() => Ok(None),
            State::Off => Err(WebSocketError::NotStarted),
            State::Answer(accept) => self.read_answer(data, &accept),
            State::Frames => loop {
                match self.frame {
                    Frame::Header(head, have) => {
                        let Some((&byte, rest)) = data.split_first() else {
                            return Ok(None);
                        };
                        *data = rest;
                        self.read_header(head, have, byte)?;
                    }
                    Frame::Payload {
                        opcode,
                        last,
                        missing,
                    } => {
                        let (taken, rest) = data.split_at_checked(missing).unwrap_or((*data, &[]));
                        *data = rest;
                        self.keep(opcode, taken)?;
                        let missing = missing.saturating_sub(taken.len());
                        if missing > 0 {
                            self.frame = Frame::Payload {
                                opcode,
                                last,
                                missing,
                            };
                            return Ok(None);
                        }
                        self.frame = NEXT;
                        if let Some(done) = self.complete(opcode, last) {
                            return Ok(Some(done));
                        }
                    }
                }
            },
        }
    }

    fn read_answer(
        &mut self,
        data: &mut &[u8],
        accept: &[u8; ACCEPT],
    ) -> Result<Option<Done>, WebSocketError> {
        let limit = MAX_ANSWER.min(self.message.len());
        while let Some((&byte, rest)) = data.split_first() {
            *data = rest;
            let Some(place) = self
                .message
                .get_mut(..limit)
                .and_then(|m| m.get_mut(self.length))
            else {
                return Err(WebSocketError::AnswerTooLong(limit));
            };
            *place = byte;
            self.length = self.length.saturating_add(1);
            let answer = self.message.get(..self.length).unwrap_or_default();
            if answer.ends_with(b"\r\n\r\n") {
                check_answer(answer, accept)?;
                self.length = 0;
                self.state = State::Frames;
                return Ok(Some(Done::Opened));
            }
        }
        Ok(None)
    }

    /// One more byte of a header, of which `have` are in `head`.
    fn read_header(
        &mut self,
        mut head: [u8; 4],
        have: usize,
        byte: u8,
    ) -> Result<(), WebSocketError> {
        if let Some(place) = head.get_mut(have) {
            *place = byte;
        }
        let [first, second, high, low] = head;
        let size = match (have, second) {
            (0, _) if first & 0x70 != 0 => return Err(WebSocketError::Reserved),
            (1, 0x80..) => return Err(WebSocketError::Reserved),
            // A size of 64 bits: 65536 at least, whatever it says.
            (1, 127) => {
                return Err(WebSocketError::TooLong {
                    size: 65536,
                    limit: MAX_BINARY,
                });
            }
            (1, size) if size != 126 => usize::from(size),
            (3.., _) => usize::from(u16::from_be_bytes([high, low])),
            _ => {
                self.frame = Frame::Header(head, have.saturating_add(1));
                return Ok(());
            }
        };
        let opcode = first & 15;
        let last = first & 0x80 != 0;
        self.check(opcode, last, size)?;
        if opcode >= Opcode::Close as u8 {
            self.control_length = 0;
        } else if opcode != 0 {
            self.kind = opcode;
            self.length = 0;
        }
        self.frame = Frame::Payload {
            opcode,
            last,
            missing: size,
        };
        Ok(())
    }

    fn check(&self, opcode: u8, last: bool, size: usize) -> Result<(), WebSocketError> {
        match opcode {
            0 if self.kind == 0 => return Err(WebSocketError::Opcode(opcode)),
            1 | 2 if self.kind != 0 => return Err(WebSocketError::Opcode(opcode)),
            3..=7 | 11.. => return Err(WebSocketError::Opcode(opcode)),
            8..=10 if size > MAX_CONTROL || !last => {
                return Err(WebSocketError::Control { opcode, size });
            }
            8..=10 => return Ok(()),
            _ => {}
        }
        let kind = if opcode == 0 { self.kind } else { opcode };
        let so_far = if opcode == 0 { self.length } else { 0 };
        let bound = if kind == Opcode::Text as u8 {
            MAX_TEXT
        } else {
            MAX_BINARY
        };
        let limit = bound.min(self.message.len());
        let size = so_far.saturating_add(size);
        if size > limit {
            Err(WebSocketError::TooLong {
                size: size as u64,
                limit,
            })
        } else {
            Ok(())
        }
    }

    /// Append a part of a payload, whose size was checked with its header.
    fn keep(&mut self, opcode: u8, part: &[u8]) -> Result<(), WebSocketError> {
        let (buffer, length) = if opcode >= Opcode::Close as u8 {
            (&mut self.control[..], &mut self.control_length)
        } else {
            (&mut *self.message, &mut self.length)
        };
        let limit = buffer.len();
        let end = length.saturating_add(part.len());
        let place = buffer
            .get_mut(*length..end)
            .ok_or(WebSocketError::TooLong {
                size: end as u64,
                limit,
            })?;
        place.copy_from_slice(part); // of the same length: that is how `place` was taken
        *length = end;
        Ok(())
    }

    fn complete(&mut self, opcode: u8, last: bool) -> Option<Done> {
        match opcode {
            8 => Some(Done::Close),
            9 => {
                self.ping = self.control;
                self.ping_length = Some(self.control_length);
                None
            }
            10 => None,
            _ if last => {
                let done = Done::Message(self.kind, self.length);
                self.kind = 0;
                Some(done)
            }
            _ => None,
        }
    }
}

/// An event before it borrows the buffers.
enum Done {
    Opened,
    Message(u8, usize),
    Close,
}
