//! The whole device against a hub that does anything, byte by byte.

use core::cell::Cell;

use base64ct::{Base64, Encoding};
use minerva_device::ports::{
    Captured, Clock, Line, Microphone, MicrophoneError, Store, StoreError, Transport,
};
use minerva_device::{Device, Identity, Mode, Muted, settings};
use minerva_wire::control::{FromDevice, MAX_TEXT, SCRATCH, decode_from_device, encode_from_hub};
use minerva_wire::media;
use sha1::{Digest, Sha1};

/// Milliseconds that one input may take; each is a millisecond of audio to work through.
const MOST_MS: u32 = 4_000;
const RING: usize = 8192;

struct Time<'t>(&'t Cell<u32>);

impl Clock for Time<'_> {
    fn ticks_ms(&self) -> u32 {
        self.0.get()
    }
}

/// A room with bursts of noise; never read while it is stopped.
struct Room<'t> {
    now: &'t Cell<u32>,
    next: Option<u64>,
}

impl Microphone for Room<'_> {
    fn start(&mut self) -> Result<u32, MicrophoneError> {
        assert!(self.next.is_none(), "started twice");
        self.next = Some(u64::from(self.now.get()) * 16);
        Ok(0)
    }

    fn stop(&mut self) {
        self.next = None;
    }

    fn read(&mut self, slots: &mut [i32]) -> Result<Captured, MicrophoneError> {
        let next = self.next.as_mut().expect("read while stopped");
        let have = (u64::from(self.now.get()) * 16).saturating_sub(*next);
        let count = have.min(slots.len() as u64);
        for (slot, index) in slots.iter_mut().zip(*next..) {
            let loud = (index / 16_000) % 2 == 1;
            let noise = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) as i32;
            *slot = noise >> if loud { 4 } else { 14 };
        }
        *next += count;
        Ok(Captured {
            slots: count as usize,
            caught_up: count == have,
        })
    }
}

/// Remembers nothing, and now and then cannot.
struct Forgetful(u8);

impl Store for Forgetful {
    fn muted_at_button(&self) -> bool {
        false
    }

    fn set_muted_at_button(&mut self, _muted: bool) -> Result<(), StoreError> {
        self.0 = self.0.wrapping_add(1);
        if self.0.is_multiple_of(3) {
            Err(StoreError("full"))
        } else {
            Ok(())
        }
    }
}

/// The other end: opens the WebSocket as a hub does, says whatever it is told to, and checks what the device says.
struct Hub {
    ceiling: Mode,
    line: Line,
    shaken: bool,
    takes: usize,
    said: Vec<u8>,
    to_say: Vec<u8>,
}

impl Hub {
    fn frame(&mut self, opcode: u8, payload: &[u8]) {
        self.to_say.push(0x80 | opcode);
        if payload.len() < 126 {
            self.to_say.push(payload.len() as u8);
        } else {
            self.to_say.push(126);
            self.to_say.extend((payload.len() as u16).to_be_bytes());
        }
        self.to_say.extend(payload);
    }

    fn shake(&mut self) {
        let text = String::from_utf8(self.said.clone()).expect("a request is text");
        let Some((request, rest)) = text.split_once("\r\n\r\n") else {
            return;
        };
        assert!(rest.is_empty(), "nothing is said before the answer");
        let mark = "Sec-WebSocket-Key: ";
        let key = request
            .lines()
            .find_map(|line| line.strip_prefix(mark))
            .expect("a key");
        let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
        let mut out = [0; 28];
        let accept = Base64::encode(&digest, &mut out).expect("20 bytes are 28 digits");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: minerva.v1\r\n\r\n"
        );
        self.to_say.splice(..0, answer.into_bytes());
        self.said.clear();
        self.shaken = true;
    }

    /// Whole frames, masked, each of them one of the protocol's and within the device's ceiling.
    fn listen(&mut self) {
        if !self.shaken {
            return self.shake();
        }
        loop {
            let (head, size) = match self.said[..] {
                [_, second, high, low, ..] if second == 0x80 | 126 => {
                    (4, usize::from(u16::from_be_bytes([high, low])))
                }
                [_, second, ..] if second < 0x80 | 126 => (2, usize::from(second & 0x7f)),
                _ => return,
            };
            let Some(frame) = self.said.get(..head + 4 + size) else {
                return;
            };
            let (opcode, second) = (frame[0], frame[1]);
            assert!(opcode & 0x70 == 0 && second & 0x80 != 0, "whole and masked");
            let mask = frame[head..head + 4].iter().cycle();
            let payload: Vec<u8> = frame[head + 4..]
                .iter()
                .zip(mask)
                .map(|(a, b)| a ^ b)
                .collect();
            self.said.drain(..head + 4 + size);
            match opcode & 15 {
                1 => self.hear_text(&payload),
                2 => {
                    let (header, _) = media::decode(&payload).expect("a packet of the protocol");
                    if header.kind.is_audio() {
                        assert!(self.ceiling >= Mode::Speech, "audio above the ceiling");
                    } else {
                        assert!(self.ceiling >= Mode::Features, "features above the ceiling");
                    }
                }
                8 | 10 => assert!(payload.len() <= 125),
                other => panic!("a device sends no frame {other}"),
            }
        }
    }

    fn hear_text(&self, text: &[u8]) {
        let mut scratch = SCRATCH;
        let message = decode_from_device(text, &mut scratch).expect("a message of the protocol");
        if matches!(message, FromDevice::Level(_) | FromDevice::Event(_)) {
            assert!(self.ceiling >= Mode::Events, "levels above the ceiling");
        }
    }
}

impl Transport for Hub {
    fn open(&mut self) {
        self.line = Line::Open;
        self.shaken = false;
        self.said.clear();
        self.to_say.clear();
    }

    fn line(&mut self) -> Line {
        self.line
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.takes);
        self.said.extend(&bytes[..taken]);
        self.listen();
        taken
    }

    fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer
            .len()
            .min(if self.shaken { self.to_say.len() } else { 0 });
        buffer[..count].copy_from_slice(&self.to_say[..count]);
        self.to_say.drain(..count);
        count
    }

    fn close(&mut self) {
        self.line = Line::Closed("closed by the device");
    }
}

const SETTINGS: &str = r#"{"version":1,"device":"kitchen","board":"virtual","url":"ws://127.0.0.1:8484/link",
    "token":"secret","ring_bytes":8192,"ceiling":"CEILING"}"#;

/// A first byte says what the device may and can; then steps, each of a byte and what it needs.
///
/// Time passes, the hub says a text, an order that is valid, or bytes that are no frame at all, the network breaks or
/// stalls, the button is pressed. Whatever comes: frames and messages of the protocol, nothing above the ceiling, and
/// a microphone that stands still while the button mutes.
pub fn device(data: &[u8]) {
    let Some((&first, mut data)) = data.split_first() else {
        return;
    };
    let ceiling = Mode::ALL[usize::from(first) % 5];
    let text = SETTINGS.replace("CEILING", ceiling.as_str());
    let settings = settings::parse(text.as_bytes()).expect("settings of our own");
    let identity = Identity {
        board: "virtual",
        version: "0.1.0",
        slot: "a",
        features: first & 0x80 != 0,
        start_ms: 0,
    };
    let mut memory = vec![0; Device::memory_bytes(RING)];
    let mut device =
        Device::new(&settings, identity, &mut memory, || 0x5DEE_CE66_D1CE_4E5B).expect("it fits");
    let now = Cell::new(0);
    let mut room = Room {
        now: &now,
        next: None,
    };
    let mut store = Forgetful(0);
    let mut hub = Hub {
        ceiling,
        line: Line::Closed("not yet opened"),
        shaken: false,
        takes: usize::MAX,
        said: Vec::new(),
        to_say: Vec::new(),
    };
    let mut take = |count: usize| -> Option<&[u8]> {
        let (taken, rest) = data.split_at_checked(count)?;
        data = rest;
        Some(taken)
    };
    let mut pressed = false;
    while let Some(&[what]) = take(1) {
        match what {
            b'x' => {
                let Some(&[size]) = take(1) else { break };
                let Some(bytes) = take(usize::from(size)) else {
                    break;
                };
                hub.to_say.extend(bytes);
            }
            b't' | b'b' => {
                let Some(&[size]) = take(1) else { break };
                let Some(text) = take(usize::from(size)) else {
                    break;
                };
                hub.frame(if what == b't' { 1 } else { 2 }, text);
            }
            b'w' | b'c' | b'm' => {
                let Some(choice) = take(5) else { break };
                let mut out = [0; MAX_TEXT];
                let size =
                    encode_from_hub(&super::order(what, choice), &mut out).expect("it is valid");
                hub.frame(1, &out[..size]);
            }
            b'l' => hub.line = Line::Closed("the network broke"),
            b's' => {
                hub.takes = match hub.takes {
                    0 => 3,
                    3 => usize::MAX,
                    _ => 0,
                };
            }
            b'p' => {
                pressed = device.press_button(&mut room, &mut store) == Muted::Button;
                assert!(
                    !pressed || room.next.is_none(),
                    "the microphone runs while muted"
                );
            }
            _ => {
                let until = now.get() + u32::from(what);
                while now.get() < until {
                    let wait = device.poll(&Time(&now), &mut room, &mut hub, &mut store);
                    now.set(now.get() + wait.clamp(1, 20));
                }
            }
        }
        device.poll(&Time(&now), &mut room, &mut hub, &mut store);
        assert!(
            !pressed || room.next.is_none(),
            "the microphone runs while muted"
        );
        while device.take_note().is_some() {}
        if now.get() > MOST_MS {
            break;
        }
    }
}
