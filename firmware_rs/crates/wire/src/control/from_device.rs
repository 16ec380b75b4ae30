//! What a device says: hello, health, level, event, mute, update, error.

use super::fields::{DB, Fields, Item, SCORE, open};
use super::message::Message;
use super::{
    ErrorMessage, Event, Firmware, FromDevice, Health, Hello, Level, MAX_MESSAGE, MAX_NAME,
    MAX_SLOT, MAX_TOKEN, MAX_WORD, MuteState, Scratch, UpdateState,
};
use crate::PROTOCOL;
use crate::error::WireError;
use crate::json::Arena;

const TYPES: &[&str] = &[
    "error", "event", "health", "hello", "level", "mute", "update",
];

/// A text frame of a device.
///
/// # Errors
///
/// `too_long`, `bad_json`, `unknown_type`, `unsupported_version` or `bad_field`, in this order.
pub fn decode_from_device<'a>(
    data: &'a [u8],
    scratch: &'a mut Scratch,
) -> Result<FromDevice<'a>, WireError> {
    let fields = open(data, TYPES)?;
    let arena = &mut Arena::new(scratch);
    match fields.name() {
        "hello" => hello(fields, arena).map(FromDevice::Hello),
        "health" => health(fields, arena).map(FromDevice::Health),
        "level" => level(fields).map(FromDevice::Level),
        "event" => event(fields, arena).map(FromDevice::Event),
        "mute" => Ok(FromDevice::Mute(MuteState {
            state: fields.get("state")?.word()?,
        })),
        "update" => update(fields, arena).map(FromDevice::Update),
        _ => error(fields, arena).map(FromDevice::Error),
    }
}

fn hello<'a>(fields: Fields<'a>, arena: &mut Arena<'a>) -> Result<Hello<'a>, WireError> {
    fields.check_version()?;
    Ok(Hello {
        device: fields.get("device")?.id(arena)?,
        token: fields.get("token")?.text(MAX_TOKEN, arena)?,
        boot_id: fields.get("boot_id")?.hex()?,
        time_ms: fields.get("time_ms")?.time()?,
        firmware: firmware(fields.get("firmware")?.fields("hello.firmware")?, arena)?,
        slot: fields.get("slot")?.text(MAX_SLOT, arena)?,
        kinds: fields.get("kinds")?.list(1, Item::word)?,
        modes: fields.get("modes")?.list(1, Item::word)?,
        mode: fields.get("mode")?.word()?,
        ceiling: fields.get("ceiling")?.word()?,
        mute: fields.get("mute")?.word()?,
        self_test: fields.maybe("self_test", Item::hex)?,
    })
}

fn firmware<'a>(fields: Fields<'a>, arena: &mut Arena<'a>) -> Result<Firmware<'a>, WireError> {
    Ok(Firmware {
        name: fields.get("name")?.text(MAX_NAME, arena)?,
        version: fields.get("version")?.text(MAX_NAME, arena)?,
        variant: fields.get("variant")?.text(MAX_NAME, arena)?,
        board: fields.get("board")?.text(MAX_NAME, arena)?,
    })
}

fn health<'a>(fields: Fields<'a>, arena: &mut Arena<'a>) -> Result<Health<'a>, WireError> {
    Ok(Health {
        n: fields.get("n")?.u32()?,
        time_ms: fields.get("time_ms")?.time()?,
        uptime_s: fields.get("uptime_s")?.time()?,
        rssi: fields.maybe("rssi", |item| item.int(-128, 0))?,
        heap_free: fields.get("heap_free")?.time()?,
        drops: fields.get("drops")?.counts(MAX_WORD, arena)?,
        version: fields.get("version")?.text(MAX_NAME, arena)?,
        slot: fields.get("slot")?.text(MAX_SLOT, arena)?,
        mode: fields.get("mode")?.word()?,
        mute: fields.get("mute")?.word()?,
        kind: fields.get("kind")?.word()?,
        noise_cdb: fields.maybe("noise_db", Item::db)?,
    })
}

fn level(fields: Fields<'_>) -> Result<Level, WireError> {
    Ok(Level {
        time_ms: fields.get("time_ms")?.time()?,
        rms_cdb: fields.get("rms_db")?.db()?,
        peak_cdb: fields.get("peak_db")?.db()?,
    })
}

fn event<'a>(fields: Fields<'a>, arena: &mut Arena<'a>) -> Result<Event<'a>, WireError> {
    let score = fields.get("score")?.parts(SCORE, 1000.0)?;
    Ok(Event {
        label: fields.get("label")?.text(MAX_WORD, arena)?,
        score_milli: u16::try_from(score).unwrap_or_default(), // 0 to 1000
        start_ms: fields.get("start_ms")?.time()?,
        end_ms: fields.get("end_ms")?.time()?,
        level_cdb: fields.maybe("level_db", Item::db)?,
    })
}

fn update<'a>(fields: Fields<'a>, arena: &mut Arena<'a>) -> Result<UpdateState<'a>, WireError> {
    Ok(UpdateState {
        state: fields.get("state")?.text(MAX_WORD, arena)?,
        version: fields.maybe("version", |item| item.text(MAX_NAME, arena))?,
        progress: fields.maybe("progress", Item::percent)?,
        code: fields.maybe("code", |item| item.text(MAX_WORD, arena))?,
    })
}

/// `error` is the same in both directions.
pub(super) fn error<'a>(
    fields: Fields<'a>,
    arena: &mut Arena<'a>,
) -> Result<ErrorMessage<'a>, WireError> {
    Ok(ErrorMessage {
        code: fields.get("code")?.text(MAX_WORD, arena)?,
        message: fields.get("message")?.text(MAX_MESSAGE, arena)?,
        fatal: fields.get("fatal")?.bool()?,
        supported: fields.maybe("supported", |item| item.list(0, |one| one.int(1, 255)))?,
    })
}

/// Write a device's message to the beginning of `out`; its bytes.
///
/// # Errors
///
/// `bad_field` or `too_long` where this side would break the protocol, or `out` has no room.
pub fn encode_from_device(message: &FromDevice<'_>, out: &mut [u8]) -> Result<usize, WireError> {
    let mut to = Message::new(message.type_name(), out);
    match message {
        FromDevice::Hello(hello) => write_hello(hello, &mut to),
        FromDevice::Health(health) => write_health(health, &mut to),
        FromDevice::Level(level) => {
            to.time("time_ms", level.time_ms);
            to.decimal("rms_db", level.rms_cdb, DB, 2);
            to.decimal("peak_db", level.peak_cdb, DB, 2);
        }
        FromDevice::Event(event) => {
            to.text("label", event.label, MAX_WORD);
            to.decimal("score", i32::from(event.score_milli), SCORE, 3);
            to.time("start_ms", event.start_ms);
            to.time("end_ms", event.end_ms);
            if let Some(level) = event.level_cdb {
                to.decimal("level_db", level, DB, 2);
            }
        }
        FromDevice::Mute(mute) => to.word("state", mute.state),
        FromDevice::Update(update) => {
            to.text("state", update.state, MAX_WORD);
            if let Some(version) = update.version {
                to.text("version", version, MAX_NAME);
            }
            if let Some(progress) = update.progress {
                to.int("progress", progress, 0, 100);
            }
            if let Some(code) = update.code {
                to.text("code", code, MAX_WORD);
            }
        }
        FromDevice::Error(error) => write_error(error, &mut to),
    }
    to.finish()
}

fn write_hello(hello: &Hello<'_>, to: &mut Message<'_>) {
    to.int("protocol", PROTOCOL, 1, 255);
    to.id("device", hello.device);
    to.secret("token", hello.token, MAX_TOKEN);
    to.hex("boot_id", hello.boot_id);
    to.time("time_ms", hello.time_ms);
    let firmware = &hello.firmware;
    to.texts(
        "firmware",
        &[
            ("name", firmware.name),
            ("version", firmware.version),
            ("variant", firmware.variant),
            ("board", firmware.board),
        ],
        MAX_NAME,
    );
    to.text("slot", hello.slot, MAX_SLOT);
    to.words("kinds", &hello.kinds);
    to.words("modes", &hello.modes);
    to.word("mode", hello.mode);
    to.word("ceiling", hello.ceiling);
    to.word("mute", hello.mute);
    if let Some(hash) = hello.self_test {
        to.hex("self_test", hash);
    }
}

fn write_health(health: &Health<'_>, to: &mut Message<'_>) {
    to.int("n", health.n, 0, i64::from(u32::MAX));
    to.time("time_ms", health.time_ms);
    to.time("uptime_s", health.uptime_s);
    if let Some(rssi) = health.rssi {
        to.int("rssi", rssi, -128, 0);
    }
    to.time("heap_free", health.heap_free);
    to.counts("drops", &health.drops, MAX_WORD);
    to.text("version", health.version, MAX_NAME);
    to.text("slot", health.slot, MAX_SLOT);
    to.word("mode", health.mode);
    to.word("mute", health.mute);
    to.word("kind", health.kind);
    if let Some(noise) = health.noise_cdb {
        to.decimal("noise_db", noise, DB, 2);
    }
}

/// `error` is the same in both directions.
pub(super) fn write_error(error: &ErrorMessage<'_>, to: &mut Message<'_>) {
    to.text("code", error.code, MAX_WORD);
    to.text("message", error.message, MAX_MESSAGE);
    to.bool("fatal", error.fatal);
    if let Some(supported) = &error.supported {
        to.numbers("supported", supported, 1);
    }
}
