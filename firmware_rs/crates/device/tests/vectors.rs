//! tests/vectors/ through the WebSocket: whole, byte by byte, and truncated at each byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use minerva_device::websocket::{Event, MAX_BINARY, MAX_TEXT, WebSocket};
use minerva_wire::control::{SCRATCH, decode_from_hub};
use minerva_wire::media;
use serde_json::Value;

const MEDIA: &str = include_str!("../../../../tests/vectors/media.json");
const CONTROL: &str = include_str!("../../../../tests/vectors/control.json");
/// RFC 6455, 1.3: this key (base64 of "the sample nonce") makes this accept.
const KEY: [u8; 16] = *b"the sample nonce";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: minerva.v1\r\n\r\n";
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

fn vectors(text: &str) -> Vec<Value> {
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(vectors.len() > 20);
    vectors
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(digits).collect()
}

fn framed(first: u8, payload: &[u8]) -> Vec<u8> {
    let size = u16::try_from(payload.len()).unwrap();
    let mut out = match u8::try_from(size) {
        Ok(tiny @ ..126) => vec![first, tiny],
        _ => [&[first, 126][..], &size.to_be_bytes()].concat(),
    };
    out.extend(payload);
    out
}

/// What came of a frame with `payload`, sent in portions of `step` bytes; `None` while something is missing.
fn received(first: u8, sent: &[u8], step: usize) -> Option<Vec<u8>> {
    let mut message = [0; MAX_BINARY];
    let mut ws = WebSocket::new(&mut message);
    ws.start("hub", 1, "/link", KEY, &mut [0; 512]).unwrap();
    assert_eq!(ws.feed(&mut &ANSWER[..]), Ok(Some(Event::Opened)));
    let mut got = None;
    for mut part in sent.chunks(step) {
        assert_eq!(got, None, "an event before the end");
        got = match ws.feed(&mut part).unwrap() {
            Some(Event::Text(text)) if first == TEXT => Some(text.to_vec()),
            Some(Event::Binary(packet)) if first == BINARY => Some(packet.to_vec()),
            None => None,
            Some(other) => panic!("{other:?}"),
        };
        assert!(part.is_empty());
    }
    got
}

/// Every way in which a frame may come gives `payload`, and no beginning of it gives anything.
fn comes_through(first: u8, payload: &[u8], name: &Value) {
    let frame = framed(first, payload);
    for step in [1, 2, 3, 7, 512, frame.len()] {
        assert_eq!(
            received(first, &frame, step).as_deref(),
            Some(payload),
            "{name} by {step}"
        );
    }
    for cut in 1..frame.len() {
        assert_eq!(
            received(first, &frame[..cut], cut),
            None,
            "{name} cut at {cut}"
        );
    }
}

#[test]
fn messages_of_the_hub() {
    for vector in vectors(CONTROL) {
        let text = vector["text"].as_str().unwrap().as_bytes();
        if vector["from"] != "hub" || text.len() > MAX_TEXT {
            continue; // the WebSocket itself refuses what is too long: tests/websocket.rs
        }
        comes_through(TEXT, text, &vector["name"]);
        let mut scratch = SCRATCH;
        let code = decode_from_hub(text, &mut scratch).err().map(|e| e.code);
        assert_eq!(
            code.map(|code| code.as_str()),
            vector["error"].as_str(),
            "{vector}"
        );
    }
}

#[test]
fn packets() {
    for vector in vectors(MEDIA) {
        let raw = unhex(vector["hex"].as_str().unwrap());
        if raw.len() > MAX_BINARY {
            continue;
        }
        comes_through(BINARY, &raw, &vector["name"]);
        let code = media::decode(&raw).err().map(|e| e.code);
        assert_eq!(
            code.map(|code| code.as_str()),
            vector["error"].as_str(),
            "{vector}"
        );
    }
}
