//! Which slot runs: the gate, the boot record, and what is started when power comes back.

use minerva_ota::flash::{Flash, Region, SECTOR, Slot, crc32};
use minerva_ota::gate::{self, Facts, Order, Verdict, Why};
use minerva_ota::record::{self, Outcome, Place, Record, Trial};
use minerva_ota::select::{self, Entry, State};
use minerva_ota::sign::sha256;
use minerva_ota::slots::{Next, Slots};
use serde_json::{Value, json};

use super::power::chip::Chip;
use super::power::world::{SLOT_BYTES, image};
use super::{hex, number, text, unhex};

const PLACES: [(Place, &str); 4] = [
    (Place::A, "a"),
    (Place::B, "b"),
    (Place::Dev, "dev"),
    (Place::Main, "main"),
];
const TRIALS: [(Trial, &str); 3] = [
    (Trial::None, "none"),
    (Trial::Waiting, "waiting"),
    (Trial::Running, "running"),
];
/// As docs/ota.md numbers them.
const OUTCOMES: [Outcome; 7] = [
    Outcome::Nothing,
    Outcome::Kept,
    Outcome::NoHealth,
    Outcome::Deaf,
    Outcome::NoHub,
    Outcome::Damaged,
    Outcome::RecordLost,
];

fn name_of<T: PartialEq + Copy>(names: &[(T, &'static str)], value: T) -> &'static str {
    names.iter().find(|(v, _)| *v == value).unwrap().1
}

fn named<T: Copy>(names: &[(T, &str)], name: &str) -> u8 {
    let at = names.iter().position(|(_, n)| *n == name).unwrap();
    at.try_into().unwrap()
}

pub fn gate(vectors: &[Value]) {
    for vector in vectors {
        let name = &vector["name"];
        let told = &vector["facts"];
        let facts = Facts {
            welcomed: told["welcomed"].as_bool().unwrap(),
            health_acked: told["health_acked"].as_bool().unwrap(),
            microphone: match text(told, "microphone") {
                "waiting" => Verdict::Waiting,
                "passed" => Verdict::Passed,
                "failed" => Verdict::Failed,
                other => panic!("{other}"),
            },
            muted: told["muted"].as_bool().unwrap(),
            uptime_ms: told["uptime_ms"].as_u64().unwrap(),
        };
        let turns = number(vector, "turns");
        let order = gate::decide(vector["on_trial"].as_bool().unwrap(), turns, &facts);
        let said = match order {
            Order::Wait => ("wait", ""),
            Order::Keep => ("keep", ""),
            Order::GiveUp(Why::NoWelcome) => ("give_up", "no_welcome"),
            Order::GiveUp(Why::NoHealth) => ("give_up", "no_health"),
            Order::GiveUp(Why::Deaf) => ("give_up", "deaf"),
            Order::TryAgain => ("try_again", ""),
            Order::Blame => ("blame", ""),
        };
        assert_eq!(said, (text(vector, "order"), text(vector, "why")), "{name}");
        let after = gate::turns_after(order, turns, &facts);
        assert_eq!(after, number::<u8>(vector, "turns_after"), "{name}");
    }
}

/// A record as the vectors write it.
fn written(found: &Record) -> Value {
    let outcome = OUTCOMES.iter().position(|o| *o == found.outcome).unwrap();
    let hashes: Vec<_> = found.hashes.iter().map(|hash| hex(hash)).collect();
    json!({
        "active": name_of(&PLACES, found.active),
        "trial": name_of(&TRIALS, found.trial),
        "turns": found.turns,
        "previous": name_of(&PLACES, found.previous),
        "flags": found.flags,
        "outcome": outcome,
        "action": found.action,
        "floor": found.floor,
        "hashes": hashes,
    })
}

pub fn records(vectors: &[Value]) {
    for vector in vectors {
        let name = &vector["name"];
        let mut copies = [None; 2];
        for (copy, given) in copies.iter_mut().zip(vector["copies"].as_array().unwrap()) {
            // A copy of another length is one that is not whole.
            let bytes = given.as_str().map(unhex);
            *copy = bytes.map(|b| b.try_into().unwrap_or([0; record::BYTES]));
        }
        let (found, lost) = Record::of(&copies);
        assert_eq!(lost, vector["lost"].as_bool().unwrap(), "{name}");
        let found = found.as_ref().map_or(Value::Null, written);
        assert_eq!(found, vector["record"], "{name}");
    }
}

/// A record of docs/ota.md and its siblings: magic, count, text, checksum.
fn framed(magic: &[u8], text: &[&[u8]]) -> Vec<u8> {
    let mut out = [magic, &1_u32.to_le_bytes(), &text.concat()].concat();
    out.extend(crc32(&out).to_le_bytes());
    out
}

/// A device with an image in each slot, its boot record, what filled the active slot last, and the bootloader's choice
/// as they are when the record says so. A slot that is not whole has a wrong byte.
fn device(vector: &Value) -> Chip {
    let images = [image(1), image(2)];
    let manifests = [[0xaa; 32], [0xbb; 32]];
    let whole = vector["whole"].as_array().unwrap();
    let mut chip = Chip::new(SLOT_BYTES, Slot::A, &[]);
    for (slot, image) in [Slot::A, Slot::B].into_iter().zip(&images) {
        let mut image = image.clone();
        if !whole.contains(&json!(slot.name())) {
            image[1000] ^= 1;
        }
        chip.put(Region::Slot(slot), 0, &image);
    }
    let state = &vector["record"];
    let active = named(&PLACES, text(state, "active"));
    let trial = named(&TRIALS, text(state, "trial"));
    let place = named(&PLACES, text(state, "previous"));
    let head = [1, active, trial, number(state, "turns"), place, 0, 0, 0];
    let boot = framed(
        b"MNVB",
        &[&head, &[0; 12], &manifests[0], &manifests[1], &[0; 32]],
    );
    chip.put(Region::Records, 0, &boot);
    let last = usize::from(active);
    let size = u32::try_from(images[last].len()).unwrap().to_le_bytes();
    let release = framed(
        b"MNVR",
        &[
            &[active, 1, 0, 0],
            &size,
            &size,
            &[0; 4],
            &sha256(&images[last]),
            &manifests[last],
        ],
    );
    chip.put(Region::Records, 2 * SECTOR, &release);
    let (running, next) = if active == 0 { (2, 3) } else { (1, 2) };
    for (sector, sequence, state) in [
        (0, running, State::Valid),
        (
            1,
            next,
            [State::Valid, State::New, State::Pending][usize::from(trial)],
        ),
    ] {
        select::write(&mut chip, sector, Entry { sequence, state }).unwrap();
    }
    chip
}

/// What runs in the end, and whether on trial: the bootloader and the firmware, as often as that restarts.
fn start(chip: &mut Chip) -> Option<(Slot, bool)> {
    for _ in 0..5 {
        let slot = chip.power_on()?;
        let (slots, next) = Slots::start(chip, slot).unwrap();
        if next == Next::Run {
            return Some((slots.running(), slots.on_trial()));
        }
    }
    panic!("it restarts for ever");
}

/// Those of the slots that a whole firmware has: `dev` and `main` are the MicroPython application's alone.
pub fn starts(vectors: &[Value]) {
    let mut replayed = 0;
    for vector in vectors {
        let name = &vector["name"];
        let said = vector.to_string();
        if said.contains("\"dev\"") || said.contains("\"main\"") {
            continue;
        }
        replayed += 1;
        let mut chip = device(vector);
        let found = start(&mut chip);
        let runs = found.map_or(Value::Null, |(slot, _)| json!(slot.name()));
        assert_eq!(runs, vector["runs"], "{name}");
        if let Some((_, on_trial)) = found {
            assert_eq!(json!(on_trial), vector["on_trial"], "{name}");
        }
        let copies = [0, SECTOR].map(|at| {
            let mut copy = [0; record::BYTES];
            chip.read(Region::Records, at, &mut copy).unwrap();
            copy.iter().any(|byte| *byte != 0xff).then_some(copy)
        });
        let after = written(&Record::of(&copies).0.unwrap());
        for (key, value) in vector["after"].as_object().unwrap() {
            assert_eq!(&after[key], value, "{name}: {key}");
        }
    }
    assert_eq!(replayed, 11);
}
