//! A hub at the other end of a transport that is memory: takes the device, acknowledges, and gives the orders it is told.

use base64ct::{Base64, Encoding};
use minerva_device::ports::{Line, Transport};
use minerva_wire::control::{
    self, Ack, Config, FromDevice, FromHub, MAX_TEXT, MuteOrder, Resume, SCRATCH, Welcome,
};
use minerva_wire::media::{self, Kind, MAX_MEDIA};
use minerva_wire::privacy::Mode;
use sha1::{Digest, Sha1};

use crate::report::{self, Hash};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const KEY: &[u8] = b"Sec-WebSocket-Key: ";
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// What the device may send between two looks, and what of it is not yet a whole frame.
const INBOX: usize = 16 * 1024;
const OUTBOX: usize = 2 * 1024;

/// What came of the device.
#[derive(Default)]
pub struct Count {
    bytes: usize,
    texts: usize,
    pongs: usize,
    packets: [usize; 3],
    refused: usize,
}

/// The hub and the line to it.
pub struct Hub {
    line: Line,
    upgraded: bool,
    inbox: [u8; INBOX],
    came: usize,
    read: usize,
    outbox: [u8; OUTBOX],
    written: usize,
    taken: usize,
    mode: Mode,
    newest: Option<u32>,
    hash: Hash,
    count: Count,
}

impl Transport for Hub {
    fn open(&mut self) {
        (self.came, self.read, self.written, self.taken) = (0, 0, 0, 0);
        self.upgraded = false;
        self.line = Line::Opening;
    }

    fn line(&mut self) -> Line {
        self.line
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        let room = &mut self.inbox[self.came..];
        let size = room.len().min(bytes.len());
        room[..size].copy_from_slice(&bytes[..size]);
        self.came += size;
        size
    }

    fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let waiting = &self.outbox[self.taken..self.written];
        let size = waiting.len().min(buffer.len());
        buffer[..size].copy_from_slice(&waiting[..size]);
        self.taken += size;
        size
    }

    fn close(&mut self) {
        self.line = Line::Closed("closed by the device");
    }

    fn rssi_dbm(&self) -> Option<i8> {
        Some(-55)
    }
}

impl Hub {
    /// One that nobody has called yet.
    pub fn new() -> Self {
        Self {
            line: Line::Closed("nobody called"),
            upgraded: false,
            inbox: [0; INBOX],
            came: 0,
            read: 0,
            outbox: [0; OUTBOX],
            written: 0,
            taken: 0,
            mode: Mode::Speech,
            newest: None,
            hash: Hash::new(),
            count: Count::default(),
        }
    }

    /// Let the line go down.
    pub fn hang_up(&mut self) {
        self.line = Line::Closed("the network is gone");
    }

    /// Order another mode and kind of audio.
    pub fn order(&mut self, mode: Mode, kind: Kind, frames: u8) {
        self.mode = mode;
        self.say(&FromHub::Config(Config {
            mode: Some(mode),
            kind: Some(kind),
            frames: Some(frames),
        }));
    }

    /// Mute the device, or end that.
    pub fn mute(&mut self, on: bool) {
        self.say(&FromHub::Mute(MuteOrder { on }));
    }

    /// A ping of the WebSocket.
    pub fn ping(&mut self) {
        self.write(&[PING, 4, b'e', b'c', b'h', b'o']);
    }

    /// A text as it is, however wrong.
    pub fn text(&mut self, text: &[u8]) {
        self.frame(text);
    }

    /// Look at what came since the last look, and answer.
    pub fn attend(&mut self) {
        if self.taken == self.written {
            (self.taken, self.written) = (0, 0);
        }
        if matches!(self.line, Line::Opening) {
            self.line = Line::Open;
        }
        let fresh = self.read..self.came;
        self.count.bytes += fresh.len();
        self.hash.add(&self.inbox[fresh]);
        let mut at = 0;
        while let Some(size) = self.take(at) {
            at += size;
        }
        self.inbox.copy_within(at..self.came, 0);
        self.came -= at;
        self.read = self.came;
    }

    /// Print what came of `whose`.
    pub fn report(&self, whose: &str) {
        self.hash.report(format_args!("{whose}.hash"));
        let [pcm, adpcm, logmel] = self.count.packets;
        report::number(format_args!("{whose}.bytes"), self.count.bytes);
        report::number(format_args!("{whose}.texts"), self.count.texts);
        report::number(format_args!("{whose}.pongs"), self.count.pongs);
        report::number(format_args!("{whose}.packets_pcm"), pcm);
        report::number(format_args!("{whose}.packets_adpcm"), adpcm);
        report::number(format_args!("{whose}.packets_logmel"), logmel);
        report::number(format_args!("{whose}.refused"), self.count.refused);
    }

    /// The request or one frame, if it is whole; the bytes it has.
    fn take(&mut self, at: usize) -> Option<usize> {
        if !self.upgraded {
            return self.upgrade(at);
        }
        let (opcode, start, size, mask) = header(&self.inbox[at..self.came])?;
        let mut payload = [0; MAX_MEDIA];
        let payload = &mut payload[..size];
        payload.copy_from_slice(
            self.inbox
                .get(at + start..at + start + size)
                .filter(|_| at + start + size <= self.came)?,
        );
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        match opcode {
            TEXT => self.heard(payload),
            BINARY => self.packet(payload),
            PONG => self.count.pongs += 1,
            _ => {}
        }
        Some(start + size)
    }

    fn upgrade(&mut self, at: usize) -> Option<usize> {
        let request = &self.inbox[at..self.came];
        let end = request.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let key = request.windows(KEY.len()).position(|some| some == KEY)? + KEY.len();
        let digest = Sha1::new()
            .chain_update(&request[key..key + 24])
            .chain_update(GUID)
            .finalize();
        let mut accept = [0; 28];
        let accept = Base64::encode(&digest, &mut accept).ok()?.as_bytes();
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        );
        self.write(b"Sec-WebSocket-Protocol: minerva.v1\r\nSec-WebSocket-Accept: ");
        self.write(accept);
        self.write(b"\r\n\r\n");
        self.upgraded = true;
        Some(end)
    }

    fn heard(&mut self, text: &[u8]) {
        self.count.texts += 1;
        let mut scratch = SCRATCH;
        match control::decode_from_device(text, &mut scratch) {
            Ok(FromDevice::Hello(_)) => self.say(&FromHub::Welcome(Welcome {
                hub: "emulated",
                utc_ms: 1_750_000_000_000,
                mode: self.mode,
                mute: false,
                kind: Kind::ImaAdpcm,
                frames: 3,
                resume: self.newest.map(|seq| Resume { stream: 0, seq }),
            })),
            Ok(FromDevice::Health(health)) => {
                self.say(&FromHub::Ack(Ack {
                    health: Some(health.n),
                    ..Ack::default()
                }));
            }
            Ok(_) => {}
            Err(_) => self.count.refused += 1,
        }
    }

    fn packet(&mut self, packet: &[u8]) {
        let Ok((header, _)) = media::decode(packet) else {
            self.count.refused += 1;
            return;
        };
        self.count.packets[match header.kind {
            Kind::PcmS16le => 0,
            Kind::ImaAdpcm => 1,
            Kind::LogmelU8 => 2,
        }] += 1;
        self.newest = Some(header.seq);
        self.say(&FromHub::Ack(Ack {
            stream: Some(0),
            seq: Some(header.seq),
            health: None,
        }));
    }

    fn say(&mut self, message: &FromHub<'_>) {
        let mut text = [0; MAX_TEXT];
        if let Ok(size) = control::encode_from_hub(message, &mut text) {
            self.frame(&text[..size]);
        }
    }

    /// A text of less than 64 kB.
    fn frame(&mut self, text: &[u8]) {
        let [high, low] = (text.len() as u16).to_be_bytes();
        if text.len() < 126 {
            self.write(&[TEXT, low]);
        } else {
            self.write(&[TEXT, 126, high, low]);
        }
        self.write(text);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.outbox[self.written..self.written + bytes.len()].copy_from_slice(bytes);
        self.written += bytes.len();
    }
}

/// First byte, where the payload starts, its size, and the mask of a device's frame.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize, [u8; 4])> {
    let (&[opcode, size], rest) = bytes.split_first_chunk()?;
    let (size, rest, start) = match size & 0x7f {
        126 => {
            let (&long, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(long)), rest, 8)
        }
        short => (usize::from(short), rest, 6),
    };
    Some((opcode, start, size, *rest.first_chunk()?))
}
