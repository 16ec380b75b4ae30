//! The request for a WebSocket, and what its answer must be.

use core::fmt::{self, Write};

use base64ct::{Base64, Encoding};
use heapless::String;
use sha1::{Digest, Sha1};

use super::WebSocketError;

/// What the device offers and the hub must select.
pub const SUBPROTOCOL: &str = "minerva.v1";
/// Headers of an answer at most; aiohttp sends six.
const MAX_HEADERS: usize = 24;
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY: usize = 24; // 16 bytes in base64
/// Bytes of a Sec-WebSocket-Accept: 20 in base64.
pub(super) const ACCEPT: usize = 28;
/// How much of an answer that is not the one wanted is shown.
pub(super) const SHOWN: usize = 60;

/// Write the request into `out`: its size, and the Sec-WebSocket-Accept that must come back.
pub(super) fn request(
    host: &str,
    port: u16,
    path: &str,
    key: [u8; 16],
    out: &mut [u8],
) -> Result<(usize, [u8; ACCEPT]), WebSocketError> {
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
    Ok((request.at, accept))
}

/// What the server must make of a key; `None` cannot be.
fn accept(key: &[u8]) -> Option<[u8; ACCEPT]> {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut out = [0; ACCEPT];
    Base64::encode(&digest, &mut out).ok()?;
    Some(out)
}

/// Whether `answer`, all of it, switches to a WebSocket that speaks minerva.v1.
pub(super) fn check_answer(answer: &[u8], accept: &[u8; ACCEPT]) -> Result<(), WebSocketError> {
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
