//! The link: hello to health, and hubs that are away, silent, wrong or rude.

use minerva_device::LightState;
use minerva_wire::control::{Ack, Config, FromHub, Play, PlayAction, UpdateOrder};
use minerva_wire::media::Kind;

use crate::world::{self, Answer, OnHello, Start, UTC_MS, World, welcome};

#[test]
fn says_hello_and_reports_health_and_levels() {
    let mut world = World::in_mode("speech");
    assert_eq!(world.light(), LightState::Starting);
    world.run(12_000);
    let hello = world.hub.last("hello");
    assert_eq!(hello["device"], "kitchen");
    assert_eq!(hello["firmware"]["variant"], "rust");
    assert_eq!(
        hello["kinds"].to_string(),
        r#"["ima_adpcm","pcm_s16le","logmel_u8"]"#
    );
    assert_eq!(
        hello["modes"].to_string(),
        r#"["mute","events","features","speech","full"]"#
    );
    assert_eq!(hello["self_test"].as_str().unwrap().len(), 16);
    let levels = world.hub.texts("level");
    assert!((46..=48).contains(&levels.len()), "{}", levels.len());
    let health = world.hub.last("health");
    assert_eq!(
        health["drops"].to_string(),
        r#"{"discontinuities":0,"mic_restarts":0,"outbox":0,"overwritten":0,"withheld":0}"#
    );
    assert_eq!(
        (&health["rssi"], &health["mode"], &health["slot"]),
        (&(-60).into(), &"speech".into(), &"main".into())
    );
    assert!(world.hub.texts("health").len() >= 2);
    assert_eq!(world.light(), LightState::Listening);
    assert!(world.device.online());
}

#[test]
fn a_chip_without_fpu_says_audio_only() {
    let mut world = World::new(Start {
        identity: minerva_device::Identity {
            features: false,
            ..world::IDENTITY
        },
        ..Start::default()
    });
    world.hub.on_hello = OnHello::Welcome(welcome("features"));
    world.run(3000);
    let hello = world.hub.last("hello");
    assert_eq!(hello["kinds"].to_string(), r#"["ima_adpcm","pcm_s16le"]"#);
    assert_eq!(
        hello["modes"].to_string(),
        r#"["mute","events","speech","full"]"#
    );
    assert!(hello.get("self_test").is_none());
    assert_eq!(world.hub.errors(), ["unsupported_mode"]);
    assert_eq!(world.hub.last("health")["mode"], "events");
}

#[test]
fn the_hub_tells_the_time() {
    let mut world = World::new(Start {
        now_ms: 86_400_000,
        ..Start::default()
    });
    assert_eq!(world.device.utc_ms(), None);
    world.run(5000);
    let hello_ms = world.hub.last("hello")["time_ms"].as_u64().unwrap();
    let passed_ms = world.device.utc_ms().unwrap() - UTC_MS;
    assert!(
        passed_ms.abs_diff(world.now() - hello_ms) <= 60,
        "{passed_ms}"
    );
}

/// A hub that never gets to a welcome: what it does, and what the device says of it.
#[test]
fn hubs_that_are_away_or_wrong() {
    let table: [(Answer, OnHello, &str); 13] = [
        (
            Answer::Refused,
            OnHello::Silence,
            "link: nobody listens (127.0.0.1 port 8400)",
        ),
        (
            Answer::Opening,
            OnHello::Silence,
            "no connection within 40 s (127.0.0.1 port 8400)",
        ),
        (
            Answer::Silence,
            OnHello::Silence,
            "no handshake within 15 s (127.0.0.1 port 8400)",
        ),
        (Answer::Drop, OnHello::Silence, "connection lost"),
        (
            Answer::Bytes(b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec()),
            OnHello::Silence,
            "not a Minerva hub",
        ),
        (
            Answer::Bytes(b"\x00\xff\x16\r\n\r\n".repeat(99)),
            OnHello::Silence,
            "not a Minerva hub",
        ),
        (
            Answer::WebSocket,
            OnHello::Silence,
            "no welcome from the hub within 10 s",
        ),
        (Answer::WebSocket, OnHello::Drop, "connection lost"),
        (
            Answer::WebSocket,
            OnHello::Close(1013, "later"),
            "the hub closed it: 1013 later",
        ),
        (Answer::WebSocket, OnHello::Text("{".into()), "bad_json"),
        (
            Answer::WebSocket,
            OnHello::Text(r#"{"type":"ack"}"#.into()),
            "unexpected_message",
        ),
        (
            Answer::WebSocket,
            OnHello::Raw(b"\x7f\xff".to_vec()),
            "reserved bits",
        ),
        (
            Answer::WebSocket,
            OnHello::Raw(b"\x82\x01a".to_vec()),
            "forbidden_media",
        ),
    ];
    for (answer, on_hello, said) in table {
        let what = format!("{answer:?} {on_hello:?}");
        // Without features, and muted at first: minutes of sound would make the test slow.
        let mut world = World::new(Start {
            muted: true,
            identity: minerva_device::Identity {
                features: false,
                ..world::IDENTITY
            },
            ..Start::default()
        });
        world.hub.answer = answer;
        world.hub.on_hello = on_hello;
        world.run(100_000);
        world.press();
        assert!(world.noted(said), "{what}: {:?}", world.notes);
        assert!(world.hub.opens.len() >= 2, "{what}: it tries again");
        assert!(world.hub.packets().is_empty() && world.hub.texts("level").is_empty());
        // The same reason is not said over and over.
        assert!(
            world
                .notes
                .iter()
                .filter(|note| note.starts_with("link: no"))
                .count()
                <= 1,
            "{what}"
        );
        // And all is well once the hub is.
        world.hub.answer = Answer::WebSocket;
        world.hub.on_hello = OnHello::Welcome(welcome("full"));
        world.run(60_000);
        assert!(world.device.online(), "{what}: {:?}", world.notes);
        assert_eq!(world.light(), LightState::Hearing);
    }
}

#[test]
fn the_pauses_between_tries_grow_and_are_short_again_after_a_link_that_held() {
    let away = |world: &mut World| {
        let tries = world.hub.opens.len();
        world.hub.answer = Answer::Refused;
        world.hub.cut();
        world.run(60_000);
        world.hub.answer = Answer::WebSocket;
        while !world.device.online() {
            world.run(100);
        }
        let opens = &world.hub.opens[tries..];
        opens
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect::<Vec<_>>()
    };
    let pause = |world: &mut World| {
        let cut_ms = world.now();
        world.hub.cut();
        world.run(15_000);
        assert!(world.device.online());
        let since = world.hub.opens.iter().find(|at| **at >= cut_ms);
        since.unwrap() - cut_ms
    };
    let mut world = World::new(Start::default());
    let grown = away(&mut world);
    assert!(
        grown[0] <= 400 && grown[1] <= 620 && grown[7] >= 8000,
        "{grown:?}"
    );
    assert!(grown.iter().all(|pause| *pause <= 12_050));
    // A welcome is not enough, nor is a minute of a good link used up by one pause.
    world.run(20_000);
    assert!(pause(&mut world) >= 7900);
    world.run(31_000);
    let short = pause(&mut world);
    assert!((240..=430).contains(&short), "{short}");
    // A packet that the hub took is; one health message is not.
    away(&mut world);
    world.hub.order(&FromHub::Ack(Ack {
        health: Some(0),
        ..Ack::default()
    }));
    world.run(100);
    assert!(pause(&mut world) >= 7900);
    world.hub.order(&FromHub::Ack(Ack {
        seq: Some(0),
        ..Ack::default()
    }));
    world.run(100);
    let short = pause(&mut world);
    assert!((240..=430).contains(&short), "{short}");
}

#[test]
fn a_hub_that_welcomes_and_closes_at_once_is_tried_ever_more_rarely() {
    let mut world = World::in_mode("speech");
    for _ in 0..6000 {
        world.run(20);
        if world.device.online() {
            world.hub.cut();
        }
    }
    let tries = world.hub.opens.len();
    // Eight in the first 23 s, then one each ten seconds: some 18 in two minutes.
    assert!((15..=21).contains(&tries), "{tries}");
}

#[test]
fn a_refusal_is_shown_and_said_and_tried_again() {
    let refusal =
        r#"{"type":"error","code":"unauthorized","message":"who is kitchen?","fatal":true}"#;
    let mut world = World::new(Start::default());
    world.hub.on_hello = OnHello::Text(refusal.into());
    world.run(5000);
    assert_eq!(world.light(), LightState::Error);
    assert!(world.noted("hub: unauthorized: who is kitchen?"));
    assert_eq!(world.hub.closes()[0], (1008, "unauthorized"));
    assert!(world.hub.opens.len() > 2);
    world.hub.on_hello = OnHello::Welcome(welcome("speech"));
    world.run(12_000);
    assert_eq!(world.light(), LightState::Listening);
}

#[test]
fn another_protocol_version_is_answered_and_closed() {
    let mut world = World::new(Start::default());
    world.hub.on_hello = OnHello::Text(r#"{"type":"welcome","protocol":2}"#.into());
    world.run(2000);
    let error = world.hub.texts("error")[0];
    assert_eq!(error["code"], "unsupported_version");
    assert_eq!(
        (&error["fatal"], error["supported"].to_string().as_str()),
        (&true.into(), "[1]")
    );
    assert_eq!(world.hub.closes()[0], (1008, "unsupported_version"));
    assert_eq!(world.light(), LightState::Error);
}

#[test]
fn a_hub_that_falls_silent_is_left_after_45_seconds_and_a_ping_counts() {
    let mut world = World::in_mode("speech");
    world.run(130_000);
    assert_eq!(world.hub.opens.len(), 1);
    world.hub.ping_ms = None;
    world.run(46_000);
    assert!(
        world.noted("nothing heard from the hub for 45 s"),
        "{:?}",
        world.notes
    );
    assert_eq!(world.hub.closes(), [(1001, "")]);
    world.run(2000);
    assert_eq!(world.hub.opens.len(), 2);
    assert!(world.device.online());
}

#[test]
fn orders_that_this_device_cannot_follow_are_refused_and_the_link_goes_on() {
    let mut world = World::in_mode("speech");
    world.run(1000);
    world.hub.order(&FromHub::Update(UpdateOrder::Check));
    world.hub.order(&FromHub::Play(Play {
        action: PlayAction::Start,
        stream: 1,
        kind: Kind::PcmS16le,
        volume: None,
    }));
    world.hub.order(&FromHub::Config(Config {
        kind: Some(Kind::LogmelU8),
        ..Config::default()
    }));
    world.hub.order(&FromHub::Ack(Ack {
        seq: Some(0),
        ..Ack::default()
    }));
    world.run(1000);
    assert_eq!(
        world.hub.errors(),
        ["unsupported_update", "unsupported_play", "unknown_kind"]
    );
    assert_eq!(world.hub.last("health")["kind"], "ima_adpcm");
    assert!(world.device.online());
}

#[test]
fn health_is_told_after_each_change_and_every_ten_seconds() {
    let mut world = World::in_mode("speech");
    world.run(1000);
    assert_eq!(world.hub.texts("health").len(), 1);
    world.hub.order(&FromHub::Config(Config {
        kind: Some(Kind::PcmS16le),
        ..Config::default()
    }));
    world.run(500);
    assert_eq!(world.hub.texts("health").len(), 2);
    assert_eq!(world.hub.last("health")["kind"], "pcm_s16le");
    world.run(30_000);
    let counters: Vec<_> = world
        .hub
        .texts("health")
        .iter()
        .map(|health| health["n"].as_u64().unwrap())
        .collect();
    assert_eq!(counters, [0, 1, 2, 3, 4]);
}

#[test]
fn messages_in_single_bytes_and_a_network_that_takes_one_at_a_time() {
    let mut world = World::in_mode("events");
    world.hub.gives = 1;
    world.hub.takes = 1;
    world.run(20_000);
    assert!(world.device.online());
    assert!(world.hub.texts("level").len() > 40);
}

#[test]
fn what_a_stalled_network_cannot_take_gives_way_and_is_counted() {
    let mut world = World::in_mode("events");
    world.run(1000);
    world.hub.takes = 0;
    world.run(10_000);
    world.hub.takes = usize::MAX;
    world.hub.order(&FromHub::Config(Config::default()));
    world.run(1000);
    let outbox = world.hub.last("health")["drops"]["outbox"]
        .as_u64()
        .unwrap();
    // 40 levels, of which 16 waited and one was on its way.
    assert!((22..=24).contains(&outbox), "{outbox}");
    assert_eq!(world.hub.opens.len(), 1);
}

#[test]
fn where_there_is_an_updater_it_hears_of_updates_and_tells_of_them() {
    let mut world = World::in_mode("speech");
    world.device.has_updater();
    world.run(1000);
    assert!(!world.device.take_update_check());
    world.hub.order(&FromHub::Update(UpdateOrder::Check));
    world.run(500);
    assert!(world.device.take_update_check());
    assert!(!world.device.take_update_check());
    assert!(world.hub.errors().is_empty());
    world.device.tell_update(minerva_device::News {
        state: "failed",
        code: Some("bad_hash"),
        progress: None,
    });
    world.run(500);
    let update = world.hub.last("update");
    assert_eq!(
        (&update["state"], &update["code"]),
        (&"failed".into(), &"bad_hash".into())
    );
}
