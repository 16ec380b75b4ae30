//! A hub at the other end of a transport: it follows a script, takes down what it is told, and checks all of it.

use std::collections::VecDeque;

use base64ct::{Base64, Encoding};
use minerva_device::ports::{Line, Transport};
use minerva_wire::control::{self, FromHub, Resume, Welcome, decode_from_device, encode_from_hub};
use minerva_wire::media::{self, Header, Kind};
use minerva_wire::privacy::Mode;
use serde_json::Value;
use sha1::{Digest, Sha1};

use super::Time;

pub const UTC_MS: u64 = 1_790_000_000_000;

/// What the hub does with a connection before it is a WebSocket.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nobody listens.
    Refused,
    /// Never comes to stand.
    Opening,
    /// Takes the request and says nothing.
    Silence,
    /// Says this, whatever it is asked.
    Bytes(Vec<u8>),
    /// Ends it when the request is here.
    Drop,
    /// As it should be.
    WebSocket,
}

/// What it does with a hello.
#[derive(Clone, Debug)]
pub enum OnHello {
    Silence,
    Welcome(Welcome<'static>),
    Text(String),
    /// A frame of raw bytes.
    Raw(Vec<u8>),
    Close(u16, &'static str),
    Drop,
}

#[derive(Clone, Debug)]
pub enum What {
    Text(Value),
    Packet(Header, Vec<u8>),
    Close(u16, String),
    Pong(Vec<u8>),
}

/// What the device said, and when it was here whole.
#[derive(Clone, Debug)]
pub struct Said {
    pub at_ms: u64,
    pub connection: usize,
    pub what: What,
}

pub struct Hub {
    time: Time,
    pub answer: Answer,
    pub on_hello: OnHello,
    /// Bytes that the network takes at a time; 0: it is stalled.
    pub takes: usize,
    /// Bytes that it delivers at a time.
    pub gives: usize,
    pub said: Vec<Said>,
    /// When connections were begun.
    pub opens: Vec<u64>,
    /// Ping the device that often, so that it hears something.
    pub ping_ms: Option<u64>,
    line: Line,
    shaken: bool,
    inbox: Vec<u8>,
    outbox: VecDeque<u8>,
    pinged_ms: u64,
}

pub fn welcome(mode: &str) -> Welcome<'static> {
    Welcome {
        hub: "hub",
        utc_ms: UTC_MS,
        mode: *Mode::ALL.iter().find(|one| one.as_str() == mode).unwrap(),
        mute: false,
        kind: Kind::ImaAdpcm,
        frames: 3,
        resume: None,
    }
}

impl Hub {
    pub fn new(time: Time) -> Self {
        Self {
            time,
            answer: Answer::WebSocket,
            on_hello: OnHello::Welcome(welcome("full")),
            takes: usize::MAX,
            gives: usize::MAX,
            said: Vec::new(),
            opens: Vec::new(),
            ping_ms: Some(15_000),
            line: Line::Closed("not yet opened"),
            shaken: false,
            inbox: Vec::new(),
            outbox: VecDeque::new(),
            pinged_ms: 0,
        }
    }

    // --- what a test does ---

    pub fn order(&mut self, message: &FromHub<'_>) {
        let mut out = [0; control::MAX_TEXT];
        let size = encode_from_hub(message, &mut out).unwrap();
        self.frame(1, &out[..size]);
    }

    pub fn text(&mut self, text: &str) {
        self.frame(1, text.as_bytes());
    }

    pub fn frame(&mut self, opcode: u8, payload: &[u8]) {
        if !self.shaken {
            return;
        }
        self.outbox.push_back(0x80 | opcode);
        if payload.len() < 126 {
            self.outbox.push_back(payload.len() as u8);
        } else {
            self.outbox.push_back(126);
            self.outbox.extend((payload.len() as u16).to_be_bytes());
        }
        self.outbox.extend(payload);
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.outbox.extend(bytes);
    }

    /// The network breaks.
    pub fn cut(&mut self) {
        self.line = Line::Closed("connection lost");
        self.outbox.clear();
    }

    pub fn resume_from(&mut self, seq: Option<u32>) {
        if let OnHello::Welcome(welcome) = &mut self.on_hello {
            welcome.resume = seq.map(|seq| Resume { stream: 0, seq });
        }
    }

    // --- what a test asks ---

    pub fn texts(&self, kind: &str) -> Vec<&Value> {
        let texts = self.said.iter().filter_map(|said| match &said.what {
            What::Text(value) if value["type"] == kind => Some(value),
            _ => None,
        });
        texts.collect()
    }

    pub fn last(&self, kind: &str) -> &Value {
        self.texts(kind)
            .last()
            .unwrap_or_else(|| panic!("no {kind} was said"))
    }

    pub fn packets(&self) -> Vec<(Header, &[u8])> {
        let packets = self.said.iter().filter_map(|said| match &said.what {
            What::Packet(header, payload) => Some((*header, payload.as_slice())),
            _ => None,
        });
        packets.collect()
    }

    pub fn errors(&self) -> Vec<&str> {
        self.texts("error")
            .iter()
            .map(|error| error["code"].as_str().unwrap())
            .collect()
    }

    pub fn closes(&self) -> Vec<(u16, &str)> {
        let closes = self.said.iter().filter_map(|said| match &said.what {
            What::Close(code, reason) => Some((*code, reason.as_str())),
            _ => None,
        });
        closes.collect()
    }

    // --- what the hub does ---

    fn note(&mut self, what: What) {
        self.said.push(Said {
            at_ms: self.time.get(),
            connection: self.opens.len(),
            what,
        });
    }

    fn digest(&mut self) {
        if !self.shaken {
            self.shake();
        }
        while self.shaken && matches!(self.line, Line::Open) {
            let Some((opcode, payload)) = self.take_frame() else {
                return;
            };
            match opcode {
                1 => self.hear_text(&payload),
                2 => {
                    let (header, data) = media::decode(&payload).expect("a packet of the protocol");
                    let what = What::Packet(header, data.to_vec());
                    self.note(what);
                }
                8 => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    self.note(What::Close(
                        code,
                        String::from_utf8(payload[2..].to_vec()).unwrap(),
                    ));
                }
                10 => self.note(What::Pong(payload)),
                other => panic!("a device sends no frame {other}"),
            }
        }
    }

    fn shake(&mut self) {
        let text = String::from_utf8_lossy(&self.inbox).into_owned();
        let Some(end) = text.find("\r\n\r\n") else {
            return;
        };
        assert!(
            text.starts_with("GET /link HTTP/1.1\r\nHost: 127.0.0.1:8400\r\n"),
            "{text}"
        );
        self.inbox.drain(..end + 4);
        match self.answer.clone() {
            Answer::Bytes(bytes) => self.outbox.extend(bytes),
            Answer::Drop => self.cut(),
            Answer::WebSocket => {
                let mark = "Sec-WebSocket-Key: ";
                let key = text
                    .lines()
                    .find_map(|line| line.strip_prefix(mark))
                    .unwrap();
                let accept = accept(key);
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: minerva.v1\r\n\r\n"
                );
                self.outbox.extend(answer.as_bytes());
                self.shaken = true;
                self.pinged_ms = self.time.get();
            }
            _ => {}
        }
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [first, second, ..] = self.inbox[..] else {
            return None;
        };
        assert_eq!(
            (first & 0x70, second & 0x80),
            (0, 0x80),
            "whole, masked frames only"
        );
        let (head, size) = match second & 0x7F {
            126 => (
                4,
                usize::from(u16::from_be_bytes([
                    *self.inbox.get(2)?,
                    *self.inbox.get(3)?,
                ])),
            ),
            127 => panic!("too long for a device"),
            size => (2, usize::from(size)),
        };
        if self.inbox.len() < head + 4 + size {
            return None;
        }
        let mask: [u8; 4] = self.inbox[head..head + 4].try_into().unwrap();
        let payload = self.inbox[head + 4..head + 4 + size]
            .iter()
            .zip(mask.iter().cycle());
        let payload = payload.map(|(byte, key)| byte ^ key).collect();
        self.inbox.drain(..head + 4 + size);
        Some((first & 15, payload))
    }

    fn hear_text(&mut self, text: &[u8]) {
        let mut scratch = control::SCRATCH;
        decode_from_device(text, &mut scratch).expect("a message of the protocol");
        let value: Value = serde_json::from_slice(text).unwrap();
        let hello = value["type"] == "hello";
        self.note(What::Text(value));
        if hello {
            match self.on_hello.clone() {
                OnHello::Silence => {}
                OnHello::Welcome(welcome) => self.order(&FromHub::Welcome(welcome)),
                OnHello::Text(text) => self.text(&text),
                OnHello::Raw(bytes) => self.raw(&bytes),
                OnHello::Close(code, reason) => {
                    let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
                    self.frame(8, &payload);
                }
                OnHello::Drop => self.cut(),
            }
        }
    }
}

fn accept(key: &str) -> String {
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    let mut out = [0; 28];
    Base64::encode(&digest, &mut out).unwrap().into()
}

impl Transport for Hub {
    fn open(&mut self) {
        self.opens.push(self.time.get());
        self.shaken = false;
        self.inbox.clear();
        self.outbox.clear();
        self.line = match self.answer {
            Answer::Refused => Line::Closed("nobody listens"),
            _ => Line::Opening,
        };
    }

    fn line(&mut self) -> Line {
        let late = self
            .opens
            .last()
            .is_some_and(|at| self.time.get() >= at + 10);
        if self.line == Line::Opening && late && !matches!(self.answer, Answer::Opening) {
            self.line = Line::Open;
        }
        self.line
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        if self.line != Line::Open {
            return 0;
        }
        let taken = bytes.len().min(self.takes);
        self.inbox.extend(&bytes[..taken]);
        self.digest();
        taken
    }

    fn receive(&mut self, buffer: &mut [u8]) -> usize {
        if self.line != Line::Open {
            return 0;
        }
        let now = self.time.get();
        if self
            .ping_ms
            .is_some_and(|every| self.shaken && now >= self.pinged_ms + every)
        {
            self.pinged_ms = now;
            self.frame(9, b"ping");
        }
        let count = buffer.len().min(self.gives).min(self.outbox.len());
        for (to, from) in buffer.iter_mut().zip(self.outbox.drain(..count)) {
            *to = from;
        }
        count
    }

    fn close(&mut self) {
        self.line = Line::Closed("closed by the device");
    }

    fn rssi_dbm(&self) -> Option<i8> {
        Some(-60)
    }
}
