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
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt::{self, Write};
use core::ops::Range;

use base64ct::{Base64, Encoding};
use heapless::String;
use sha1::{Digest, Sha1};

/// What the device offers and the hub must select.
pub const SUBPROTOCOL: &str = "minerva.v1";
/// Bytes of a text message at most, as docs/protocol.md has it.
pub const MAX_TEXT: usize = 4096;
/// Bytes of a binary message at most, as docs/protocol.md has it.
pub const MAX_BINARY: usize = 6412;
/// Bytes that an outgoing frame's header needs before its payload: 2, a 16-bit size, the mask.
pub const ROOM: usize = 8;
/// Bytes of a control frame's payload at most (RFC 6455, 5.5).
pub const MAX_CONTROL: usize = 125;
/// An answer to the request is a dozen short lines; aiohttp's has about 250 bytes.
pub const MAX_ANSWER: usize = 2048;
/// Headers of that answer at most; aiohttp sends six.
const MAX_HEADERS: usize = 24;
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY: usize = 24; // 16 bytes in base64
const ACCEPT: usize = 28; // 20 bytes in base64
const SHOWN: usize = 60; // of an answer that is not the one wanted

/// Why a connection cannot go on. All but `RequestTooLong`, `FrameTooLong` and `NotStarted` are the hub's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketError {
    /// The request does not fit the buffer of so many bytes.
    RequestTooLong(usize),
    /// A frame with a payload of `size` bytes does not fit; `limit` would.
    FrameTooLong {
        /// Of the payload.
        size: usize,
        /// What fits the buffer, or 65535.
        limit: usize,
    },
    /// Bytes came before [`WebSocket::start`], or after an error.
    NotStarted,
    /// The answer to the request goes on and on.
    AnswerTooLong(usize),
    /// Whoever answers does not switch to WebSocket; this is its first line.
    NotAHub(String<SHOWN>),
    /// The answer was made for another request, or by something that is no WebSocket server.
    WrongAccept,
    /// The hub did not select minerva.v1: `unsupported_version`.
    OtherSubprotocol,
    /// The hub turned on an extension that was not offered.
    Extension,
    /// Reserved bits, or a mask, which only clients use.
    Reserved,
    /// An unknown opcode, or a known one where it may not stand.
    Opcode(u8),
    /// A control frame that is too long or in fragments.
    Control {
        /// 8 close, 9 ping, 10 pong.
        opcode: u8,
        /// Of its payload, at least.
        size: usize,
    },
    /// A message longer than its kind may be, or than the memory that was given.
    TooLong {
        /// Bytes, fragments so far included.
        size: u64,
        /// Bytes.
        limit: usize,
    },
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestTooLong(limit) => {
                write!(f, "the request exceeds the {limit} bytes there are for it")
            }
            Self::FrameTooLong { size, limit } => {
                write!(f, "payload of {size} bytes exceeds {limit}")
            }
            Self::NotStarted => f.write_str("bytes without a connection"),
            Self::AnswerTooLong(limit) => {
                write!(f, "answer to the WebSocket request exceeds {limit} bytes")
            }
            Self::NotAHub(line) => write!(f, "not a Minerva hub: it answers '{line}'"),
            Self::WrongAccept => f.write_str("not a Minerva hub: wrong Sec-WebSocket-Accept"),
            Self::OtherSubprotocol => {
                write!(
                    f,
                    "unsupported_version: the hub does not speak {SUBPROTOCOL}"
                )
            }
            Self::Extension => {
                f.write_str("the hub turned on a WebSocket extension that was not offered")
            }
            Self::Reserved => f.write_str("frame with reserved bits or a mask from the hub"),
            Self::Opcode(opcode) => write!(f, "frame with opcode {opcode} out of place"),
            Self::Control { opcode, size } => {
                write!(
                    f,
                    "control frame {opcode} of {size} bytes; {MAX_CONTROL} are allowed, in one piece"
                )
            }
            Self::TooLong { size, limit } => {
                write!(
                    f,
                    "message of {size} bytes from the hub exceeds the {limit}-byte limit"
                )
            }
        }
    }
}

impl core::error::Error for WebSocketError {}

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

/// Kinds of frames that a device sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A control message.
    Text = 1,
    /// A media packet.
    Binary = 2,
    /// Good-bye.
    Close = 8,
    /// Are you there?
    Ping = 9,
    /// The answer to it.
    Pong = 10,
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
        let limit = out.len();
        let too_long = WebSocketError::RequestTooLong(limit);
        let mut encoded = [0; KEY];
        let Ok(key) = Base64::encode(&key, &mut encoded) else {
            return Err(too_long);
        };
        let Some(accept) = accept(key.as_bytes()) else {
            return Err(too_long);
        };
        let (open, close) = if host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        let mut request = Cursor { out, at: 0 };
        if write!(
            request,
            "GET {path} HTTP/1.1\r\nHost: {open}{host}{close}:{port}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\
             Sec-WebSocket-Key: {key}\r\n\r\n"
        )
        .is_err()
        {
            return Err(too_long);
        }
        self.state = State::Answer(accept);
        Ok(request.at)
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

/// Frame the payload in `buffer[ROOM..ROOM + size]` in place, masked; the bytes to send are `buffer[range]`.
///
/// # Errors
///
/// `FrameTooLong`; nothing was changed.
pub fn frame(
    buffer: &mut [u8],
    opcode: Opcode,
    size: usize,
    mask: [u8; 4],
) -> Result<Range<usize>, WebSocketError> {
    let limit = buffer.len().saturating_sub(ROOM).min(usize::from(u16::MAX));
    let too_long = WebSocketError::FrameTooLong { size, limit };
    let end = ROOM.saturating_add(size);
    let (Ok(short), Some(used)) = (u16::try_from(size), buffer.get_mut(..end)) else {
        return Err(too_long);
    };
    let Some((header, payload)) = used.split_first_chunk_mut::<ROOM>() else {
        return Err(too_long);
    };
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    let first = 0x80 | opcode as u8;
    let [m0, m1, m2, m3] = mask;
    Ok(match u8::try_from(size) {
        Ok(tiny @ ..126) => {
            *header = [0, 0, first, 0x80 | tiny, m0, m1, m2, m3];
            2..end
        }
        _ => {
            let [high, low] = short.to_be_bytes();
            *header = [first, 0x80 | 126, high, low, m0, m1, m2, m3];
            0..end
        }
    })
}

/// Like [`frame`], with a payload from elsewhere.
///
/// # Errors
///
/// `FrameTooLong`.
pub fn frame_of(
    buffer: &mut [u8],
    opcode: Opcode,
    payload: &[u8],
    mask: [u8; 4],
) -> Result<Range<usize>, WebSocketError> {
    let end = ROOM.saturating_add(payload.len());
    if let Some(place) = buffer.get_mut(ROOM..end) {
        place.copy_from_slice(payload); // of the same length: that is how `place` was taken
    }
    frame(buffer, opcode, payload.len(), mask)
}

/// A close frame with `code` and as much of `reason` as fits.
///
/// # Errors
///
/// `FrameTooLong`.
pub fn close_frame(
    buffer: &mut [u8],
    code: u16,
    reason: &str,
    mask: [u8; 4],
) -> Result<Range<usize>, WebSocketError> {
    let mut payload = [0; MAX_CONTROL];
    let end = reason.floor_char_boundary(MAX_CONTROL - 2);
    let mut size = 0;
    let bytes = code.to_be_bytes();
    for (place, byte) in payload
        .iter_mut()
        .zip(bytes.iter().chain(reason.as_bytes().iter().take(end)))
    {
        *place = *byte;
        size = usize::saturating_add(size, 1);
    }
    frame_of(
        buffer,
        Opcode::Close,
        payload.get(..size).unwrap_or_default(),
        mask,
    )
}

/// What the server must make of a key; `None` cannot be.
fn accept(key: &[u8]) -> Option<[u8; ACCEPT]> {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut out = [0; ACCEPT];
    Base64::encode(&digest, &mut out).ok()?;
    Some(out)
}

fn check_answer(answer: &[u8], accept: &[u8; ACCEPT]) -> Result<(), WebSocketError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    if !matches!(response.parse(answer), Ok(httparse::Status::Complete(_)))
        || response.code != Some(101)
    {
        return Err(WebSocketError::NotAHub(first_line(answer)));
    }
    let mut accepted = false;
    let mut selected = false;
    for header in response.headers.iter() {
        let value = header.value.trim_ascii();
        if header.name.eq_ignore_ascii_case("sec-websocket-accept") {
            accepted = value == accept;
        } else if header.name.eq_ignore_ascii_case("sec-websocket-protocol") {
            selected = value == SUBPROTOCOL.as_bytes();
        } else if header.name.eq_ignore_ascii_case("sec-websocket-extensions") {
            return Err(WebSocketError::Extension);
        }
    }
    match (accepted, selected) {
        (false, _) => Err(WebSocketError::WrongAccept),
        (true, false) => Err(WebSocketError::OtherSubprotocol),
        (true, true) => Ok(()),
    }
}

/// The beginning of an answer for a log line: bytes of unknown origin.
fn first_line(answer: &[u8]) -> String<SHOWN> {
    let mut line = String::new();
    for &byte in answer.iter().take_while(|&&b| b != b'\r' && b != b'\n') {
        let shown = if byte.is_ascii_graphic() || byte == b' ' {
            char::from(byte)
        } else {
            '?'
        };
        if line.push(shown).is_err() {
            break;
        }
    }
    line
}

struct Cursor<'o> {
    out: &'o mut [u8],
    at: usize,
}

impl Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.at.saturating_add(text.len());
        let place = self.out.get_mut(self.at..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes()); // of the same length: that is how `place` was taken
        self.at = end;
        Ok(())
    }
}
