//! What is fuzzed: each function takes any bytes and panics where a promise is broken.
//!
//! That nothing else panics is a promise too; overflow and debug assertions are on.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that is broken is what is looked for"
)]

mod device;
mod update;

pub use device::device;
pub use update::update;

use minerva_device::settings;
use minerva_device::websocket::{Event, WebSocket};
use minerva_wire::control::{
    Config, FromHub, MAX_TEXT, MuteOrder, Resume, SCRATCH, Welcome, decode_from_device,
    decode_from_hub, encode_from_device, encode_from_hub,
};
use minerva_wire::link::{HealthFields, Identity, Link, State};
use minerva_wire::media::{self, Kind, MAX_MEDIA};
use minerva_wire::privacy::{Mode, Modes, Muted, Privacy};

/// A packet: what decodes is what was encoded, byte for byte.
pub fn media(data: &[u8]) {
    if let Ok((header, payload)) = media::decode(data) {
        let mut out = [0; MAX_MEDIA];
        let size = media::encode(&header, payload, &mut out).expect("it was a packet");
        assert_eq!(&out[..size], data);
    }
}

/// A message in both directions: what decodes can be encoded, and decodes to the same again.
pub fn control(data: &[u8]) {
    let (mut first, mut second, mut out) = (SCRATCH, SCRATCH, [0; MAX_TEXT]);
    if let Ok(message) = decode_from_hub(data, &mut first) {
        let size = encode_from_hub(&message, &mut out).expect("it was a message");
        let again = decode_from_hub(&out[..size], &mut second).expect("it was encoded");
        assert_eq!(again, message);
    }
    if let Ok(message) = decode_from_device(data, &mut first) {
        let size = encode_from_device(&message, &mut out).expect("it was a message");
        let again = decode_from_device(&out[..size], &mut second).expect("it was encoded");
        assert_eq!(again, message);
    }
}

/// A device that may be heard while the gate is open, and a link that was never open.
fn new_link(ceiling: Mode) -> Link {
    let identity = Identity {
        device: "kitchen".try_into().expect("it fits"),
        token: "secret".try_into().expect("it fits"),
        boot_id: 1,
        firmware: minerva_wire::control::Firmware {
            name: "minerva",
            version: "0",
            variant: "rust",
            board: "virtual",
        },
        slot: "a".try_into().expect("it fits"),
        kinds: [Kind::ImaAdpcm, Kind::LogmelU8].into_iter().collect(),
        self_test: None,
    };
    let modes = Modes::WITHOUT_FEATURES;
    Link::new(identity, Privacy::new(ceiling, modes, ceiling, Muted::Off))
}

/// A valid order of the hub, from bytes that say which: so that a fuzzer need not spell it.
fn order(what: u8, bytes: &[u8]) -> FromHub<'static> {
    let mut bytes = bytes.iter().copied();
    let mut next = || usize::from(bytes.next().unwrap_or_default());
    let mode = Mode::ALL[next() % 5];
    let kind = Kind::ALL[next() % 3];
    let frames = (next() % 10) as u8 + 1;
    let on = next() % 2 == 1;
    let seq = next() as u32;
    match what {
        b'w' => FromHub::Welcome(Welcome {
            hub: "hub",
            utc_ms: 1,
            mode,
            mute: on,
            kind,
            frames,
            resume: (seq > 0).then_some(Resume { stream: 0, seq }),
        }),
        b'c' => FromHub::Config(Config {
            mode: on.then_some(mode),
            kind: Some(kind),
            frames: Some(frames),
        }),
        _ => FromHub::Mute(MuteOrder { on: frames > 5 }),
    }
}

/// Steps of a link: a byte that says what happens, and up to the next line feed what the hub sends.
///
/// `o` opens, `l` loses the connection, `p` is the button, `h` health, `b` a packet, `w`, `c` and `m` are a welcome, a
/// config and a mute made of the bytes; anything else is a text of the hub.
/// Nothing opens the device beyond its ceiling or ends a mute of its button, what the link says are messages of
/// a device, and one that is closed is deaf.
pub fn link(data: &[u8]) {
    let ceiling = Mode::Speech;
    let mut link = new_link(ceiling);
    let mut out = [0; MAX_TEXT];
    let mut pressed = false;
    for step in data.split(|byte| *byte == b'\n').take(16) {
        let Some((what, frame)) = step.split_first() else {
            continue;
        };
        let state = link.state();
        let events = match what {
            b'o' => {
                let size = link.open(0, &mut out).expect("a hello of our own");
                said(&out[..size]);
                continue;
            }
            b'l' => {
                link.lost();
                assert_eq!(link.state(), State::Closed);
                continue;
            }
            b'p' => {
                pressed = link.button() == Muted::Button;
                continue;
            }
            b'h' => {
                let fields = HealthFields {
                    time_ms: frame.len() as u64,
                    rssi: None,
                    heap_free: 0,
                    drops: &[("outbox", 1)],
                    noise_cdb: Some(-6000),
                };
                let size = link.health(&fields, &mut out).expect("health of our own");
                said(&out[..size]);
                continue;
            }
            b'b' => link.receive_binary(frame),
            b'w' | b'c' | b'm' => {
                let size = encode_from_hub(&order(*what, frame), &mut out).expect("it is valid");
                link.receive_text(&out[..size])
            }
            _ => link.receive_text(frame),
        };
        assert!(
            state != State::Closed || events.is_empty(),
            "closed is deaf"
        );
        while let Some(size) = link.take_outgoing(&mut out).expect("texts of our own") {
            said(&out[..size]);
        }
        assert!(link.privacy().mode() <= ceiling);
        assert!(link.kind().is_audio());
        assert!((1..=10).contains(&link.frames()));
        assert_eq!(pressed, link.privacy().muted() == Muted::Button);
    }
}

fn said(text: &[u8]) {
    let mut scratch = SCRATCH;
    decode_from_device(text, &mut scratch).expect("what a device says is one of its messages");
}

/// A settings file: what is accepted is within its bounds, and an error has a text.
pub fn settings(data: &[u8]) {
    match settings::parse(data) {
        Ok(settings) => {
            assert!(minerva_wire::control::is_id(&settings.device));
            assert!(settings.path.starts_with('/'));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Bytes of a hub on a WebSocket, cut into pieces as the first byte says: the same events, whole or in pieces.
pub fn websocket(data: &[u8]) {
    let Some((&piece, data)) = data.split_first() else {
        return;
    };
    let whole = events(data, data.len().max(1));
    let pieces = events(data, usize::from(piece).max(1));
    assert_eq!(whole, pieces);
}

/// The key of [`websocket`]: seeds hold the answer to it.
pub const KEY: [u8; 16] = *b"minerva's device";

/// What a device makes of the bytes, `step` at a time: its events or the error, as text.
fn events(data: &[u8], step: usize) -> Vec<String> {
    let mut message = [0; MAX_MEDIA];
    let mut socket = WebSocket::new(&mut message);
    let mut out = [0; 512];
    let size = socket
        .start("hub.local", 8400, "/link", KEY, &mut out)
        .expect("it fits");
    assert!(out[..size].ends_with(b"\r\n\r\n"));
    let mut all = Vec::new();
    for mut piece in data.chunks(step) {
        loop {
            match socket.feed(&mut piece) {
                Ok(None) => break assert!(piece.is_empty(), "all was taken"),
                Ok(Some(event)) => {
                    let closes = matches!(event, Event::Close { .. });
                    all.push(format!("{event:?}"));
                    if closes {
                        return all;
                    }
                }
                Err(error) => {
                    assert!(!socket.is_open());
                    all.push(error.to_string());
                    return all;
                }
            }
        }
        let mut pong = [0; 256];
        if let Some(range) = socket.pong([1, 2, 3, 4], &mut pong).expect("it fits") {
            assert!(range.len() <= 125 + 6);
        }
    }
    all
}
