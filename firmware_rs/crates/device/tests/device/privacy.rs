//! Who may hear what, whatever the hub orders.

use minerva_device::LightState;
use minerva_wire::control::{Config, FromHub, MuteOrder};
use minerva_wire::media::{HOP_MS, Kind};
use minerva_wire::privacy::Mode;

use crate::world::{OnHello, Start, What, World, welcome};

const MODES: [&str; 5] = ["mute", "events", "features", "speech", "full"];

fn mode(name: &str) -> Mode {
    *Mode::ALL.iter().find(|mode| mode.as_str() == name).unwrap()
}

fn order_mode(world: &mut World, name: &str) {
    world.hub.order(&FromHub::Config(Config {
        mode: Some(mode(name)),
        ..Config::default()
    }));
}

fn order_mute(world: &mut World, on: bool) {
    world.hub.order(&FromHub::Mute(MuteOrder { on }));
}

/// A loud room from two to three seconds after now.
fn sound(world: &mut World) {
    let now = world.now();
    world
        .microphone
        .room
        .sounds
        .push((now + 2000, now + 3000, 8000));
}

/// What was said since the message `from`: levels, events, audio, features.
fn told(world: &World, from: usize) -> [bool; 4] {
    let mut told = [false; 4];
    for said in &world.hub.said[from..] {
        match &said.what {
            What::Text(text) if text["type"] == "level" => told[0] = true,
            What::Text(text) if text["type"] == "event" => told[1] = true,
            What::Packet(header, _) if header.kind == Kind::LogmelU8 => told[3] = true,
            What::Packet(..) => told[2] = true,
            _ => {}
        }
    }
    told
}

#[test]
fn what_leaves_in_each_mode() {
    let table = [
        ("mute", [false, false, false, false], LightState::Muted),
        ("events", [true, true, false, false], LightState::Listening),
        ("features", [true, false, false, true], LightState::Hearing),
        ("speech", [true, false, true, false], LightState::Listening),
        ("full", [true, false, true, false], LightState::Hearing),
    ];
    for (name, leaves, light) in table {
        let mut world = World::in_mode(name);
        sound(&mut world);
        world.run(10_000);
        assert_eq!(told(&world, 0), leaves, "{name}");
        assert_eq!(world.light(), light, "{name}");
        assert_eq!(world.microphone.runs(), name != "mute");
        assert_eq!(world.hub.last("health")["mode"], name);
    }
}

#[test]
fn every_change_of_mode_leaves_nothing_of_the_old_one() {
    for from in MODES {
        for to in MODES {
            let mut world = World::in_mode(from);
            world.run(1000);
            // What is recorded now cannot be sent before the change.
            world.hub.takes = 0;
            sound(&mut world);
            world.run(5000);
            order_mode(&mut world, to);
            world.run(200);
            let mark = world.hub.said.len();
            let changed_ms = world.now();
            world.hub.takes = usize::MAX;
            sound(&mut world);
            world.run(8000);
            let [levels, _, audio, features] = told(&world, mark);
            let on_its_way = usize::from(from != to); // one frame that had begun
            let kinds: Vec<Kind> = world
                .hub
                .packets()
                .iter()
                .map(|(header, _)| header.kind)
                .collect();
            assert_eq!(levels, to != "mute", "{from} {to}");
            assert_eq!(features, to == "features", "{from} {to}");
            assert_eq!(audio, matches!(to, "speech" | "full"), "{from} {to}");
            if matches!(
                (from, to),
                ("full", "speech") | ("features", _) | (_, "features")
            ) && from != to
            {
                let old = world.hub.said[mark..].iter().filter(
                    |said| matches!(said.what, What::Packet(header, _) if u64::from(header.time_ms) + 700 < changed_ms),
                );
                assert!(old.count() <= on_its_way, "{from} {to}: {kinds:?}");
            }
        }
    }
}

#[test]
fn what_is_forgotten_is_counted() {
    let mut world = World::in_mode("full");
    world.run(1000);
    world.hub.takes = 0;
    world.run(5000);
    order_mode(&mut world, "events");
    world.run(100);
    world.hub.takes = usize::MAX;
    world.run(500);
    let drops = &world.hub.last("health")["drops"];
    assert_eq!(
        drops["overwritten"], 0,
        "nothing that anybody wanted is lost"
    );
    let lost = drops["withheld"].as_u64().unwrap();
    // 5 s of packets of 60 ms, but for the one that was on its way.
    assert!((80..=86).contains(&lost), "{lost}");
}

#[test]
fn a_hostile_hub_cannot_raise_the_ceiling() {
    for ceiling in MODES {
        let mut world = World::new(Start {
            ceiling: match ceiling {
                "mute" => "mute",
                "events" => "events",
                "features" => "features",
                "speech" => "speech",
                _ => "full",
            },
            ..Start::default()
        });
        world.hub.on_hello = OnHello::Welcome(welcome("full"));
        sound(&mut world);
        world.run(5000);
        for name in MODES {
            order_mode(&mut world, name);
            world.run(200);
            let now = world.hub.last("health")["mode"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(
                mode(&now) <= mode(ceiling),
                "{ceiling}: {name} made it {now}"
            );
        }
        let above = MODES
            .iter()
            .filter(|name| mode(name) > mode(ceiling))
            .count();
        let refused = world
            .hub
            .errors()
            .iter()
            .filter(|code| **code == "above_ceiling")
            .count();
        assert_eq!(refused, above + usize::from(ceiling != "full"));
        assert_eq!(world.hub.opens.len(), 1);
    }
}

#[test]
fn the_button_mutes_at_once_and_only_the_button_ends_it() {
    let mut world = World::in_mode("full");
    world.run(3000);
    assert!(world.microphone.runs());
    world.press();
    assert!(!world.microphone.runs(), "before anything else is polled");
    assert!(world.store.muted);
    assert_eq!(world.light(), LightState::Muted);
    let mark = world.hub.said.len();
    world.run(3000);
    assert_eq!(told(&world, mark), [false; 4]);
    assert_eq!(world.hub.last("mute")["state"], "button");
    assert_eq!(world.hub.last("health")["mute"], "button");
    order_mute(&mut world, false);
    order_mute(&mut world, true);
    order_mode(&mut world, "full");
    world.run(1000);
    assert_eq!(world.hub.errors(), ["muted_at_button"]);
    assert!(!world.microphone.runs());
    assert_eq!(told(&world, mark), [false; 4]);
    world.press();
    world.run(3000);
    assert!(world.microphone.runs() && !world.store.muted);
    assert!(told(&world, mark)[2]);
    let after = world.hub.said[mark..]
        .iter()
        .find_map(|said| match said.what {
            What::Packet(header, ref payload) => Some((header, payload)),
            _ => None,
        });
    let (header, payload) = after.unwrap();
    assert_eq!(header.flags & 1, 1, "another recording BEGINS");
    assert_eq!(
        payload[..4],
        [0; 4],
        "and the codec knows nothing of the last"
    );
}

#[test]
fn a_press_ends_no_mute_of_the_hub() {
    let mut world = World::in_mode("full");
    world.run(1000);
    order_mute(&mut world, true);
    world.run(100);
    assert_eq!(world.hub.last("mute")["state"], "hub");
    assert!(!world.microphone.runs());
    world.press();
    world.run(100);
    assert_eq!(world.hub.last("mute")["state"], "button");
    world.press();
    world.run(1000);
    assert_eq!(world.hub.last("mute")["state"], "off");
    assert!(world.microphone.runs());
}

#[test]
fn a_mute_of_the_hub_ends_by_the_hub_and_by_its_welcome() {
    let mut world = World::in_mode("full");
    world.run(1000);
    order_mute(&mut world, true);
    world.run(1000);
    assert_eq!(world.light(), LightState::Muted);
    order_mute(&mut world, false);
    world.run(1000);
    assert_eq!(world.hub.last("mute")["state"], "off");
    assert!(world.microphone.runs());
    if let OnHello::Welcome(welcome) = &mut world.hub.on_hello {
        welcome.mute = true;
    }
    world.hub.cut();
    world.run(2000);
    assert!(!world.microphone.runs());
    assert_eq!(world.hub.last("hello")["mute"], "off");
    assert_eq!(world.hub.last("health")["mute"], "hub");
}

#[test]
fn a_mute_at_the_button_outlasts_a_restart_and_is_there_before_anything_is_heard() {
    let mut world = World::new(Start {
        muted: true,
        ..Start::default()
    });
    world.run(3000);
    assert!(world.microphone.starts.is_empty());
    assert_eq!(world.hub.last("hello")["mute"], "button");
    assert_eq!(world.light(), LightState::Muted);
    world.press();
    world.run(1000);
    assert!(world.microphone.runs() && !world.store.muted);
}

#[test]
fn a_press_before_the_first_poll_counts() {
    let mut world = World::new(Start::default());
    world.press();
    world.run(1000);
    assert!(world.microphone.starts.is_empty());
    let mut world = World::new(Start {
        muted: true,
        ..Start::default()
    });
    world.press();
    world.run(1000);
    assert!(world.microphone.runs());
}

#[test]
fn a_store_that_fails_mutes_all_the_same_and_says_so() {
    let mut world = World::in_mode("full");
    world.run(1000);
    world.store.fails = true;
    world.press();
    assert!(!world.microphone.runs());
    assert_eq!(world.light(), LightState::Muted);
    assert!(world.noted("flash is worn out"));
    assert_eq!(world.store.writes, 1);
}

#[test]
fn what_was_heard_before_a_mute_and_still_waits_is_dropped_and_counted() {
    let mut world = World::in_mode("full");
    world.run(1000);
    let sent = world.hub.said.len();
    world.hub.takes = 0;
    world.run(3000);
    world.press();
    world.hub.takes = usize::MAX;
    world.run(1000);
    assert_eq!(told(&world, sent), [false; 4]);
    let drops = &world.hub.last("health")["drops"];
    assert!(drops["outbox"].as_u64().unwrap() >= 12, "{drops}");
    assert!(drops["withheld"].as_u64().unwrap() >= 40, "{drops}");
}

#[test]
fn a_packet_that_is_taken_back_before_it_began_is_no_loss() {
    let mut world = World::in_mode("full");
    world.run(1000);
    for round in 0..6 {
        world.run(1000 + 50 * round); // it may be a level that is on its way, or a packet
        let sent = world.hub.packets().len();
        let withheld = world
            .hub
            .texts("health")
            .last()
            .map_or(0, |health| health["drops"]["withheld"].as_u64().unwrap());
        world.hub.takes = 0;
        world.run(3000);
        world.press();
        world.hub.takes = usize::MAX;
        world.run(1000);
        assert_eq!(world.hub.packets().len(), sent, "{round}");
        let lost = &world.hub.last("health")["drops"]["withheld"];
        assert!(lost.as_u64().unwrap() >= withheld + 45, "{round}: {lost}");
        world.press();
        world.run(1000);
    }
    let numbers: Vec<u32> = world
        .hub
        .packets()
        .iter()
        .map(|(header, _)| header.seq)
        .collect();
    let all: Vec<u32> = (0..).take(numbers.len()).collect();
    assert_eq!(numbers, all, "a pause is no loss");
}

#[test]
fn loud_sounds_are_told_when_they_are_over() {
    let mut world = World::in_mode("events");
    world.microphone.room.sounds = vec![(3000, 3500, 8000), (9000, 9100, 8000)];
    world.run(14_000);
    let events = world.hub.texts("event");
    assert_eq!(events.len(), 2);
    for (event, at_ms) in events.iter().zip([3000_u64, 9000]) {
        assert_eq!(
            (&event["label"], event["score"].as_f64()),
            (&"loud_sound".into(), Some(1.0))
        );
        let start = event["start_ms"].as_u64().unwrap();
        assert!((at_ms..at_ms + 100).contains(&start), "{event}");
        assert!(event["end_ms"].as_u64().unwrap() > start + 1500);
    }
}

#[test]
fn features_flow_without_a_gap_and_last_as_long_as_audio_would() {
    for (frames, hops) in [(1, 2), (3, 6), (5, 10), (10, 10)] {
        let mut world = World::new(Start::default());
        let mut welcome = welcome("features");
        welcome.frames = frames;
        world.hub.on_hello = OnHello::Welcome(welcome);
        world.run(4000);
        let packets = world.hub.packets();
        assert!(packets.len() > 30);
        assert_eq!(packets[0].0.flags, 1);
        for pair in packets.windows(2) {
            let [(a, _), (b, _)] = pair else {
                unreachable!()
            };
            assert_eq!((a.kind, a.frames), (Kind::LogmelU8, hops));
            assert_eq!(
                (b.time_ms - a.time_ms, b.seq - a.seq),
                (u32::from(hops) * HOP_MS, 1)
            );
            assert_eq!(b.flags, 0);
        }
    }
}
