//! The update server: what it says, is told and asked for, and the HTTP around it.

use minerva_ota::ddi::{self, Artifact, Deployment, Feedback, NAMES, Poll};
use minerva_ota::http::{Answer, Range, request};
use minerva_ota::ranges::{Missing, next};
use minerva_ota::{Refusal, Trouble};
use serde_json::{Value, json};

use super::{number, section, text};

/// What is read from an answer to GET, as the vectors write it.
fn read(vector: &Value, data: &[u8]) -> Result<Value, Refusal> {
    match text(vector, "kind") {
        "poll" => {
            let poll = Poll::read(data)?;
            let (deployment, action) = poll.deployment.unzip();
            Ok(json!({
                "sleep_s": poll.sleep_s,
                "deployment": deployment.unwrap_or_default().as_str(),
                "cancel": poll.cancel.unwrap_or_default().as_str(),
                "config": poll.config.unwrap_or_default().as_str(),
                "action": action,
            }))
        }
        "deployment" => {
            let found = Deployment::read(data)?;
            let one = |artifact: &Artifact| json!({"path": artifact.path.as_str(), "size": artifact.size, "sha256": artifact.sha256.as_str()});
            let each = [&found.manifest, &found.signature, &found.files].map(one);
            let artifacts: serde_json::Map<_, _> =
                NAMES.map(String::from).into_iter().zip(each).collect();
            Ok(json!({"action": found.action, "now": found.now, "artifacts": artifacts}))
        }
        "cancel" => {
            let (own, stop) = ddi::read_cancel(data, text(vector, "path"))?;
            Ok(json!({"id": own, "stop": stop}))
        }
        kind => panic!("{kind}"),
    }
}

pub fn ddi(vectors: &[Value]) {
    for vector in vectors {
        match read(vector, text(vector, "text").as_bytes()) {
            Ok(gives) => assert_eq!(gives, vector["gives"], "{}", vector["name"]),
            Err(refusal) => {
                assert_eq!(
                    refusal.code.as_str(),
                    vector["error"],
                    "{}: {refusal}",
                    vector["name"]
                )
            }
        }
    }
}

#[test]
fn the_beginning_of_an_answer_is_none() {
    for vector in section("ddi", 60).iter().filter(|v| v["by"] == "hand") {
        let data = text(vector, "text").as_bytes();
        for end in 0..data.len() {
            let refusal = read(vector, &data[..end]).unwrap_err();
            assert_eq!(
                refusal.code.as_str(),
                "bad_answer",
                "{}: {end}",
                vector["name"]
            );
        }
    }
}

/// Request after request, each of which brings what it asks for.
pub fn ranges(vectors: &[Value]) {
    for vector in vectors {
        let mut files: Vec<Missing> = Vec::new();
        for file in vector["missing"].as_array().unwrap() {
            let [offset, size, have] =
                [0, 1, 2].map(|at| u32::try_from(file[at].as_u64().unwrap()).unwrap());
            files.push(Missing { offset, size, have });
        }
        let mut asked = Vec::new();
        while let Some((first, last)) = next(files.iter().copied(), number(vector, "most")) {
            for file in &mut files {
                let at = file.offset + file.have;
                if (first..=last).contains(&at) {
                    file.have = (last + 1 - file.offset).min(file.size);
                }
            }
            asked.push([first, last]);
            assert!(asked.len() < 1000, "{}: {asked:?}", vector["name"]);
        }
        assert_eq!(json!(asked), vector["ranges"], "{}", vector["name"]);
    }
}

pub fn sleeps(vectors: &[Value]) {
    for vector in vectors {
        let ms = ddi::jittered_ms(number(vector, "seconds"), number(vector, "drawn"));
        assert_eq!(ms, number::<u64>(vector, "ms"), "{}", vector["name"]);
    }
}

pub fn told(vectors: &[Value]) {
    for vector in vectors {
        let mut body = [0; 8192];
        let size = if vector["kind"] == "config" {
            let attributes = vector["attributes"].as_object().unwrap();
            let attributes: Vec<_> = attributes
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                .collect();
            ddi::config_data(&attributes, &mut body)
        } else {
            let mut details = [""; 2];
            let given = vector["details"].as_array().unwrap();
            assert!(given.len() <= details.len());
            for (detail, given) in details.iter_mut().zip(given) {
                *detail = given.as_str().unwrap();
            }
            let progress = vector["progress"].as_array().map(|both| {
                let [cnt, of] = [0, 1].map(|at| both[at].as_u64().unwrap().try_into().unwrap());
                (cnt, of)
            });
            let feedback = Feedback {
                action: number(vector, "action"),
                execution: text(vector, "execution"),
                finished: text(vector, "finished"),
                details,
                progress,
            };
            feedback.write(&mut body)
        };
        let said: Value = serde_json::from_slice(&body[..size.unwrap()]).unwrap();
        assert_eq!(said, vector["json"], "{}", vector["name"]);
    }
}

/// Feed an answer in pieces as `cuts` has them; what of the last piece was not taken, the body, and the answer.
fn hear(
    vector: &Value,
    pieces: &[&[u8]],
    status_of_more: &[u8],
) -> Result<(Answer, Vec<u8>, usize), Trouble> {
    let wanted = vector["wanted"].as_array().map(|three| {
        let [first, last, total] = [0, 1, 2].map(|at| three[at].as_u64().unwrap());
        Range { first, last, total }
    });
    let mut answer = Answer::new(number(vector, "limit"), wanted);
    let mut body = Vec::new();
    let mut left = 0;
    for piece in pieces.iter().chain([&status_of_more]) {
        let mut rest = *piece;
        while let Some(part) = answer.feed(&mut rest)? {
            body.extend_from_slice(part);
        }
        left += rest.len();
    }
    Ok((answer, body, left))
}

/// Split once at every byte, and in pieces of every size; what is long at some, and in some.
fn splits(raw: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let (step, long) = if raw.len() < 200 {
        (1, false)
    } else {
        (61, true)
    };
    let two = (0..raw.len())
        .step_by(step)
        .map(|at| vec![&raw[..at], &raw[at..]]);
    let sizes = (1..=raw.len()).filter(move |size| !long || size.is_power_of_two());
    two.chain(sizes.map(|size| raw.chunks(size).collect()))
}

pub fn answers(vectors: &[Value]) {
    const NEXT: &[u8] = b"HTTP/1.1 500 next";
    for vector in vectors {
        let name = &vector["name"];
        let raw = text(vector, "raw").as_bytes();
        for pieces in splits(raw) {
            if vector["error"].is_null() {
                let (answer, body, left) = hear(vector, &pieces, NEXT).unwrap();
                assert!(answer.is_done(), "{name}");
                assert_eq!(left, NEXT.len(), "{name}");
                assert_eq!(answer.keeps(), vector["keep"].as_bool().unwrap(), "{name}");
                assert_eq!(body, text(vector, "body").as_bytes(), "{name}");
            } else {
                let trouble = hear(vector, &pieces, b"").unwrap_err();
                assert_eq!(
                    trouble.refusal.code.as_str(),
                    vector["error"],
                    "{name}: {trouble}"
                );
                assert_eq!(
                    trouble.passing,
                    vector["later"].as_bool().unwrap(),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn the_beginning_of_an_answer_is_not_done() {
    for vector in section("answers", 80)
        .iter()
        .filter(|v| v["error"].is_null())
    {
        let raw = text(vector, "raw").as_bytes();
        for end in (0..raw.len()).step_by(if raw.len() < 200 { 1 } else { 61 }) {
            let (answer, ..) = hear(vector, &[&raw[..end]], b"").unwrap();
            assert!(!answer.is_done(), "{}: {end}", vector["name"]);
        }
    }
}

pub fn requests(vectors: &[Value]) {
    for vector in vectors {
        let range = vector["range"].as_array().map(|both| Range {
            first: both[0].as_u64().unwrap(),
            last: both[1].as_u64().unwrap(),
            total: u64::MAX,
        });
        let body = vector["body"].as_str();
        let mut said = String::new();
        request(
            &mut said,
            text(vector, "method"),
            text(vector, "host"),
            number(vector, "port"),
            text(vector, "path"),
            text(vector, "token"),
            body.map(str::len),
            range,
        )
        .unwrap();
        said.push_str(body.unwrap_or_default());
        assert_eq!(said, text(vector, "text"), "{}", vector["name"]);
    }
}
