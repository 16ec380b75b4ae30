//! What is said to the hub, and what it says.

use minerva_wire::WireError;
use minerva_wire::control::{FromDevice, encode_from_device};
use minerva_wire::link::{HealthFields, LinkEvent, SILENCE_TIMEOUT_MS, State, WELCOME_TIMEOUT_MS};
use minerva_wire::media::Kind;

use super::Device;
use crate::connection::{AWAY, Carries, FATAL, Phase};
use crate::ports::{Microphone, Transport};
use crate::report::Heard;
use crate::websocket::{Event, Opcode};

/// Bytes that are taken from the transport at a time.
const INPUT: usize = 512;
/// So many times in one poll.
const READS: u8 = 8;
/// Frames that are begun in one poll.
const SENDS: u8 = 8;

/// How far sending came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// There is nothing left to say.
    All,
    /// The transport takes nothing now.
    Busy,
    /// The rest is for the next poll.
    More,
}

impl Device<'_> {
    /// Take what came from the hub, and do as it says.
    pub(super) fn hear<M: Microphone, T: Transport>(
        &mut self,
        microphone: &mut M,
        transport: &mut T,
        now_ms: u64,
    ) {
        let mut input = [0; INPUT];
        for _ in 0..READS {
            if !matches!(
                self.connection.phase(),
                Phase::Shaking { .. } | Phase::Talking
            ) {
                return;
            }
            let size = transport.receive(&mut input);
            let mut rest = input.get(..size).unwrap_or(&input);
            if rest.is_empty() {
                return;
            }
            self.heard_ms = now_ms;
            while self.hear_frame(microphone, &mut rest, now_ms) {}
        }
    }

    /// One frame from the front of `rest`; whether there may be another.
    fn hear_frame<M: Microphone>(
        &mut self,
        microphone: &mut M,
        rest: &mut &[u8],
        now_ms: u64,
    ) -> bool {
        let events = match self.connection.feed(rest) {
            Ok(None) => return false,
            Ok(Some(Event::Opened)) => return self.greet(now_ms),
            Ok(Some(Event::Text(text))) => self.link.receive_text(text),
            Ok(Some(Event::Binary(packet))) => self.link.receive_binary(packet),
            Ok(Some(Event::Close { code, reason })) => {
                let reason = core::str::from_utf8(reason).unwrap_or("?");
                self.notes
                    .trouble(format_args!("link: the hub closed it: {code} {reason}"));
                self.leave(now_ms);
                return false;
            }
            Err(error) => {
                self.failed = true;
                self.notes.trouble(format_args!("link: {error}"));
                self.leave(now_ms);
                return false;
            }
        };
        for event in events {
            if !self.take_event(microphone, event, now_ms) {
                return false;
            }
        }
        true
    }

    /// The WebSocket stands: say hello.
    fn greet(&mut self, now_ms: u64) -> bool {
        if self.connection.busy() {
            self.notes
                .trouble(format_args!("link: the hub answered before it was asked"));
            self.leave(now_ms);
            return false;
        }
        self.connection.opened();
        self.report.forget_heard();
        self.hello_ms = now_ms;
        let hello = self.link.open(now_ms, self.connection.payload());
        self.begin_text(hello, Carries::Control);
        true
    }

    /// One thing that the link found; whether the link goes on.
    fn take_event<M: Microphone>(
        &mut self,
        microphone: &mut M,
        event: LinkEvent,
        now_ms: u64,
    ) -> bool {
        match event {
            LinkEvent::Welcome { utc_ms } => self.welcomed(utc_ms, now_ms),
            LinkEvent::Config => self.configure(),
            LinkEvent::Mode(mode) => {
                self.obey(microphone);
                self.notes.hub(now_ms, format_args!("mode: {mode}"));
            }
            LinkEvent::Muted(state) => {
                self.obey(microphone);
                self.notes.hub(now_ms, format_args!("mute: {state}"));
            }
            LinkEvent::Ack { .. } => self.connection.acked(),
            LinkEvent::HealthAck(_) => {}
            LinkEvent::CheckUpdates => self.updates.check = true,
            LinkEvent::Error { code, message } => self
                .notes
                .hub(now_ms, format_args!("hub: {code}: {message}")),
            LinkEvent::Closed { code, message, own } => {
                if own {
                    self.notes
                        .hub(now_ms, format_args!("link: {code}: {message}"));
                }
                self.failed |= matches!(code.as_str(), "unauthorized" | "unsupported_version");
                self.connection.leave(now_ms, FATAL, &code);
                return false;
            }
        }
        true
    }

    fn welcomed(&mut self, utc_ms: u64, now_ms: u64) {
        self.failed = false;
        self.utc = Some((utc_ms, now_ms));
        self.notes.no_trouble();
        self.connection.welcomed(now_ms);
        self.configure();
        self.recorder.take_level(); // of the time without a link
        let settled = self.link.resume().filter(|resume| resume.stream == 0);
        let again = self
            .recorder
            .packets
            .resume_after(settled.map(|resume| resume.seq));
        self.notes
            .say(format_args!("hub: welcome, {again} packets to send"));
    }

    fn configure(&mut self) {
        self.recorder
            .configure(self.link.kind(), self.link.frames());
        self.report.changed();
    }

    /// Nothing more is to be said but good-bye.
    fn leave(&mut self, now_ms: u64) {
        self.link.lost();
        self.connection.leave(now_ms, AWAY, "");
    }

    /// Give up on a hub that is silent.
    pub(super) fn mind_the_time(&mut self, now_ms: u64) {
        if self.connection.phase() != Phase::Talking {
            return;
        }
        let (what, since_ms, limit_ms) = match self.link.state() {
            State::Live => (
                "nothing heard from the hub for",
                self.heard_ms,
                SILENCE_TIMEOUT_MS,
            ),
            State::Greeting | State::Closed => (
                "no welcome from the hub within",
                self.hello_ms,
                WELCOME_TIMEOUT_MS,
            ),
        };
        if now_ms.saturating_sub(since_ms) > u64::from(limit_ms) {
            self.notes
                .trouble(format_args!("link: {what} {} s", limit_ms / 1000));
            self.leave(now_ms);
        }
    }

    /// Send what waits: messages first, then media, oldest first.
    pub(super) fn send<T: Transport>(&mut self, transport: &mut T, now_ms: u64) -> Sent {
        for _ in 0..SENDS {
            let free = self.connection.flush(transport, self.random);
            let more = match self.connection.phase() {
                Phase::Leaving { until_ms, .. } if free || now_ms >= until_ms => {
                    self.part(transport, now_ms)
                }
                _ if !free => return Sent::Busy,
                Phase::Talking => self.say_next(transport, now_ms),
                _ => false,
            };
            if !more {
                return Sent::All;
            }
        }
        if self.connection.flush(transport, self.random) {
            Sent::More
        } else {
            Sent::Busy
        }
    }

    /// The link's last words, then the connection's; whether there are more.
    fn part<T: Transport>(&mut self, transport: &mut T, now_ms: u64) -> bool {
        if !self.connection.busy() && self.say_answer() {
            return true;
        }
        self.connection.part(transport, now_ms, self.random);
        if matches!(self.connection.phase(), Phase::Down { .. }) {
            self.link.lost();
        }
        false
    }

    /// Begin the next frame; false when there is nothing to say.
    fn say_next<T: Transport>(&mut self, transport: &T, now_ms: u64) -> bool {
        if self.say_answer() {
            return true;
        }
        if self.link.state() != State::Live {
            return false;
        }
        if self.report.take_health(now_ms) {
            let drops = [
                ("overwritten", self.recorder.packets.ring.overwritten()),
                ("discontinuities", self.recorder.discontinuities()),
                (
                    "outbox",
                    self.report
                        .dropped()
                        .saturating_add(u64::from(self.link.dropped())),
                ),
                ("mic_restarts", self.capture.restarts()),
                ("withheld", self.recorder.packets.withheld()),
            ];
            let fields = HealthFields {
                time_ms: now_ms,
                rssi: transport.rssi_dbm().map(|dbm| dbm.min(0)),
                heap_free: self.heap_free,
                drops: &drops,
                noise_cdb: Some(self.recorder.gate().floor_cdb()),
            };
            let health = self.link.health(&fields, self.connection.payload());
            return self.begin_text(health, Carries::Control);
        }
        if let Some(news) = self.updates.news.take() {
            let text = encode_from_device(&news.message(), self.connection.payload());
            return self.begin_text(text, Carries::Control);
        }
        if let Some(heard) = self.report.take() {
            let message = match heard {
                Heard::Level(level) => FromDevice::Level(level),
                Heard::Sound(sound) => FromDevice::Event(sound),
            };
            let text = encode_from_device(&message, self.connection.payload());
            return self.begin_text(text, Carries::Heard);
        }
        self.say_packet()
    }

    /// What the link decided to answer.
    fn say_answer(&mut self) -> bool {
        match self.link.take_outgoing(self.connection.payload()) {
            Ok(None) => false,
            Ok(Some(size)) => self.begin_text(Ok(size), Carries::Control),
            Err(error) => self.begin_text(Err(error), Carries::Control),
        }
    }

    /// The oldest packet that was not yet sent, if the mode in force allows its kind.
    fn say_packet(&mut self) -> bool {
        let privacy = self.link.privacy();
        let Some((a, b)) = self.recorder.packets.ring.peek() else {
            return false;
        };
        let features = a.first().or(b.first()) == Some(&(Kind::LogmelU8 as u8));
        let allowed = if features {
            privacy.allows_features()
        } else {
            privacy.allows_audio()
        };
        let size = a.len().saturating_add(b.len());
        let Some(room) = self
            .connection
            .payload()
            .get_mut(..size)
            .filter(|_| allowed)
        else {
            // A mode that forbids what waits has made the ring forget it; this is the second lock on that door.
            self.recorder.packets.forget();
            return false;
        };
        for (to, from) in room.iter_mut().zip(a.iter().chain(b)) {
            *to = *from;
        }
        let ring = &mut self.recorder.packets.ring;
        let first = ring.fresh() == ring.unsent();
        ring.sent();
        self.connection
            .send_frame(Opcode::Binary, size, Carries::Media { first }, self.random)
    }

    /// Begin the frame whose text was written; one that could not be written is our own fault, and said.
    fn begin_text(&mut self, text: Result<usize, WireError>, carries: Carries) -> bool {
        match text {
            Ok(size) => {
                self.connection
                    .send_frame(Opcode::Text, size, carries, self.random);
            }
            Err(error) => self.notes.say(format_args!("not sent: {error}")),
        }
        true
    }
}
