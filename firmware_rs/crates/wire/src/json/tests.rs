//! What RFC 8259 allows and what it does not.

use proptest::prelude::*;

use super::*;

const VALID: &[&str] = &[
    "{}",
    " {\t}\r\n",
    r#"{"a":1}"#,
    r#"{ "a" : [ 1 , -0 , 0.5 , -1.25e+3 , 1E-2 , 10 ] , "b" : { } }"#,
    r#"{"":null,"x":[true,false,null,[],{}]}"#,
    r#"{"e":"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00\ud800"}"#,
];

const INVALID: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "[]",
    "1",
    "null",
    r#""text""#,
    "{}{}",
    "{} x",
    "{,}",
    r#"{"a"}"#,
    r#"{"a":}"#,
    r#"{"a" 1}"#,
    r#"{"a":1,}"#,
    r#"{"a":1 "b":2}"#,
    r#"{"a":1]"#,
    r#"{"a":[1}"#,
    r#"{"a":[1,]}"#,
    r#"{"a":[,1]}"#,
    r#"{a:1}"#,
    r#"{'a':1}"#,
    r#"{1:1}"#,
    r#"{"a":01}"#,
    r#"{"a":+1}"#,
    r#"{"a":-}"#,
    r#"{"a":.5}"#,
    r#"{"a":1.}"#,
    r#"{"a":1e}"#,
    r#"{"a":NaN}"#,
    r#"{"a":-Infinity}"#,
    r#"{"a":True}"#,
    r#"{"a":nul}"#,
    r#"{"a":"\x"}"#,
    r#"{"a":"\u12"}"#,
    r#"{"a":"\u12g4"}"#,
    r#"{"a":"\u+123"}"#,
    r#"{"a":"\u12ä"}"#,
    "{\"a\":\"\n\"}",
    r#"{"a":"b}"#,
    r#"{"a":"b\"}"#,
    "\u{feff}{}",
];

#[test]
fn the_grammar() {
    for text in VALID {
        assert!(object(text.as_bytes()).is_ok(), "{text}");
    }
    for text in INVALID {
        assert!(object(text.as_bytes()).is_err(), "{text}");
    }
    assert!(object(b"{\"a\":\"\xff\"}").is_err());
}

#[test]
fn depth_and_brackets_are_bounded() {
    let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
    assert!(object(nested(31).as_bytes()).is_ok());
    assert_eq!(object(nested(32).as_bytes()).unwrap_err().at, 5 + 31);
    let wide = |n: usize| format!("{{\"a\":\"{}\"}}", "[".repeat(n));
    assert!(object(wide(MAX_OPENINGS - 1).as_bytes()).is_ok());
    assert!(object(wide(MAX_OPENINGS).as_bytes()).is_err());
}

#[test]
fn values() {
    let text = r#"{"a":1,"n":-9223372036854775809,"b":9999999999999999999999,"a":[2,{"x":"y"}],"f":1.0,
        "t":true,"z":null,"s":"x\u0041\ud83d\ude00","h":"\ud83d!"}"#;
    let object = object(text.as_bytes()).unwrap();
    let mut room = [0; 16];
    let mut arena = Arena::new(&mut room);
    assert_eq!(
        object.get("a").unwrap().raw(),
        r#"[2,{"x":"y"}]"#,
        "the last counts"
    );
    assert_eq!(object.get("a").unwrap().as_list().unwrap().count(), 2);
    assert_eq!(object.get("n").unwrap().as_int(), Some(i64::MIN));
    assert_eq!(object.get("b").unwrap().as_int(), Some(i64::MAX));
    assert_eq!(object.get("f").unwrap().as_int(), None);
    assert_eq!(object.get("f").unwrap().as_f64(), Some(1.0));
    assert_eq!(object.get("t").unwrap().as_bool(), Some(true));
    assert_eq!(object.get("t").unwrap().as_f64(), None);
    assert!(object.get("z").unwrap().is_null());
    assert!(
        object.get("y").is_none(),
        "an inner name is not an outer one"
    );
    let text = object.get("s").unwrap().as_str().unwrap();
    assert_eq!(text.decode(5, &mut arena), None);
    assert_eq!(text.decode(6, &mut arena), Some("xA😀"));
    assert!(text.is("xA😀") && !text.is("xA"));
    let half = object.get("h").unwrap().as_str().unwrap();
    assert_eq!(half.decode(9, &mut arena), None);
    assert_eq!(half.chars().last(), Some(Ok('!')));
}

#[test]
fn an_arena_that_is_full_refuses() {
    let object = object(br#"{"a":"\n\n\n"}"#).unwrap();
    let text = object.get("a").unwrap().as_str().unwrap();
    let mut room = [0; 5];
    let mut arena = Arena::new(&mut room);
    assert_eq!(text.decode(9, &mut arena), Some("\n\n\n"));
    assert_eq!(text.decode(9, &mut arena), None);
}

#[test]
fn numbers_are_written_exactly() {
    for (value, places, want) in [
        (-4125, 2, "-41.25"),
        (-5, 2, "-0.05"),
        (0, 2, "0"),
        (1000, 3, "1"),
        (500, 3, "0.500"),
        (-6000, 2, "-60"),
    ] {
        let mut out = [0; 32];
        let mut writer = Writer::new(&mut out);
        writer.decimal("a", value, places);
        let size = writer.finish().unwrap();
        assert_eq!(&out[..size], format!("{{\"a\":{want}}}").as_bytes());
    }
}

#[test]
fn a_full_buffer_says_what_it_lacks() {
    let mut out = [0; 12];
    let mut writer = Writer::new(&mut out);
    writer.text("a", "text");
    assert_eq!(writer.finish(), Ok(12));
    let mut writer = Writer::new(&mut out);
    writer.text("a", "texts");
    assert_eq!(writer.finish(), Err(13));
}

proptest! {
    #[test]
    fn any_bytes_are_an_object_or_an_error(data in proptest::collection::vec(any::<u8>(), 0..64)) {
        let ours = object(&data).is_ok();
        let theirs = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&data).is_ok();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn near_misses_are_judged_as_serde_json_does(text in r#"\{("a"|"\\u00e4"|"\\uD83D\\uDE00") ?:? ?[-0-9.eE+\[\]\{\}, "ntrue]{0,8}\}"#) {
        let ours = object(text.as_bytes()).is_ok();
        let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        // serde_json refuses numbers that overflow f64, which the grammar allows.
        let theirs = theirs.map(|_| true).unwrap_or_else(|e| e.to_string().starts_with("number out of range"));
        prop_assert_eq!(ours, theirs, "{}", text);
    }

    #[test]
    fn texts_come_back_as_they_were(text in ".{0,40}") {
        let mut out = [0; 512];
        let mut writer = Writer::new(&mut out);
        writer.text("a", &text);
        let size = writer.finish().unwrap();
        let mut room = [0; 160];
        let mut arena = Arena::new(&mut room);
        let read = object(&out[..size]).unwrap().get("a").unwrap().as_str().unwrap();
        prop_assert_eq!(read.decode(160, &mut arena), Some(text.as_str()));
    }
}
