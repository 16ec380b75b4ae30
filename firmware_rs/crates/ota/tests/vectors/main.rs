//! tests/vectors/ota.json replayed, section by section.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod boot;
mod errands;
#[allow(dead_code, reason = "the flash and the bootloader of the power cuts")]
#[path = "../power/mod.rs"]
mod power;
mod release;
mod server;

use std::collections::BTreeSet;

use minerva_ota::Code;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../../../tests/vectors/ota.json");

fn all() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn section(name: &str, least: usize) -> Vec<Value> {
    let vectors = all()[name].as_array().unwrap().clone();
    assert!(vectors.len() >= least, "{name}: {}", vectors.len());
    vectors
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

fn number<T: TryFrom<u64>>(vector: &Value, name: &str) -> T {
    let value = vector[name].as_u64().unwrap();
    value.try_into().ok().unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(digits).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A test of each section, of at least so many vectors, and the names of all.
macro_rules! replay {
    ($($name:ident, $least:literal, $with:path;)*) => {
        $(#[test]
        fn $name() {
            let vectors = section(stringify!($name), $least);
            $with(&vectors);
        })*

        const REPLAYED: &[&str] = &[$(stringify!($name),)*];
    };
}

replay! {
    answers, 80, server::answers;
    ddi, 60, server::ddi;
    errands, 34, errands::errands;
    gate, 100, boot::gate;
    keysets, 21, release::keysets;
    manifests, 170, release::manifests;
    ranges, 18, server::ranges;
    records, 30, boot::records;
    requests, 6, server::requests;
    signatures, 30, release::signatures;
    sleeps, 5, server::sleeps;
    starts, 18, boot::starts;
    told, 10, server::told;
}

#[test]
fn no_section_is_forgotten() {
    let all = all();
    let there: BTreeSet<_> = all
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(there, REPLAYED.iter().copied().collect());
}

#[test]
fn codes_are_those_of_the_specification() {
    let page = include_str!("../../../../../docs/ota.md");
    for code in Code::ALL {
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
}
