//! What a hub says: welcome, config, ack, mute, play, update, error.

use super::fields::{Fields, Item, Word, open};
use super::from_device::{error, write_error};
use super::message::Message;
use super::{
    Ack, Config, FromHub, MAX_NAME, MuteOrder, Play, PlayAction, Resume, Scratch, UpdateOrder,
    Welcome,
};
use crate::PROTOCOL;
use crate::error::WireError;
use crate::json::Arena;
use crate::media::MAX_FRAMES;

const TYPES: &[&str] = &[
    "ack", "config", "error", "mute", "play", "update", "welcome",
];

impl Word for PlayAction {
    const ALL: &'static [Self] = &[Self::Start, Self::Stop];
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

impl Word for UpdateOrder {
    const ALL: &'static [Self] = &[Self::Check];
    fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
        }
    }
}

/// A text frame of the hub.
///
/// # Errors
///
/// `too_long`, `bad_json`, `unknown_type`, `unsupported_version` or `bad_field`, in this order.
pub fn decode_from_hub<'a>(
    data: &'a [u8],
    scratch: &'a mut Scratch,
) -> Result<FromHub<'a>, WireError> {
    let fields = open(data, TYPES)?;
    let arena = &mut Arena::new(scratch);
    match fields.name() {
        "welcome" => welcome(fields, arena).map(FromHub::Welcome),
        "config" => config(fields).map(FromHub::Config),
        "ack" => ack(fields).map(FromHub::Ack),
        "mute" => Ok(FromHub::Mute(MuteOrder {
            on: fields.get("on")?.bool()?,
        })),
        "play" => play(fields).map(FromHub::Play),
        "update" => fields.get("action")?.word().map(FromHub::Update),
        _ => error(fields, arena).map(FromHub::Error),
    }
}

fn welcome<'a>(fields: Fields<'a>, arena: &mut Arena<'a>) -> Result<Welcome<'a>, WireError> {
    fields.check_version()?;
    Ok(Welcome {
        hub: fields.get("hub")?.text(MAX_NAME, arena)?,
        utc_ms: fields.get("utc_ms")?.time()?,
        mode: fields.get("mode")?.word()?,
        mute: fields.get("mute")?.bool()?,
        kind: fields.get("kind")?.word()?,
        frames: fields.get("frames")?.frames()?,
        resume: fields.maybe("resume", |item| {
            let fields = item.fields("welcome.resume")?;
            Ok(Resume {
                stream: fields.get("stream")?.byte()?,
                seq: fields.get("seq")?.u32()?,
            })
        })?,
    })
}

fn config(fields: Fields<'_>) -> Result<Config, WireError> {
    Ok(Config {
        mode: fields.maybe("mode", Item::word)?,
        kind: fields.maybe("kind", Item::word)?,
        frames: fields.maybe("frames", Item::frames)?,
    })
}

fn ack(fields: Fields<'_>) -> Result<Ack, WireError> {
    Ok(Ack {
        stream: fields.maybe("stream", Item::byte)?,
        seq: fields.maybe("seq", Item::u32)?,
        health: fields.maybe("health", Item::u32)?,
    })
}

fn play(fields: Fields<'_>) -> Result<Play, WireError> {
    Ok(Play {
        action: fields.get("action")?.word()?,
        stream: fields.get("stream")?.byte()?,
        kind: fields.get("kind")?.word()?,
        volume: fields.maybe("volume", Item::percent)?,
    })
}

/// Write a hub's message to the beginning of `out`; its bytes.
///
/// # Errors
///
/// `bad_field` or `too_long` where this side would break the protocol, or `out` has no room.
pub fn encode_from_hub(message: &FromHub<'_>, out: &mut [u8]) -> Result<usize, WireError> {
    let mut to = Message::new(message.type_name(), out);
    match message {
        FromHub::Welcome(welcome) => write_welcome(welcome, &mut to),
        FromHub::Config(config) => {
            if let Some(mode) = config.mode {
                to.word("mode", mode);
            }
            if let Some(kind) = config.kind {
                to.word("kind", kind);
            }
            if let Some(frames) = config.frames {
                to.int("frames", frames, 1, i64::from(MAX_FRAMES));
            }
        }
        FromHub::Ack(ack) => {
            if let Some(stream) = ack.stream {
                to.int("stream", stream, 0, 255);
            }
            if let Some(seq) = ack.seq {
                to.int("seq", seq, 0, i64::from(u32::MAX));
            }
            if let Some(health) = ack.health {
                to.int("health", health, 0, i64::from(u32::MAX));
            }
        }
        FromHub::Mute(order) => to.bool("on", order.on),
        FromHub::Play(play) => {
            to.word("action", play.action);
            to.int("stream", play.stream, 0, 255);
            to.word("kind", play.kind);
            if let Some(volume) = play.volume {
                to.int("volume", volume, 0, 100);
            }
        }
        FromHub::Update(order) => to.word("action", *order),
        FromHub::Error(error) => write_error(error, &mut to),
    }
    to.finish()
}

fn write_welcome(welcome: &Welcome<'_>, to: &mut Message<'_>) {
    to.int("protocol", PROTOCOL, 1, 255);
    to.text("hub", welcome.hub, MAX_NAME);
    to.time("utc_ms", welcome.utc_ms);
    to.word("mode", welcome.mode);
    to.bool("mute", welcome.mute);
    to.word("kind", welcome.kind);
    to.int("frames", welcome.frames, 1, i64::from(MAX_FRAMES));
    if let Some(Resume { stream, seq }) = welcome.resume {
        to.object("resume", |inner| {
            inner.plain("stream", stream);
            inner.plain("seq", seq);
        });
    }
}
