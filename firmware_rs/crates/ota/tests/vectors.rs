//! tests/vectors/ota.json replayed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use minerva_ota::Code;
use minerva_ota::gate::{self, Facts, Order, Verdict, Why};
use minerva_ota::keyset::{self, KeySet};
use minerva_ota::manifest::{Manifest, Target, Variant};
use minerva_ota::record::{self, Outcome, Place, Record, Trial};
use minerva_ota::sign::verify;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../../tests/vectors/ota.json");

fn section(name: &str, least: usize) -> Vec<Value> {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    let vectors = all[name].as_array().unwrap().clone();
    assert!(vectors.len() >= least, "{name}: {}", vectors.len());
    vectors
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

fn number(vector: &Value, name: &str) -> u32 {
    vector[name].as_u64().unwrap().try_into().unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(digits).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn codes_are_those_of_the_specification() {
    let page = include_str!("../../../../docs/ota.md");
    for code in Code::ALL {
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
}

#[test]
fn signatures() {
    for vector in section("signatures", 30) {
        let message = unhex(text(&vector, "message"));
        // Of another length there is none to give: the parser of hex digits refuses it.
        let valid = match (
            unhex(text(&vector, "public")).try_into(),
            unhex(text(&vector, "signature")).try_into(),
        ) {
            (Ok(public), Ok(signature)) => verify(&public, &message, &signature),
            _ => false,
        };
        assert_eq!(
            valid,
            vector["valid"].as_bool().unwrap(),
            "{}",
            vector["name"]
        );
    }
}

#[test]
fn keysets() {
    for vector in section("keysets", 21) {
        let name = &vector["name"];
        match KeySet::parse(text(&vector, "keyset").as_bytes()) {
            Err(refusal) => {
                assert_eq!(refusal.code.as_str(), vector["result"], "{name}: {refusal}")
            }
            Ok(set) => {
                assert_eq!("ok", vector["result"], "{name}");
                assert_eq!(set.version(), number(&vector, "version"), "{name}");
                assert_eq!(
                    u32::from(set.threshold()),
                    number(&vector, "threshold"),
                    "{name}"
                );
                let ids: Vec<_> = set.keys().map(|(id, _)| hex(id)).collect();
                assert_eq!(Value::from(ids), vector["ids"], "{name}");
            }
        }
    }
}

#[test]
fn manifests() {
    for vector in section("manifests", 170) {
        let name = &vector["name"];
        let keys = KeySet::parse(text(&vector, "keyset").as_bytes()).unwrap();
        let device = &vector["device"];
        let target = Target {
            variant: match text(device, "variant") {
                "rust" => Variant::Rust,
                _ => Variant::MicroPython,
            },
            board: text(device, "board"),
            abi: text(device, "abi"),
            security_version: number(device, "security_version"),
            utc_s: device["utc_s"].as_u64(),
        };
        let manifest = text(&vector, "manifest").as_bytes();
        let mut room = [0; keyset::MAX_BYTES];
        let found = keyset::check(manifest, text(&vector, "sig").as_bytes(), &keys, &mut room)
            .and_then(|(manifest, now)| manifest.check_for(&target).map(|()| (manifest, now)));
        match found {
            Err(refusal) => {
                assert_eq!(refusal.code.as_str(), vector["result"], "{name}: {refusal}")
            }
            Ok((manifest, now)) => {
                assert_eq!("ok", vector["result"], "{name}");
                let version = now.as_ref().unwrap_or(&keys).version();
                assert_eq!(version, number(&vector, "keyset_version"), "{name}");
                assert_eq!(manifest.total, number(&vector, "total"), "{name}");
                let offsets: Vec<_> = manifest.files().map(|(at, _)| at).collect();
                assert_eq!(Value::from(offsets), vector["offsets"], "{name}");
            }
        }
    }
}

#[test]
fn gate() {
    for vector in section("gate", 100) {
        let name = &vector["name"];
        let told = &vector["facts"];
        let facts = Facts {
            welcomed: told["welcomed"].as_bool().unwrap(),
            health_acked: told["health_acked"].as_bool().unwrap(),
            microphone: match text(told, "microphone") {
                "waiting" => Verdict::Waiting,
                "passed" => Verdict::Passed,
                _ => Verdict::Failed,
            },
            muted: told["muted"].as_bool().unwrap(),
            uptime_ms: told["uptime_ms"].as_u64().unwrap(),
        };
        let turns = u8::try_from(number(&vector, "turns")).unwrap();
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
        assert_eq!(
            said,
            (text(&vector, "order"), text(&vector, "why")),
            "{name}"
        );
        let after = gate::turns_after(order, turns, &facts);
        assert_eq!(u32::from(after), number(&vector, "turns_after"), "{name}");
    }
}

#[test]
fn records() {
    for vector in section("records", 30) {
        let name = &vector["name"];
        let mut copies = [None; 2];
        let mut cut = false; // a copy of another length is one that is not whole
        for (copy, given) in copies.iter_mut().zip(vector["copies"].as_array().unwrap()) {
            let bytes = given.as_str().map(unhex);
            let whole = bytes.as_ref().is_none_or(|b| b.len() == record::BYTES);
            cut |= !whole;
            *copy = bytes.map(|b| b.try_into().unwrap_or([0; record::BYTES]));
        }
        let (found, lost) = Record::of(&copies);
        assert_eq!(lost, vector["lost"].as_bool().unwrap(), "{name} {cut}");
        let Some(found) = found else {
            assert!(vector["record"].is_null(), "{name}");
            continue;
        };
        let want = &vector["record"];
        let place = |name: &str| match text(want, name) {
            "a" => Place::A,
            "b" => Place::B,
            "dev" => Place::Dev,
            _ => Place::Main,
        };
        assert_eq!(
            (found.active, found.previous),
            (place("active"), place("previous")),
            "{name}"
        );
        let trial = match text(want, "trial") {
            "none" => Trial::None,
            "waiting" => Trial::Waiting,
            _ => Trial::Running,
        };
        assert_eq!(
            (found.trial, u32::from(found.turns)),
            (trial, number(want, "turns")),
            "{name}"
        );
        assert_eq!(u32::from(found.flags), number(want, "flags"), "{name}");
        assert_eq!(found.action, want["action"].as_u64().unwrap(), "{name}");
        assert_eq!(found.floor, number(want, "floor"), "{name}");
        assert_eq!(
            found.outcome == Outcome::Nothing,
            number(want, "outcome") == 0,
            "{name}"
        );
        let hashes: Vec<_> = found.hashes.iter().map(|hash| hex(hash)).collect();
        assert_eq!(Value::from(hashes), want["hashes"], "{name}");
    }
}

/// A beginning of a text is refused, and so is a text with anything behind it.
#[test]
fn nothing_may_be_missing_and_nothing_may_follow() {
    let good = section("manifests", 170)
        .into_iter()
        .find(|v| v["result"] == "ok")
        .unwrap();
    let manifest = text(&good, "manifest").trim_end().as_bytes();
    assert!(Manifest::parse(manifest).is_ok());
    for end in 0..manifest.len() {
        assert!(Manifest::parse(&manifest[..end]).is_err(), "{end}");
    }
    assert!(Manifest::parse(&[manifest, b"x"].concat()).is_err());
}
