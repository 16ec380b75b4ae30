//! What may be wrong with a connection, in words.

use core::fmt;

use heapless::String;

use super::frames::MAX_CONTROL;
use super::handshake::{SHOWN, SUBPROTOCOL};

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
