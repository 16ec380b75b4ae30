//! The link's state machine: every state and message, orders of the hub, refusals, what a hostile hub can bring about.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use minerva_wire::control::{Firmware, FromDevice, MAX_TEXT, Resume, SCRATCH, decode_from_device};
use minerva_wire::link::{HealthFields, Identity, Link, LinkEvent, State};
use minerva_wire::media::{Kind, MAX_MEDIA};
use minerva_wire::privacy::{Mode, Modes, Muted, Privacy};
use proptest::prelude::*;

const WELCOME: &str = r#"{"type":"welcome","protocol":1,"hub":"hub-1","utc_ms":1700000000000,"mode":"speech","mute":false,"kind":"ima_adpcm","frames":5,"resume":{"stream":0,"seq":41}}"#;
const FATAL: &str =
    r#"{"type":"error","code":"unauthorized","message":"no such token","fatal":true}"#;
const MILD: &str = r#"{"type":"error","code":"bad_field","message":"health.n","fatal":false}"#;
const LIVE_ONLY: [&str; 6] = [
    r#"{"type":"config","frames":2}"#,
    r#"{"type":"ack","stream":0,"seq":4}"#,
    r#"{"type":"mute","on":true}"#,
    r#"{"type":"play","action":"stop","stream":1,"kind":"pcm_s16le"}"#,
    r#"{"type":"update","action":"check"}"#,
    MILD,
];

fn identity(kinds: &[Kind]) -> Identity {
    Identity {
        device: "kitchen".try_into().unwrap(),
        token: "secret".try_into().unwrap(),
        boot_id: 0x0011_2233_4455_66ff,
        firmware: Firmware {
            name: "minerva",
            version: "0.1.0",
            variant: "rust",
            board: "virtual",
        },
        slot: "a".try_into().unwrap(),
        kinds: kinds.iter().copied().collect(),
        self_test: Some(0xcafe),
    }
}

fn link_with(ceiling: Mode, modes: Modes) -> Link {
    let kinds = [Kind::ImaAdpcm, Kind::PcmS16le, Kind::LogmelU8];
    Link::new(
        identity(&kinds),
        Privacy::new(ceiling, modes, ceiling, Muted::Off),
    )
}

fn greeting() -> Link {
    let mut link = link_with(Mode::Speech, Modes::ALL);
    link.open(5, &mut [0; MAX_TEXT]).unwrap();
    link
}

fn live() -> Link {
    let mut link = greeting();
    assert_eq!(
        link.receive_text(WELCOME.as_bytes()).as_slice(),
        [LinkEvent::Welcome {
            utc_ms: 1_700_000_000_000
        }]
    );
    link
}

/// What the link says to the hub: the texts, decoded again.
fn said(link: &mut Link) -> Vec<String> {
    let mut out = [0; MAX_TEXT];
    let mut all = Vec::new();
    while let Some(size) = link.take_outgoing(&mut out).unwrap() {
        let mut scratch = SCRATCH;
        all.push(
            match decode_from_device(&out[..size], &mut scratch).unwrap() {
                FromDevice::Error(error) => format!("{} fatal={}", error.code, error.fatal),
                FromDevice::Mute(mute) => format!("mute {}", mute.state),
                other => panic!("{other:?}"),
            },
        );
    }
    all
}

fn closed_by(link: &mut Link, text: &str) -> (String, bool) {
    let events = link.receive_text(text.as_bytes());
    let Some(LinkEvent::Closed { code, own, .. }) = events.last() else {
        panic!("{text} brought {events:?}");
    };
    assert_eq!(link.state(), State::Closed);
    (code.to_string(), *own)
}

#[test]
fn hello_says_who_the_device_is() {
    let mut out = [0; MAX_TEXT];
    let mut link = link_with(Mode::Speech, Modes::WITHOUT_FEATURES);
    let size = link.open(1 << 40, &mut out).unwrap();
    let mut scratch = SCRATCH;
    let FromDevice::Hello(hello) = decode_from_device(&out[..size], &mut scratch).unwrap() else {
        panic!("not a hello");
    };
    assert_eq!(hello.device, "kitchen");
    assert_eq!(hello.time_ms, 1 << 40);
    assert_eq!(hello.boot_id, 0x0011_2233_4455_66ff);
    assert_eq!(
        hello.modes.as_slice(),
        [Mode::Mute, Mode::Events, Mode::Speech, Mode::Full]
    );
    assert_eq!(
        (hello.mode, hello.ceiling, hello.mute),
        (Mode::Speech, Mode::Speech, Muted::Off)
    );
    assert_eq!(hello.self_test, Some(0xcafe));
    assert_eq!(link.state(), State::Greeting);
}

#[test]
fn every_message_in_every_state() {
    for text in LIVE_ONLY {
        let mut link = live();
        link.receive_text(text.as_bytes());
        assert_eq!(link.state(), State::Live, "{text}");
        let mut link = greeting();
        if text == MILD {
            link.receive_text(text.as_bytes());
            assert_eq!(link.state(), State::Greeting);
        } else {
            assert_eq!(
                closed_by(&mut link, text),
                ("unexpected_message".into(), true),
                "{text}"
            );
            assert_eq!(said(&mut link), ["unexpected_message fatal=true"]);
        }
    }
    assert_eq!(
        closed_by(&mut live(), WELCOME),
        ("unexpected_message".into(), true)
    );
    assert_eq!(
        closed_by(&mut greeting(), FATAL),
        ("unauthorized".into(), false)
    );
    let mut link = live();
    assert_eq!(closed_by(&mut link, FATAL), ("unauthorized".into(), false));
    assert!(
        said(&mut link).is_empty(),
        "nothing is answered to a hub that closes"
    );
    for text in LIVE_ONLY.iter().chain([&WELCOME, &FATAL]) {
        assert!(
            link.receive_text(text.as_bytes()).is_empty(),
            "closed is deaf"
        );
    }
    assert!(link.receive_binary(&[0; 12]).is_empty());
}

#[test]
fn garbage_closes_with_its_code() {
    for (text, code) in [
        ("{", "bad_json"),
        (r#"{"type":"hello"}"#, "unknown_type"),
        (r#"{"type":"mute"}"#, "bad_field"),
        (r#"{"type":"welcome","protocol":2}"#, "unsupported_version"),
    ] {
        let mut link = live();
        assert_eq!(closed_by(&mut link, text), (code.into(), true));
        assert_eq!(said(&mut link), [format!("{code} fatal=true")]);
    }
    let mut link = live();
    assert_eq!(
        closed_by(&mut link, &" ".repeat(MAX_TEXT + 1)),
        ("too_long".into(), true)
    );
}

#[test]
fn media_from_the_hub_is_refused() {
    for (size, want) in [(12, "forbidden_media"), (MAX_MEDIA + 1, "too_long")] {
        let mut link = live();
        let events = link.receive_binary(&vec![0; size]);
        assert!(matches!(&events[..], [LinkEvent::Closed { code, own: true, .. }] if code == want));
        assert_eq!(said(&mut link), [format!("{want} fatal=true")]);
    }
}

#[test]
fn welcome_says_how_to_go_on() {
    let mut link = live();
    assert_eq!(link.resume(), Some(Resume { stream: 0, seq: 41 }));
    assert_eq!((link.kind(), link.frames()), (Kind::ImaAdpcm, 5));
    assert!(said(&mut link).is_empty());
    link.lost();
    assert_eq!(link.state(), State::Closed);
    link.open(9, &mut [0; MAX_TEXT]).unwrap();
    assert_eq!(
        link.resume(),
        None,
        "a new connection knows nothing of the old one's"
    );
}

#[test]
fn a_kind_that_is_not_audio_is_refused() {
    let mut link = live();
    link.receive_text(br#"{"type":"config","kind":"pcm_s16le","frames":1}"#);
    assert_eq!((link.kind(), link.frames()), (Kind::PcmS16le, 1));
    let events = link.receive_text(br#"{"type":"config","kind":"logmel_u8"}"#);
    assert_eq!(events.as_slice(), [LinkEvent::Config]);
    assert_eq!(link.kind(), Kind::PcmS16le);
    assert_eq!(said(&mut link), ["unknown_kind fatal=false"]);
    assert_eq!(link.state(), State::Live);

    let privacy = Privacy::new(Mode::Full, Modes::ALL, Mode::Full, Muted::Off);
    let mut link = Link::new(identity(&[Kind::LogmelU8, Kind::PcmS16le]), privacy);
    assert_eq!(
        link.kind(),
        Kind::PcmS16le,
        "features are no kind of audio to begin with"
    );
    link.open(0, &mut [0; MAX_TEXT]).unwrap();
    link.receive_text(WELCOME.as_bytes());
    assert_eq!(
        said(&mut link),
        ["unknown_kind fatal=false"],
        "a kind it does not have"
    );
}

#[test]
fn orders_about_modes() {
    let mut link = live();
    let ask = |link: &mut Link, mode: &str| {
        let text = format!(r#"{{"type":"config","mode":"{mode}"}}"#);
        link.receive_text(text.as_bytes())
    };
    assert_eq!(
        ask(&mut link, "events").as_slice(),
        [LinkEvent::Config, LinkEvent::Mode(Mode::Events)]
    );
    assert_eq!(ask(&mut link, "full").as_slice(), [LinkEvent::Config]);
    assert_eq!(said(&mut link), ["above_ceiling fatal=false"]);
    assert_eq!(
        link.privacy().mode(),
        Mode::Events,
        "an order above the ceiling changes nothing"
    );

    let mut link = link_with(Mode::Full, Modes::WITHOUT_FEATURES);
    link.open(0, &mut [0; MAX_TEXT]).unwrap();
    link.receive_text(WELCOME.as_bytes());
    assert_eq!(
        ask(&mut link, "features").as_slice(),
        [LinkEvent::Config, LinkEvent::Mode(Mode::Events)]
    );
    assert_eq!(said(&mut link), ["unsupported_mode fatal=false"]);
}

#[test]
fn mute_by_hub_and_button() {
    let mut link = live();
    let order = |link: &mut Link, on: bool| {
        let text = format!(r#"{{"type":"mute","on":{on}}}"#);
        (link.receive_text(text.as_bytes()), said(link))
    };
    let (events, texts) = order(&mut link, true);
    assert_eq!(events.as_slice(), [LinkEvent::Muted(Muted::Hub)]);
    assert_eq!(texts, ["mute hub"]);
    assert_eq!(
        order(&mut link, true),
        (Default::default(), vec!["mute hub".into()])
    );

    assert_eq!(
        link.button(),
        Muted::Button,
        "a press can never open the microphone"
    );
    assert_eq!(said(&mut link), ["mute button"]);
    let refused = vec!["muted_at_button fatal=false".into(), "mute button".into()];
    assert_eq!(order(&mut link, false), (Default::default(), refused));
    assert_eq!(link.privacy().effective(), Mode::Mute);

    link.lost();
    link.open(0, &mut [0; MAX_TEXT]).unwrap();
    link.receive_text(WELCOME.as_bytes());
    assert!(
        said(&mut link).is_empty(),
        "a welcome that does not mute is no order to end the button's"
    );
    assert_eq!(link.privacy().muted(), Muted::Button);
    assert_eq!(link.button(), Muted::Off);
    assert_eq!(said(&mut link), ["mute off"]);

    link.lost();
    link.button();
    assert!(said(&mut link).is_empty(), "nobody listens");
}

#[test]
fn a_welcome_can_mute_and_lower_at_once() {
    let mut link = greeting();
    let text = WELCOME
        .replace("\"speech\"", "\"events\"")
        .replace("false", "true");
    let events = link.receive_text(text.as_bytes());
    assert_eq!(
        events[1..],
        [LinkEvent::Mode(Mode::Events), LinkEvent::Muted(Muted::Hub)]
    );
    assert_eq!(said(&mut link), ["mute hub"]);
}

#[test]
fn acks_and_refusals_of_what_the_device_lacks() {
    let mut link = live();
    let events = link.receive_text(br#"{"type":"ack","seq":7,"health":3}"#);
    assert_eq!(
        events.as_slice(),
        [
            LinkEvent::Ack { stream: 0, seq: 7 },
            LinkEvent::HealthAck(3)
        ]
    );
    assert_eq!(link.health_acked(), Some(3));
    link.receive_text(br#"{"type":"play","action":"start","stream":1,"kind":"pcm_s16le"}"#);
    link.receive_text(br#"{"type":"update","action":"check"}"#);
    assert_eq!(
        said(&mut link),
        [
            "unsupported_play fatal=false",
            "unsupported_update fatal=false"
        ]
    );
    assert_eq!(link.state(), State::Live);
}

#[test]
fn health_counts_what_was_written() {
    let mut link = live();
    let drops = [("overwritten", 1), ("outbox", 2)];
    let fields = HealthFields {
        time_ms: 61_500,
        rssi: Some(-61),
        heap_free: 1000,
        drops: &drops,
        noise_cdb: Some(-7125),
    };
    let mut out = [0; MAX_TEXT];
    assert!(link.health(&fields, &mut [0; 20]).is_err());
    for n in 0..2 {
        let size = link.health(&fields, &mut out).unwrap();
        let mut scratch = SCRATCH;
        let FromDevice::Health(health) = decode_from_device(&out[..size], &mut scratch).unwrap()
        else {
            panic!("not health");
        };
        assert_eq!(
            (health.n, health.uptime_s, health.noise_cdb),
            (n, 61, Some(-7125))
        );
        assert_eq!(health.drops.as_slice(), drops);
    }
}

#[test]
fn what_nobody_fetches_gives_way_to_what_is_newer() {
    let mut link = live();
    for _ in 0..10 {
        link.receive_text(br#"{"type":"update","action":"check"}"#);
    }
    closed_by(&mut link, "{");
    let texts = said(&mut link);
    assert_eq!((texts.len(), link.dropped()), (8, 3));
    assert_eq!(texts.last().unwrap(), "bad_json fatal=true");
}

fn mode() -> impl Strategy<Value = Mode> {
    proptest::sample::select(Mode::ALL.to_vec())
}

proptest! {
    /// Nothing that comes over the link opens a device beyond its ceiling, or ends a mute made at the button.
    #[test]
    fn a_hostile_hub_opens_nothing(
        ceiling in mode(),
        features in any::<bool>(),
        orders in proptest::collection::vec((0..4_u8, mode(), any::<bool>()), 0..20),
    ) {
        let modes = if features { Modes::ALL } else { Modes::WITHOUT_FEATURES };
        let mut link = link_with(ceiling, modes);
        link.open(0, &mut [0; MAX_TEXT]).unwrap();
        let mut pressed = false;
        for (what, mode, on) in orders {
            match what {
                0 => { link.receive_text(WELCOME.replace("speech", mode.as_str()).as_bytes()); }
                1 => { link.receive_text(format!(r#"{{"type":"config","mode":"{mode}"}}"#).as_bytes()); }
                2 => { link.receive_text(format!(r#"{{"type":"mute","on":{on}}}"#).as_bytes()); }
                _ => pressed = link.button() == Muted::Button,
            }
            prop_assert!(link.privacy().mode() <= ceiling);
            prop_assert!(modes.has(link.privacy().mode()));
            prop_assert_eq!(pressed, link.privacy().muted() == Muted::Button);
            prop_assert!(!pressed || link.privacy().effective() == Mode::Mute);
        }
    }
}
