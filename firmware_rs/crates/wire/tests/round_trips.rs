//! Every message there and back, with anything in its fields that the protocol allows; beyond that our own side refuses.
#![allow(clippy::unwrap_used, reason = "a test")]

use heapless::Vec as Bounded;
use minerva_wire::Code;
use minerva_wire::control::{
    Ack, Config, ErrorMessage, Event, Firmware, FromDevice, FromHub, Health, Hello, Level,
    MAX_MESSAGE, MAX_NAME, MAX_SLOT, MAX_TEXT, MAX_TIME, MAX_TOKEN, MAX_WORD, MuteOrder, MuteState,
    Play, PlayAction, Resume, SCRATCH, UpdateOrder, UpdateState, Welcome, decode_from_device,
    decode_from_hub, encode_from_device, encode_from_hub,
};
use minerva_wire::media::{self, BEGINS, ENDS, HEADER, Header, Kind, MAX_MEDIA, payload_size};
use minerva_wire::privacy::{Mode, Muted};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// A text of at most so many bytes, with all that JSON must escape.
fn text(limit: usize) -> impl Strategy<Value = String> {
    vec(
        prop_oneof![
            any::<char>(),
            select(vec!['"', '\\', '\n', '\u{1}', 'ä', '😀'])
        ],
        0..40,
    )
    .prop_map(move |chars| {
        let fits = |size: &mut usize, c: char| {
            *size += c.len_utf8();
            (*size <= limit).then_some(c)
        };
        chars.into_iter().scan(0, fits).collect()
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    select(Kind::ALL.to_vec())
}

fn mode() -> impl Strategy<Value = Mode> {
    select(Mode::ALL.to_vec())
}

fn muted() -> impl Strategy<Value = Muted> {
    select(Muted::ALL.to_vec())
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![0..=MAX_TIME, Just(0), Just(MAX_TIME), Just(1 << 32)]
}

fn db() -> impl Strategy<Value = i32> {
    -20_000..=5_000
}

fn bounded<T: Clone, const N: usize>(items: &[T]) -> Bounded<T, N> {
    items.iter().cloned().collect()
}

fn device_says(message: &FromDevice<'_>) {
    let (mut out, mut scratch) = ([0; MAX_TEXT], SCRATCH);
    let size = encode_from_device(message, &mut out).unwrap();
    assert_eq!(
        &decode_from_device(&out[..size], &mut scratch).unwrap(),
        message
    );
    let short = encode_from_device(message, &mut out[..size - 1]).unwrap_err();
    assert_eq!(short.code, Code::TooLong);
}

fn hub_says(message: &FromHub<'_>) {
    let (mut out, mut scratch) = ([0; MAX_TEXT], SCRATCH);
    let size = encode_from_hub(message, &mut out).unwrap();
    assert_eq!(
        &decode_from_hub(&out[..size], &mut scratch).unwrap(),
        message
    );
    let short = encode_from_hub(message, &mut out[..size - 1]).unwrap_err();
    assert_eq!(short.code, Code::TooLong);
}

proptest! {
    #[test]
    fn packets(
        kind in kind(), flags in 0..=(BEGINS | ENDS), stream in any::<u8>(), frames in 1..=10_u8,
        seq in any::<u32>(), time_ms in any::<u32>(), seed in any::<u8>(),
    ) {
        let header = Header { kind, flags, stream, frames, seq, time_ms };
        let payload: Vec<u8> = (0..payload_size(kind, frames)).map(|i| (i as u8).wrapping_mul(seed)).collect();
        let mut out = [0; MAX_MEDIA];
        let size = media::encode(&header, &payload, &mut out).unwrap();
        prop_assert_eq!(size, HEADER + payload.len());
        prop_assert_eq!(media::decode(&out[..size]), Ok((header, payload.as_slice())));
    }

    #[test]
    fn any_bytes_are_a_packet_or_an_error(data in vec(any::<u8>(), 0..700)) {
        let _ = media::decode(&data);
    }

    #[test]
    fn hello(
        device in "[a-z0-9-]{1,32}", token in text(MAX_TOKEN), names in vec(text(MAX_NAME), 4), slot in text(MAX_SLOT),
        numbers in (any::<u64>(), time(), option::of(any::<u64>())), kinds in vec(kind(), 1..=8),
        modes in vec(mode(), 1..=8), state in (mode(), mode(), muted()),
    ) {
        device_says(&FromDevice::Hello(Hello {
            device: &device,
            token: &token,
            boot_id: numbers.0,
            time_ms: numbers.1,
            firmware: Firmware { name: &names[0], version: &names[1], variant: &names[2], board: &names[3] },
            slot: &slot,
            kinds: bounded(&kinds),
            modes: bounded(&modes),
            mode: state.0,
            ceiling: state.1,
            mute: state.2,
            self_test: numbers.2,
        }));
    }

    #[test]
    fn health(
        n in any::<u32>(), times in (time(), time(), time()), rssi in option::of(-128..=0_i8),
        drops in proptest::collection::btree_map(text(MAX_WORD), time(), 0..=8), version in text(MAX_NAME),
        slot in text(MAX_SLOT), state in (mode(), muted(), kind()), noise_cdb in option::of(db()),
    ) {
        let drops: Vec<(&str, u64)> = drops.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        device_says(&FromDevice::Health(Health {
            n,
            time_ms: times.0,
            uptime_s: times.1,
            rssi,
            heap_free: times.2,
            drops: bounded(&drops),
            version: &version,
            slot: &slot,
            mode: state.0,
            mute: state.1,
            kind: state.2,
            noise_cdb,
        }));
    }

    #[test]
    fn what_else_a_device_says(
        time_ms in time(), end_ms in time(), rms_cdb in db(), peak_cdb in db(), level_cdb in option::of(db()),
        label in text(MAX_WORD), score_milli in 0..=1000_u16, state in muted(),
        version in option::of(text(MAX_NAME)), progress in option::of(0..=100_u8),
        code in option::of(text(MAX_WORD)),
    ) {
        device_says(&FromDevice::Level(Level { time_ms, rms_cdb, peak_cdb }));
        device_says(&FromDevice::Event(Event { label: &label, score_milli, start_ms: time_ms, end_ms, level_cdb }));
        device_says(&FromDevice::Mute(MuteState { state }));
        device_says(&FromDevice::Update(UpdateState { state: &label, version: version.as_deref(), progress, code: code.as_deref() }));
    }

    #[test]
    fn errors(
        code in text(MAX_WORD), message in text(MAX_MESSAGE), fatal in any::<bool>(),
        supported in option::of(vec(1..=255_u8, 0..=16)),
    ) {
        let supported = supported.as_deref().map(bounded);
        let error = ErrorMessage { code: &code, message: &message, fatal, supported };
        device_says(&FromDevice::Error(error.clone()));
        hub_says(&FromHub::Error(error));
    }

    #[test]
    fn what_a_hub_says(
        hub in text(MAX_NAME), utc_ms in time(), mode in mode(), on in any::<bool>(), kind in kind(), frames in 1..=10_u8,
        place in option::of((any::<u8>(), any::<u32>())), health in option::of(any::<u32>()),
        volume in option::of(0..=100_u8), some in any::<bool>(),
    ) {
        let resume = place.map(|(stream, seq)| Resume { stream, seq });
        hub_says(&FromHub::Welcome(Welcome { hub: &hub, utc_ms, mode, mute: on, kind, frames, resume }));
        hub_says(&FromHub::Config(Config {
            mode: some.then_some(mode),
            kind: on.then_some(kind),
            frames: some.then_some(frames),
        }));
        hub_says(&FromHub::Ack(Ack { stream: place.map(|p| p.0), seq: place.map(|p| p.1), health }));
        hub_says(&FromHub::Mute(MuteOrder { on }));
        let action = if on { PlayAction::Start } else { PlayAction::Stop };
        hub_says(&FromHub::Play(Play { action, stream: frames, kind, volume }));
        hub_says(&FromHub::Update(UpdateOrder::Check));
    }
}

#[test]
fn our_own_faults_are_said_before_they_are_sent() {
    let event = Event {
        label: "x",
        score_milli: 0,
        start_ms: 0,
        end_ms: 0,
        level_cdb: None,
    };
    let long = "x".repeat(33);
    let wrong = [
        FromDevice::Event(Event {
            label: &long,
            ..event
        }),
        FromDevice::Event(Event {
            score_milli: 1001,
            ..event
        }),
        FromDevice::Event(Event {
            end_ms: MAX_TIME + 1,
            ..event
        }),
        FromDevice::Event(Event {
            level_cdb: Some(5001),
            ..event
        }),
        FromDevice::Update(UpdateState {
            state: "x",
            version: None,
            progress: Some(101),
            code: None,
        }),
    ];
    for message in wrong {
        let error = encode_from_device(&message, &mut [0; MAX_TEXT]).unwrap_err();
        assert_eq!(error.code, Code::BadField, "{message:?}");
    }
    let config = Config {
        frames: Some(11),
        ..Config::default()
    };
    let error = encode_from_hub(&FromHub::Config(config), &mut [0; MAX_TEXT]).unwrap_err();
    assert_eq!(
        error.message,
        "config.frames is 11; it must be a whole number from 1 to 10"
    );
}
