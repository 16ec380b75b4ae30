//! Whatever a hub says and a microphone does: nothing panics, and nothing leaves that may not.

use minerva_wire::control::FromHub;
use minerva_wire::control::{Config, MuteOrder};
use minerva_wire::media::Kind;
use minerva_wire::privacy::Mode;
use proptest::prelude::*;

use crate::world::{Answer, OnHello, Start, What, World, welcome};

/// Something that happens to a device.
#[derive(Clone, Debug)]
enum Act {
    Pass(u64),
    Mode(usize),
    Kind(usize, u8),
    Mute(bool),
    Press,
    Text(String),
    Bytes(Vec<u8>),
    Cut,
    Takes(usize),
    Gives(usize),
    Loud,
    Clips(bool),
    Silent(bool),
    Refuses(u32),
    Breaks(u32),
    Leap(u64),
    Answers(bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0_u64..1500).prop_map(Act::Pass),
        3 => (0_usize..5).prop_map(Act::Mode),
        1 => (0_usize..3, 1_u8..=10).prop_map(|(kind, frames)| Act::Kind(kind, frames)),
        2 => any::<bool>().prop_map(Act::Mute),
        2 => Just(Act::Press),
        1 => "\\PC{0,40}".prop_map(Act::Text),
        1 => r#"\{"type":"(welcome|config|ack|mute|play|update|error|hello)"(,"(mode|kind|frames|on|seq|fatal|utc_ms)":(null|-1|0|1|300|true|"mute"|"full"|"x"|\[\])){0,3}\}"#.prop_map(Act::Text),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Act::Bytes),
        1 => Just(Act::Cut),
        1 => prop_oneof![Just(0), 1_usize..300, Just(usize::MAX)].prop_map(Act::Takes),
        1 => prop_oneof![1_usize..40, Just(usize::MAX)].prop_map(Act::Gives),
        2 => Just(Act::Loud),
        1 => any::<bool>().prop_map(Act::Clips),
        1 => any::<bool>().prop_map(Act::Silent),
        1 => (0_u32..3).prop_map(Act::Refuses),
        1 => (0_u32..3).prop_map(Act::Breaks),
        1 => (0_u64..5000).prop_map(Act::Leap),
        1 => any::<bool>().prop_map(Act::Answers),
    ]
}

fn happen(world: &mut World, act: &Act) {
    match act {
        Act::Pass(ms) => drop(world.run(*ms)),
        Act::Mode(n) => world.hub.order(&FromHub::Config(Config {
            mode: Some(Mode::ALL[*n]),
            ..Config::default()
        })),
        Act::Kind(n, frames) => world.hub.order(&FromHub::Config(Config {
            kind: Some(Kind::ALL[*n]),
            frames: Some(*frames),
            ..Config::default()
        })),
        Act::Mute(on) => world.hub.order(&FromHub::Mute(MuteOrder { on: *on })),
        Act::Press => world.press(),
        Act::Text(text) => world.hub.text(text),
        Act::Bytes(bytes) => world.hub.raw(bytes),
        Act::Cut => world.hub.cut(),
        Act::Takes(bytes) => world.hub.takes = *bytes,
        Act::Gives(bytes) => world.hub.gives = *bytes,
        Act::Loud => {
            let now = world.now();
            world.microphone.room.sounds.push((now, now + 500, 9000));
        }
        Act::Clips(on) => world.microphone.room.clips = *on,
        Act::Silent(on) => world.microphone.silent = *on,
        Act::Refuses(n) => world.microphone.refuses = *n,
        Act::Breaks(n) => world.microphone.breaks = *n,
        Act::Leap(ms) => world.time.set(world.now() + ms),
        Act::Answers(yes) => {
            world.hub.answer = if *yes {
                Answer::WebSocket
            } else {
                Answer::Silence
            }
        }
    }
}

/// What of `said[from..]` a mode does not allow: one frame may have been on its way when it came into force.
fn forbidden(world: &World, from: usize, mode: &str) -> usize {
    let told = world.hub.said[from..]
        .iter()
        .filter(|said| match &said.what {
            What::Text(text) if text["type"] == "level" || text["type"] == "event" => {
                mode == "mute"
            }
            What::Packet(header, _) if header.kind == Kind::LogmelU8 => mode != "features",
            What::Packet(..) => !matches!(mode, "speech" | "full"),
            _ => false,
        });
    told.count()
}

/// The mode in force, as the device last said.
fn in_force(world: &World) -> String {
    let health = world.hub.last("health");
    match health["mute"].as_str() {
        Some("off") => health["mode"].as_str().unwrap().into(),
        _ => "mute".into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_nothing_leaves_that_may_not(
        acts in proptest::collection::vec(act(), 1..30),
        ceiling in 0_usize..5,
        features: bool,
        last in 0_usize..5,
        pressed: bool,
    ) {
        let ceiling = Mode::ALL[ceiling];
        let mut world = World::new(Start {
            ceiling: ceiling.as_str(),
            identity: minerva_device::Identity { features, ..crate::world::IDENTITY },
            ring_bytes: 8192,
            ..Start::default()
        });
        world.hub.on_hello = OnHello::Welcome(welcome("speech"));
        for act in &acts {
            happen(&mut world, act);
        }
        // In peace again, in a last mode: what leaves from now on is what it allows.
        world.hub.answer = Answer::WebSocket;
        world.hub.takes = usize::MAX;
        world.hub.gives = usize::MAX;
        world.microphone.silent = false;
        world.microphone.refuses = 0;
        world.microphone.breaks = 0;
        world.hub.on_hello = OnHello::Welcome(welcome(Mode::ALL[last].as_str()));
        world.run(300);
        world.hub.cut();
        world.run(16_000);
        prop_assert!(world.device.online(), "{:?}", world.notes);
        let mark = world.hub.said.len();
        if pressed {
            world.press();
            let muted = world.device.light() == minerva_device::LightState::Muted;
            prop_assert!(!muted || !world.microphone.runs());
        }
        world.happen_loudly();
        world.run(11_000);
        let mode = in_force(&world);
        prop_assert!(forbidden(&world, mark, &mode) <= usize::from(pressed), "{} {:?}", mode, &world.hub.said[mark..]);
        prop_assert_eq!(mode == "mute", !world.microphone.runs());
        let mode = Mode::ALL.into_iter().find(|one| one.as_str() == mode).unwrap();
        prop_assert!(mode <= ceiling);
    }
}
