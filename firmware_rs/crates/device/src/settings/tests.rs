//! The table of what a settings file may say.

extern crate std;

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const PEM_JSON: &str = r#""-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n""#;

/// A right file with some members replaced, added, or (by an empty value) left out.
fn file(changes: &[(&str, &str)]) -> String {
    let base = [
        ("version", "1"),
        ("device", r#""kitchen""#),
        ("board", r#""devkitc1_inmp441""#),
        ("url", r#""ws://127.0.0.1:8400/link""#),
        ("token", r#""t0ken""#),
    ];
    let kept = base
        .iter()
        .filter(|(key, _)| !changes.iter().any(|(other, _)| other == key));
    let members = kept.chain(changes).filter(|(_, value)| !value.is_empty());
    let members: Vec<String> = members
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn good(changes: &[(&str, &str)]) -> Settings {
    let text = file(changes);
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    let error = parse(text.as_bytes()).expect_err(text).to_string();
    error.strip_prefix("settings.json: ").unwrap().into()
}

#[test]
fn defaults_are_the_applications() {
    let settings = good(&[]);
    assert_eq!(
        (settings.device.as_str(), settings.board.as_str()),
        ("kitchen", "devkitc1_inmp441")
    );
    assert_eq!(
        (settings.scheme, settings.host.as_str(), settings.port),
        (Scheme::Plain, "127.0.0.1", 8400)
    );
    assert_eq!(
        (settings.path.as_str(), settings.token.as_str()),
        ("/link", "t0ken")
    );
    assert_eq!(
        (settings.ceiling, settings.gain_db, settings.ring_bytes),
        (Mode::Speech, 24.0, 0)
    );
    assert_eq!(
        (
            settings.ca.as_str(),
            settings.server_name.as_str(),
            settings.wifi
        ),
        ("", "", None)
    );
}

#[test]
fn everything_that_may_be_said() {
    let settings = good(&[
        ("url", r#""wss://hub.example""#),
        ("ca", PEM_JSON),
        ("server_name", r#""minerva-hub""#),
        (
            "wifi",
            r#"{"ssid":"Caf\u00e9 \ud83d\ude00","password":"s\"e\\cret"}"#,
        ),
        ("ceiling", r#""full""#),
        ("gain_db", "-12.0"),
        ("ring_bytes", "1048576"),
        ("version", "1.0"),
    ]);
    assert_eq!(
        (settings.scheme, settings.port, settings.path.as_str()),
        (Scheme::Tls, 443, "/")
    );
    assert!(settings.ca.contains("\nMIIB\n"));
    let wifi = settings.wifi.as_ref().unwrap();
    assert_eq!(
        (wifi.ssid.as_str(), wifi.password.as_str()),
        ("Café 😀", "s\"e\\cret")
    );
    assert_eq!(
        (settings.ceiling, settings.gain_db, settings.ring_bytes),
        (Mode::Full, -12.0, 1_048_576)
    );
    let shown = format!("{settings:?} {wifi:?}");
    assert!(
        !shown.contains("t0ken") && !shown.contains("cret"),
        "{shown}"
    );
    // null is absent, but where something is required.
    let settings = good(&[
        ("wifi", "null"),
        ("ceiling", "null"),
        ("gain_db", "null"),
        ("ca", "null"),
    ]);
    assert_eq!((settings.wifi, settings.ceiling), (None, Mode::Speech));
    assert_eq!(
        good(&[("wifi", r#"{"ssid":"open"}"#)])
            .wifi
            .unwrap()
            .password,
        ""
    );
}

#[test]
fn what_each_key_must_be() {
    let long = |n: usize| format!("\"{}\"", "a".repeat(n));
    let (long33, long129, long257) = (
        long(33),
        long(129),
        format!("\"ws://127.0.0.1/{}\"", "a".repeat(243)),
    );
    let (long65, long4097) = (
        format!("{{\"ssid\":\"a\",\"password\":{}}}", long(65)),
        long(4097),
    );
    let id = "1 to 32 of a-z, 0-9 and '-'";
    let board = "the name of a module in boards/, as devkitc1_inmp441";
    let gain = "a number from -12 to 48";
    let ring = "a whole number from 8192 to 4194304, or 0 to take what suits the memory";
    let ceiling = "one of mute, events, features, speech, full";
    let wifi = "an object with ssid and password";
    let version = "1, the version this firmware reads";
    let table: [(&str, &str, &str, &str); 36] = [
        ("version", "2", "2", version),
        ("version", "true", "true", version),
        ("version", "\"1\"", "'1'", version),
        ("version", "null", "null", version),
        ("device", "\"Kitchen\"", "'Kitchen'", id),
        ("device", "\"\"", "''", id),
        ("device", &long33, "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", id),
        ("device", "7", "7", id),
        ("device", "null", "null", id),
        ("board", "\"a/b\"", "'a/b'", board),
        ("board", "\"\"", "''", board),
        ("board", "[]", "[]", board),
        ("token", "\"\"", "(not shown)", "text of 1 to 128 bytes"),
        ("token", &long129, "(not shown)", "text of 1 to 128 bytes"),
        ("token", "null", "(not shown)", "text of 1 to 128 bytes"),
        (
            "token",
            r#""\ud800""#,
            "(not shown)",
            "text of 1 to 128 bytes",
        ),
        ("server_name", "1", "1", "text of 0 to 128 bytes"),
        (
            "ca",
            &long4097,
            &format!("'{}'", "a".repeat(80)),
            "text of 0 to 4096 bytes",
        ),
        ("ceiling", "\"loud\"", "'loud'", ceiling),
        ("ceiling", "3", "3", ceiling),
        ("ceiling", "\"Full\"", "'Full'", ceiling),
        ("gain_db", "48.5", "48.5", gain),
        ("gain_db", "-13", "-13", gain),
        ("gain_db", "true", "true", gain),
        ("gain_db", "1e999", "1e999", gain),
        ("gain_db", "\"24\"", "'24'", gain),
        ("ring_bytes", "8191", "8191", ring),
        ("ring_bytes", "4194305", "4194305", ring),
        ("ring_bytes", "9000.5", "9000.5", ring),
        ("ring_bytes", "false", "false", ring),
        ("ring_bytes", "-8192", "-8192", ring),
        (
            "ring_bytes",
            "99999999999999999999999",
            "99999999999999999999999",
            ring,
        ),
        ("wifi", "[]", "[]", wifi),
        ("wifi", "\"home\"", "'home'", wifi),
        (
            "url",
            "7",
            "7",
            "an address beginning with wss:// or ws://, of at most 256 characters",
        ),
        ("url", &long257, "", "of at most 256 characters"),
    ];
    for (key, value, shown, want) in table {
        let said = refused(&file(&[(key, value)]));
        assert!(
            said.starts_with(&format!("{key} is {shown}")) && said.ends_with(want),
            "{key} {value}: {said}"
        );
    }
    for (wifi, said) in [
        (r#"{"password":"x"}"#, "wifi.ssid is missing"),
        (
            r#"{"ssid":""}"#,
            "wifi.ssid is ''; it must be text of 1 to 32 bytes",
        ),
        (
            r#"{"ssid":"a","channel":1}"#,
            "unknown key wifi.channel; allowed are password, ssid",
        ),
        (
            &long65,
            "wifi.password is (not shown); it must be text of 0 to 64 bytes",
        ),
    ] {
        assert_eq!(refused(&file(&[("wifi", wifi)])), said);
    }
}

#[test]
fn keys_that_are_missing_or_unknown() {
    for key in ["version", "device", "board", "url", "token"] {
        assert_eq!(refused(&file(&[(key, "")])), format!("{key} is missing"));
    }
    assert_eq!(
        refused(&file(&[("cieling", "\"mute\"")])),
        "unknown key cieling; allowed are board, ca, ceiling, device, gain_db, ring_bytes, server_name, token, update, \
         url, version, wifi"
    );
    // A file of another version has other keys: that is the first thing to say.
    assert!(refused(r#"{"version":2,"name":"kitchen"}"#).starts_with("version is 2"));
}

#[test]
fn addresses() {
    for (url, host, port, path) in [
        ("ws://localhost", "localhost", 80, "/"),
        ("ws://localhost/", "localhost", 80, "/"),
        (
            "ws://127.1.2.255:65535/a/b?c",
            "127.1.2.255",
            65_535,
            "/a/b?c",
        ),
        ("ws://[::1]:8400/link", "::1", 8400, "/link"),
        ("ws://[::1]:/x", "::1", 80, "/x"),
    ] {
        let settings = good(&[("url", &format!("\"{url}\""))]);
        assert_eq!(
            (
                settings.host.as_str(),
                settings.port,
                settings.path.as_str()
            ),
            (host, port, path),
            "{url}"
        );
    }
    let (begin, parts) = (
        "an address beginning with wss:// or ws://",
        "an address with a host, and a port",
    );
    let (plain, characters) = (
        "wss:// beyond loopback",
        "an address without spaces or control characters",
    );
    for (url, want) in [
        ("", begin),
        ("http://localhost", begin),
        ("WS://localhost", begin),
        ("ws:localhost", begin),
        ("ws://", parts),
        ("ws:///link", parts),
        ("ws://localhost:0", parts),
        ("ws://localhost:65536", parts),
        ("ws://localhost:", parts),
        ("ws://localhost:+80", parts),
        ("ws://localhost:80:80", parts),
        ("ws://me@localhost", parts),
        ("ws://[::1", "an address whose [host] is closed"),
        ("ws://[::1]x", "an address whose [host] is closed"),
        ("ws://localhost/a b", characters),
        (r"ws://localhost/\r\nHost: x", characters),
        ("ws://localhost/ä", characters),
        ("ws://192.168.1.2/link", plain),
        ("ws://hub.local/link", plain),
        ("ws://127.0.0.1.example/link", plain),
        ("ws://127.0.0.256/link", plain),
        ("ws://127.0.0/link", plain),
        ("ws://127.0.0.+1/link", plain),
        ("ws://[::2]/link", plain),
        ("ws://localhost.example/link", plain),
    ] {
        let said = refused(&file(&[("url", &format!("\"{url}\""))]));
        assert!(
            said.contains(&format!("it must be {want}")),
            "{url}: {said}"
        );
    }
}

#[test]
fn beyond_loopback_the_hub_is_pinned() {
    let url = ("url", r#""wss://hub.local:8443/link""#);
    let name = ("server_name", r#""minerva-hub""#);
    let needs = "is empty; a wss:// url needs the hub's certificate authority and its fixed name";
    assert_eq!(refused(&file(&[url, name])), format!("ca {needs}"));
    assert_eq!(
        refused(&file(&[url, ("ca", PEM_JSON)])),
        format!("server_name {needs}")
    );
    assert_eq!(
        refused(&file(&[url, name, ("ca", "\"MIIB\"")])),
        "ca is not a PEM certificate (-----BEGIN CERTIFICATE-----)"
    );
    assert_eq!(good(&[url, name, ("ca", PEM_JSON)]).port, 8443);
}

#[test]
fn the_update_server_is_the_hub_unless_it_says_otherwise() {
    let url = r#"{"url":"http://127.0.0.1:8484/default/controller/v1/kitchen/"}"#;
    let update = good(&[("update", url)]).update.unwrap();
    assert_eq!(
        (update.scheme, update.host.as_str(), update.port),
        (Scheme::Plain, "127.0.0.1", 8484)
    );
    assert_eq!(update.path, "/default/controller/v1/kitchen");
    assert_eq!(update.own, None);
    assert_eq!(good(&[("update", "null")]).update, None);
    let link = [
        ("url", r#""wss://10.0.0.2:8443/link""#),
        ("server_name", r#""hub-1.minerva""#),
        ("ca", PEM_JSON),
    ];
    let with = |update: &str| {
        let update = format!("{{{update}}}");
        let mut changes = link.to_vec();
        changes.push(("update", &update));
        file(&changes)
    };
    let secure = r#""url":"https://10.0.0.9/t/controller/v1/k""#;
    let parsed = |text: &str| parse(text.as_bytes()).unwrap().update.unwrap();
    assert_eq!(parsed(&with(secure)).own, None);
    let (name, ca) = (r#""server_name":"updates""#, format!("\"ca\":{PEM_JSON}"));
    let all = format!(r#"{secure},{name},{ca},"token":"other""#);
    let update = parsed(&with(&all));
    let own = update.own.as_ref().unwrap();
    assert_eq!(
        (own.server_name.as_str(), own.token.as_str(), update.port),
        ("updates", "other", 443)
    );
    let shown = format!("{update:?} {own:?}");
    assert!(!shown.contains("other"), "{shown}");
    let token = "an update server of its own has its own token, and one that is the hub has none of server_name, ca, token";
    for (update, said) in [
        (String::new(), "update.url is missing".to_string()),
        (
            r#""url":"ws://127.0.0.1/link""#.into(),
            "update.url is 'ws://127.0.0.1/link'; it must be an address beginning with https:// or http://".into(),
        ),
        (
            format!(r#"{secure},"tenant":"x""#),
            "unknown key update.tenant; allowed are ca, server_name, token, url".into(),
        ),
        (
            format!("{secure},{name}"),
            format!("update.token is empty, but update.server_name is not; {token}"),
        ),
        (
            format!("{secure},{ca}"),
            format!("update.token is empty, but update.ca is not; {token}"),
        ),
        (
            format!(r#"{secure},{name},"token":"other""#),
            "update.ca is empty; an https:// url needs the server's certificate authority and its fixed name".into(),
        ),
    ] {
        assert_eq!(refused(&with(&update)), said);
    }
    assert!(refused(&with(r#""url":"http://10.0.0.2/x""#)).contains("https:// beyond loopback"));
    // The link's own authority is not there to be used.
    let secure = format!("{{{secure}}}");
    assert!(refused(&file(&[("update", &secure)])).starts_with("update.ca is empty"));
    assert!(refused(&file(&[("update", "[]")])).ends_with("an object with url"));
}

#[test]
fn files_that_are_none() {
    assert!(refused("").starts_with("not JSON ("));
    assert!(refused("{\"version\":1").starts_with("not JSON ("));
    assert_eq!(refused("[1]"), "it must be one JSON object");
    assert_eq!(refused("null"), "it must be one JSON object");
    assert!(parse(b"{\"version\":\"\xff\"}").is_err());
    let huge = format!("{}{}", file(&[]), " ".repeat(MAX_BYTES));
    assert_eq!(
        refused(&huge),
        format!("{} bytes; at most 8192 are read", huge.len())
    );
    let most = format!("{}{}", file(&[]), " ".repeat(MAX_BYTES - file(&[]).len()));
    assert!(parse(most.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_settings_or_an_error(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&data);
    }

    #[test]
    fn any_value_of_any_key_is_judged(
        key in 0_usize..12,
        value in r#"(null|true|-?[0-9]{1,25}(\.[0-9]{1,3})?|"[a-z0-9:/\[\]@. ]{0,300}"|"(\\u[0-9a-f]{4}){0,50}"|\[\]|\{\}|\{"ssid":"\\PC{0,40}"\}|\{"url":"https?://[a-z0-9.:/]{0,30}","token":"x{0,2}"\})"#,
    ) {
        let text = file(&[(KEYS[key], &value)]);
        if let Err(error) = parse(text.as_bytes()) {
            prop_assert!(error.0.starts_with("settings.json: ") && error.0.len() <= 320);
        }
    }

    /// Whatever stands in the address: plain text goes to loopback only, and a request stays one request.
    #[test]
    fn plain_text_stays_on_this_machine(url in r#"ws://(\[)?[a-z0-9.:@#?/\\ -]{0,30}(\])?(:[0-9]{0,6})?/?[!-~ ]{0,10}"#) {
        if let Ok(Url { host, path, .. }) = Url::parse(&url, &LINK) {
            let here = matches!(host.as_str(), "localhost" | "::1");
            prop_assert!(here || (host.starts_with("127.") && host.split('.').count() == 4), "{}", host);
            prop_assert!(path.starts_with('/') && !path.contains(['\r', '\n', ' ']));
        }
    }
}
