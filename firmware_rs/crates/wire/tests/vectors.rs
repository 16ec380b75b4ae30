//! tests/vectors/ replayed: whole, truncated at every byte, there and back.
#![allow(clippy::unwrap_used, reason = "a test")]

use minerva_wire::control::{
    self, FromDevice, FromHub, SCRATCH, decode_from_device, decode_from_hub, encode_from_device,
    encode_from_hub,
};
use minerva_wire::media::{self, Header, MAX_MEDIA};
use minerva_wire::{Code, WireError};
use serde_json::Value;

const MEDIA: &str = include_str!("../../../../tests/vectors/media.json");
const CONTROL: &str = include_str!("../../../../tests/vectors/control.json");

fn vectors(text: &str) -> Vec<Value> {
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(vectors.len() > 20);
    vectors
}

fn number(vector: &Value, name: &str) -> u32 {
    vector[name].as_u64().unwrap().try_into().unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn packets() {
    for vector in vectors(MEDIA) {
        let name = &vector["name"];
        let raw = unhex(vector["hex"].as_str().unwrap());
        if let Some(code) = vector["error"].as_str() {
            assert_eq!(
                media::decode(&raw).unwrap_err().code.as_str(),
                code,
                "{name}"
            );
            continue;
        }
        let (header, payload) = media::decode(&raw).unwrap();
        let Header {
            kind,
            flags,
            stream,
            frames,
            seq,
            time_ms,
        } = header;
        assert_eq!(kind as u32, number(&vector, "kind"), "{name}");
        assert_eq!(u32::from(flags), number(&vector, "flags"), "{name}");
        assert_eq!(u32::from(stream), number(&vector, "stream"), "{name}");
        assert_eq!(u32::from(frames), number(&vector, "frames"), "{name}");
        assert_eq!(seq, number(&vector, "seq"), "{name}");
        assert_eq!(time_ms, number(&vector, "time_ms"), "{name}");
        assert_eq!(
            header.duration_ms(),
            number(&vector, "duration_ms"),
            "{name}"
        );
        let mut out = [0; MAX_MEDIA];
        let size = media::encode(&header, payload, &mut out).unwrap();
        assert_eq!(out[..size], raw, "{name}");
        for cut in 0..raw.len() {
            let error = media::decode(&raw[..cut]).unwrap_err();
            assert_eq!(error.code, Code::BadMedia, "{name} cut at {cut}");
        }
    }
}

/// A message of either direction, there and back: decoding what was encoded gives the same again.
fn there_and_back(side: &str, text: &[u8]) -> Result<Vec<u8>, WireError> {
    let (mut first, mut second, mut out) = (SCRATCH, SCRATCH, [0; control::MAX_TEXT]);
    let size;
    if side == "device" {
        let message: FromDevice<'_> = decode_from_device(text, &mut first)?;
        size = encode_from_device(&message, &mut out)?;
        assert_eq!(decode_from_device(&out[..size], &mut second)?, message);
    } else {
        let message: FromHub<'_> = decode_from_hub(text, &mut first)?;
        size = encode_from_hub(&message, &mut out)?;
        assert_eq!(decode_from_hub(&out[..size], &mut second)?, message);
    }
    Ok(out[..size].to_vec())
}

/// `written` has every field of `read` that the protocol names, with the same value, and nothing else.
fn same_fields(read: &Value, written: &Value, path: &str) {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => {
            for (key, value) in written {
                same_fields(&read[key], value, &format!("{path}.{key}"));
            }
            for (key, value) in read {
                let ignored = value.is_null() || key == "future";
                assert!(ignored || written.contains_key(key), "{path}.{key} is lost");
            }
        }
        (Value::Number(read), Value::Number(written)) => {
            assert_eq!(read.as_f64(), written.as_f64(), "{path}");
        }
        _ => assert_eq!(read, written, "{path}"),
    }
}

#[test]
fn messages() {
    for vector in vectors(CONTROL) {
        let (name, side) = (&vector["name"], vector["from"].as_str().unwrap());
        let text = vector["text"].as_str().unwrap();
        let result = there_and_back(side, text.as_bytes());
        if let Some(code) = vector["error"].as_str() {
            let error = result.unwrap_err();
            assert_eq!(error.code.as_str(), code, "{name}: {error}");
            continue;
        }
        let written = serde_json::from_slice(&result.unwrap()).unwrap();
        same_fields(
            &serde_json::from_str(text).unwrap(),
            &written,
            name.as_str().unwrap(),
        );
        for cut in 0..text.len() {
            let error = there_and_back(side, &text.as_bytes()[..cut]).unwrap_err();
            assert_eq!(error.code, Code::BadJson, "{name} cut at {cut}");
        }
    }
}

#[test]
fn texts_of_errors_name_value_and_limit() {
    let said = |side, text: &str| there_and_back(side, text.as_bytes()).unwrap_err().message;
    for (side, text, want) in [
        (
            "hub",
            r#"{"type":"mute","on":"yes"}"#,
            r#"mute.on is "yes"; it must be true or false"#,
        ),
        ("hub", r#"{"type":"mute"}"#, "mute.on is missing"),
        (
            "hub",
            r#"{"type":"config","frames":11}"#,
            "config.frames is 11; it must be a whole number from 1 to 10",
        ),
        (
            "hub",
            r#"{"type":"config","mode":"secret"}"#,
            r#"config.mode is "secret"; it must be one of mute, events, features, speech, full"#,
        ),
        (
            "hub",
            r#"{"type":"error","code":"x","message":"y","fatal":true,"supported":[1,0]}"#,
            "error.supported[1] is 0; it must be a whole number from 1 to 255",
        ),
        (
            "device",
            r#"{"type":"level","time_ms":1,"rms_db":51,"peak_db":0}"#,
            "level.rms_db is 51; it must be a number from -200 to 50",
        ),
        (
            "hub",
            r#"{"type":"welcome","protocol":9}"#,
            "peer speaks protocol 9; this side speaks 1",
        ),
        (
            "hub",
            r#"{"type":"dance"}"#,
            r#"message type "dance" is not one of ack, config, error, mute, play, update, welcome"#,
        ),
        ("hub", "{", "message is not JSON: no name at byte 1"),
        ("hub", "[]", "message is JSON, but not an object"),
    ] {
        assert_eq!(said(side, text), want, "{text}");
    }
}
