//! What is signed: signatures, key sets, manifests.

use minerva_ota::keyset::{self, KeySet};
use minerva_ota::manifest::{Manifest, Target, Variant};
use minerva_ota::sign::verify;
use serde_json::Value;

use super::{hex, number, section, text, unhex};

pub fn signatures(vectors: &[Value]) {
    for vector in vectors {
        let message = unhex(text(vector, "message"));
        // Of another length there is none to give: the parser of hex digits refuses it.
        let valid = match (
            unhex(text(vector, "public")).try_into(),
            unhex(text(vector, "signature")).try_into(),
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

pub fn keysets(vectors: &[Value]) {
    for vector in vectors {
        let name = &vector["name"];
        match KeySet::parse(text(vector, "keyset").as_bytes()) {
            Err(refusal) => {
                assert_eq!(refusal.code.as_str(), vector["result"], "{name}: {refusal}")
            }
            Ok(set) => {
                assert_eq!("ok", vector["result"], "{name}");
                assert_eq!(set.version(), number::<u32>(vector, "version"), "{name}");
                assert_eq!(set.threshold(), number::<u8>(vector, "threshold"), "{name}");
                let ids: Vec<_> = set.keys().map(|(id, _)| hex(id)).collect();
                assert_eq!(Value::from(ids), vector["ids"], "{name}");
            }
        }
    }
}

pub fn manifests(vectors: &[Value]) {
    for vector in vectors {
        let name = &vector["name"];
        let keys = KeySet::parse(text(vector, "keyset").as_bytes()).unwrap();
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
        let manifest = text(vector, "manifest").as_bytes();
        let mut room = [0; keyset::MAX_BYTES];
        let found = keyset::check(manifest, text(vector, "sig").as_bytes(), &keys, &mut room)
            .and_then(|(manifest, now)| manifest.check_for(&target).map(|()| (manifest, now)));
        match found {
            Err(refusal) => {
                assert_eq!(refusal.code.as_str(), vector["result"], "{name}: {refusal}")
            }
            Ok((manifest, now)) => {
                assert_eq!("ok", vector["result"], "{name}");
                let version = now.as_ref().unwrap_or(&keys).version();
                assert_eq!(version, number::<u32>(vector, "keyset_version"), "{name}");
                assert_eq!(manifest.total, number::<u32>(vector, "total"), "{name}");
                let offsets: Vec<_> = manifest.files().map(|(at, _)| at).collect();
                assert_eq!(Value::from(offsets), vector["offsets"], "{name}");
            }
        }
    }
}

/// A beginning of a text is refused, and so is a text with anything behind it.
#[test]
fn nothing_may_be_missing_and_nothing_may_follow() {
    let good = section("manifests", 170)
        .into_iter()
        .find(|v| v["result"] == "ok")
        .unwrap();
    let cuts = |name: &str| {
        let whole = text(&good, name).trim_end().as_bytes().to_vec();
        let parts = (0..whole.len()).map(|end| whole[..end].to_vec());
        let more = [&whole[..], b"x"].concat();
        (whole.clone(), parts.chain([more]).collect::<Vec<_>>())
    };
    let (manifest, wrong) = cuts("manifest");
    assert!(Manifest::parse(&manifest).is_ok());
    for part in wrong {
        let refusal = Manifest::parse(&part).unwrap_err();
        assert_eq!(refusal.code.as_str(), "bad_manifest", "{}", part.len());
    }
    let (keys, wrong) = cuts("keyset");
    let keys = KeySet::parse(&keys).unwrap();
    for part in wrong {
        let refusal = KeySet::parse(&part).unwrap_err();
        assert_eq!(refusal.code.as_str(), "bad_keyset", "{}", part.len());
    }
    let (sig, wrong) = cuts("sig");
    let manifest = text(&good, "manifest").as_bytes(); // as it was signed
    let mut room = [0; keyset::MAX_BYTES];
    assert!(keyset::check(manifest, &sig, &keys, &mut room).is_ok());
    for part in wrong {
        let refusal = keyset::check(manifest, &part, &keys, &mut room).unwrap_err();
        assert_eq!(refusal.code.as_str(), "bad_signature", "{}", part.len());
    }
}
