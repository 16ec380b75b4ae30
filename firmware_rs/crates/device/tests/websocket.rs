//! The WebSocket client: whole, byte by byte, truncated, and against whatever a hostile hub sends.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use minerva_device::websocket::*;
use proptest::prelude::*;

/// RFC 6455, 1.3: this key (base64 of "the sample nonce") makes this accept.
const KEY: [u8; 16] = *b"the sample nonce";
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: minerva.v1\r\n\r\n";

/// An event that owns its bytes.
#[derive(Clone, Debug, PartialEq)]
enum Got {
    Opened,
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Close(u16, Vec<u8>),
}

impl From<Event<'_>> for Got {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Opened => Self::Opened,
            Event::Text(text) => Self::Text(text.to_vec()),
            Event::Binary(data) => Self::Binary(data.to_vec()),
            Event::Close { code, reason } => Self::Close(code, reason.to_vec()),
        }
    }
}

/// Everything that `data` makes of `ws`, in portions of `step` bytes.
fn drive(ws: &mut WebSocket, data: &[u8], step: usize) -> Result<Vec<Got>, WebSocketError> {
    let mut out = Vec::new();
    for mut part in data.chunks(step.max(1)) {
        while let Some(event) = ws.feed(&mut part)? {
            out.push(Got::from(event));
        }
        assert!(
            part.is_empty(),
            "all is taken before it says that there is nothing more"
        );
    }
    Ok(out)
}

fn with_open<T>(size: usize, test: impl FnOnce(&mut WebSocket) -> T) -> T {
    let mut message = vec![0; size];
    let mut ws = WebSocket::new(&mut message);
    ws.start("hub", 1, "/link", KEY, &mut [0; 512]).unwrap();
    assert_eq!(drive(&mut ws, ANSWER, 4096), Ok(vec![Got::Opened]));
    test(&mut ws)
}

fn framed(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        size @ ..126 => out.push(size as u8),
        size => {
            out.push(126);
            out.extend((size as u16).to_be_bytes());
        }
    }
    out.extend(payload);
    out
}

#[test]
fn the_request_is_what_the_rfc_asks_for() {
    let mut message = [0; MAX_TEXT];
    let mut ws = WebSocket::new(&mut message);
    let mut out = [0; 512];
    let size = ws.start("fe80::1", 8400, "/link", KEY, &mut out).unwrap();
    let request = core::str::from_utf8(&out[..size]).unwrap();
    assert_eq!(
        request,
        "GET /link HTTP/1.1\r\nHost: [fe80::1]:8400\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: minerva.v1\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    assert_eq!(
        ws.start("hub", 1, "/", KEY, &mut out[..100]),
        Err(WebSocketError::RequestTooLong(100))
    );
}

#[test]
fn an_answer_opens_whole_and_byte_by_byte_and_frames_may_follow_at_once() {
    for step in [1, 2, 7, 4096] {
        let mut message = [0; MAX_TEXT];
        let mut ws = WebSocket::new(&mut message);
        ws.start("hub", 1, "/link", KEY, &mut [0; 512]).unwrap();
        assert!(!ws.is_open());
        let mut data = ANSWER.to_vec();
        data.extend(framed(0x81, b"{}"));
        let got = drive(&mut ws, &data, step);
        assert_eq!(got, Ok(vec![Got::Opened, Got::Text(b"{}".to_vec())]));
        assert!(ws.is_open());
    }
}

#[test]
fn answers_that_are_no_yes() {
    let yes = core::str::from_utf8(ANSWER).unwrap();
    let line = |text: &str| WebSocketError::NotAHub(text.try_into().unwrap());
    let cases = [
        (
            "HTTP/1.1 404 Not Found\r\n\r\n".to_string(),
            line("HTTP/1.1 404 Not Found"),
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n".to_string(),
            line("HTTP/1.1 200 OK"),
        ),
        (
            "SSH-2.0-OpenSSH_9.2\x07\r\n\r\n".to_string(),
            line("SSH-2.0-OpenSSH_9.2?"),
        ),
        ("\r\n\r\n".to_string(), line("")),
        (yes.replace("s3pP", "s3pQ"), WebSocketError::WrongAccept),
        (
            yes.replace("sec-websocket-accept", "x-other"),
            WebSocketError::WrongAccept,
        ),
        (
            yes.replace("minerva.v1", "minerva.v2"),
            WebSocketError::OtherSubprotocol,
        ),
        (
            yes.replace("Sec-WebSocket-Protocol", "X-Other"),
            WebSocketError::OtherSubprotocol,
        ),
        (
            yes.replace(
                "Upgrade: websocket",
                "Sec-WebSocket-Extensions: permessage-deflate",
            ),
            WebSocketError::Extension,
        ),
        (
            "x".repeat(MAX_ANSWER + 1),
            WebSocketError::AnswerTooLong(MAX_ANSWER),
        ),
    ];
    for (answer, error) in cases {
        for step in [1, 4096] {
            let mut message = [0; MAX_TEXT];
            let mut ws = WebSocket::new(&mut message);
            ws.start("hub", 1, "/link", KEY, &mut [0; 512]).unwrap();
            assert_eq!(
                drive(&mut ws, answer.as_bytes(), step),
                Err(error.clone()),
                "{answer}"
            );
            assert_eq!(drive(&mut ws, b"x", 1), Err(WebSocketError::NotStarted));
        }
    }
}

#[test]
fn frames_give_their_messages_in_any_portions() {
    let long = vec![7; 300];
    let cases = [
        (framed(0x81, b"hello"), vec![Got::Text(b"hello".to_vec())]),
        (framed(0x82, &long), vec![Got::Binary(long.clone())]),
        (framed(0x81, b""), vec![Got::Text(vec![])]),
        (
            [
                framed(0x01, b"ab"),
                framed(0x89, b"?"),
                framed(0x00, b"c"),
                framed(0x80, b"d"),
            ]
            .concat(),
            vec![Got::Text(b"abcd".to_vec())],
        ),
        (
            [framed(0x02, b""), framed(0x80, b"x")].concat(),
            vec![Got::Binary(b"x".to_vec())],
        ),
        (framed(0x8A, b"late"), vec![]),
        (framed(0x88, b""), vec![Got::Close(1005, vec![])]),
        (
            framed(0x88, b"\x03\xF0bye"),
            vec![Got::Close(1008, b"bye".to_vec())],
        ),
        (
            [framed(0x81, b"a"), framed(0x82, b"b")].concat(),
            vec![Got::Text(b"a".to_vec()), Got::Binary(b"b".to_vec())],
        ),
        (
            framed(0x81, &[b'x'; MAX_TEXT]),
            vec![Got::Text(vec![b'x'; MAX_TEXT])],
        ),
        (
            framed(0x82, &[1; MAX_BINARY]),
            vec![Got::Binary(vec![1; MAX_BINARY])],
        ),
    ];
    for (bytes, events) in cases {
        for step in [1, 3, 5000] {
            with_open(MAX_BINARY, |ws| {
                assert_eq!(drive(ws, &bytes, step), Ok(events.clone()))
            });
        }
        for cut in 0..bytes.len().min(400) {
            with_open(MAX_BINARY, |ws| {
                let got = drive(ws, &bytes[..cut], 4096).unwrap();
                assert!(got.len() <= events.len() && got[..] == events[..got.len()]);
                let rest = drive(ws, &bytes[cut..], 4096).unwrap();
                assert_eq!([got, rest].concat(), events);
            });
        }
    }
}

#[test]
fn frames_that_break_a_rule() {
    let limit = MAX_BINARY;
    let cases: [(Vec<u8>, WebSocketError); 15] = [
        (vec![0xC1, 0], WebSocketError::Reserved),
        (vec![0xA1, 0], WebSocketError::Reserved),
        (vec![0x91, 0], WebSocketError::Reserved),
        (vec![0x81, 0x80, 1, 2, 3, 4], WebSocketError::Reserved),
        (vec![0x83, 0], WebSocketError::Opcode(3)),
        (vec![0x8B, 0], WebSocketError::Opcode(11)),
        (vec![0x80, 0], WebSocketError::Opcode(0)),
        (
            [framed(0x01, b"a"), framed(0x81, b"b")].concat(),
            WebSocketError::Opcode(1),
        ),
        (
            vec![0x09, 0],
            WebSocketError::Control { opcode: 9, size: 0 },
        ),
        (
            vec![0x89, 126, 0, 126],
            WebSocketError::Control {
                opcode: 9,
                size: 126,
            },
        ),
        (
            vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0],
            WebSocketError::TooLong { size: 65536, limit },
        ),
        (
            vec![0x82, 126, 0xFF, 0xFF],
            WebSocketError::TooLong { size: 65535, limit },
        ),
        (
            vec![0x82, 126, 0x19, 0x0D],
            WebSocketError::TooLong { size: 6413, limit },
        ),
        (
            vec![0x81, 126, 0x10, 0x01],
            WebSocketError::TooLong {
                size: 4097,
                limit: MAX_TEXT,
            },
        ),
        (
            [framed(0x01, &[b'x'; 4000]), framed(0x00, &[b'x'; 97])].concat(),
            WebSocketError::TooLong {
                size: 4097,
                limit: MAX_TEXT,
            },
        ),
    ];
    for (bytes, error) in cases {
        for step in [1, 5000] {
            with_open(MAX_BINARY, |ws| {
                assert_eq!(drive(ws, &bytes, step), Err(error.clone()));
                assert!(!ws.is_open());
            });
        }
    }
    let error = WebSocketError::TooLong {
        size: 1001,
        limit: 1000,
    };
    with_open(1000, |ws| {
        assert_eq!(drive(ws, &framed(0x81, &[0; 1001]), 9), Err(error))
    });
}

/// What a server reads of a masked frame: its first byte and the payload.
fn unmasked(frame: &[u8]) -> (u8, Vec<u8>) {
    assert_eq!(frame[1] & 0x80, 0x80, "a client masks");
    let (size, rest) = match frame[1] & 0x7F {
        126 => (
            usize::from(u16::from_be_bytes([frame[2], frame[3]])),
            &frame[4..],
        ),
        size => (usize::from(size), &frame[2..]),
    };
    let payload: Vec<u8> = rest[4..]
        .iter()
        .zip(rest[..4].iter().cycle())
        .map(|(b, m)| b ^ m)
        .collect();
    assert_eq!(payload.len(), size);
    (frame[0], payload)
}

#[test]
fn the_newest_ping_is_answered_once() {
    with_open(MAX_TEXT, |ws| {
        let mut out = [0; 256];
        assert_eq!(ws.pong([1; 4], &mut out), Ok(None));
        let pings = [
            framed(0x89, b"old"),
            framed(0x89, &[b'n'; MAX_CONTROL]),
            framed(0x8A, b"x"),
        ]
        .concat();
        assert_eq!(drive(ws, &pings, 1), Ok(vec![]));
        let small = ws.pong([1; 4], &mut out[..64]);
        assert_eq!(
            small,
            Err(WebSocketError::FrameTooLong {
                size: 125,
                limit: 56
            })
        );
        let range = ws.pong([1, 2, 3, 4], &mut out).unwrap().unwrap();
        assert_eq!(unmasked(&out[range]), (0x8A, vec![b'n'; MAX_CONTROL]));
        assert_eq!(ws.pong([1; 4], &mut out), Ok(None));
    });
}

#[test]
fn a_new_start_forgets_the_old_connection() {
    with_open(MAX_TEXT, |ws| {
        drive(ws, &framed(0x01, b"half"), 1).unwrap();
        drive(ws, &framed(0x89, b"?"), 1).unwrap();
        ws.start("hub", 1, "/link", KEY, &mut [0; 512]).unwrap();
        assert_eq!(ws.pong([0; 4], &mut [0; 256]), Ok(None));
        let again = [ANSWER, &framed(0x81, b"new")].concat();
        assert_eq!(
            drive(ws, &again, 1),
            Ok(vec![Got::Opened, Got::Text(b"new".to_vec())])
        );
    });
}

proptest! {
    #[test]
    fn what_is_framed_can_be_read(
        payload in prop::collection::vec(any::<u8>(), 0..2000), mask: [u8; 4], room in 0usize..2100
    ) {
        let mut out = vec![0; room];
        match frame_of(&mut out, Opcode::Binary, &payload, mask) {
            Ok(range) => prop_assert_eq!(unmasked(&out[range]), (0x82, payload)),
            Err(_) => prop_assert!(room < ROOM + payload.len()),
        }
    }

    #[test]
    fn nothing_panics(
        opened: bool,
        size in 0usize..8000,
        parts in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            (0usize..16, 0usize..3000).prop_map(|(first, size)| {
                framed([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A, 0x09, 0xC1, 0x83, 0x8B, 0x91,
                    0x81, 0x80][first], &vec![0; size])
            }),
            Just(ANSWER.to_vec()),
            Just(b"HTTP/1.1 101 x\r\n\r\n".to_vec()),
        ], 0..20),
        step in 1usize..300,
    ) {
        let mut message = vec![0; size];
        let mut ws = WebSocket::new(&mut message);
        let mut out = [0; 512];
        ws.start("hub", 1, "/link", KEY, &mut out).unwrap();
        if opened {
            let _ = drive(&mut ws, ANSWER, step);
        }
        for part in parts {
            if drive(&mut ws, &part, step).is_err() {
                prop_assert!(!ws.is_open());
                ws.start("hub", 1, "/link", KEY, &mut out).unwrap();
            }
            let _ = ws.pong([1; 4], &mut out);
        }
    }
}
