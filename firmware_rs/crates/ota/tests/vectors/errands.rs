//! Talks with an update server, order by order.

use minerva_ota::error::Trouble;
use minerva_ota::update::{Order, Past, Updater};
use minerva_ota::{Code, Refusal, ddi};
use serde_json::{Value, json};

use super::{text, unhex};

const BASE: &str = "/default/controller/v1/kitchen";

/// A vector tells (action, whether it stays, text); the device has such texts for good.
fn outcome(vector: &Value) -> Option<(u64, bool, &'static str)> {
    let [action, stays, why] = vector["outcome"].as_array()?.as_slice() else {
        panic!("{}", vector["outcome"]);
    };
    let why: &'static str = why.as_str().unwrap().to_string().leak();
    Some((action.as_u64().unwrap(), stays.as_bool().unwrap(), why))
}

fn code(name: &Value) -> Code {
    let found = Code::ALL.iter().find(|code| *name == code.as_str());
    *found.unwrap()
}

fn trouble(code_: &Value, why: &Value, passing: bool) -> Trouble {
    let refusal = Refusal::new(code(code_), format_args!("{}", why.as_str().unwrap()));
    Trouble { refusal, passing }
}

/// The next order as the vectors write it; what is between the device and itself is done.
fn order(updater: &mut Updater<'_>, vector: &Value, step: &Value) -> Value {
    let now = step["at"].as_u64().unwrap();
    match updater.next(now, step["quiet"].as_bool().unwrap()) {
        Order::Wait(ms) => json!(["wait", ms]),
        Order::Get(limit) => json!(["get", updater.path().as_str(), limit]),
        Order::Send(method) => {
            let mut body = [0; ddi::MAX_BODY];
            let size = updater.body(&mut body);
            let body: Value = serde_json::from_slice(&body[..size]).unwrap();
            json!(["send", method, updater.path().as_str(), body])
        }
        Order::Verify => {
            match &vector["verify"] {
                Value::Array(refusal) => {
                    updater.failed(now, &trouble(&refusal[0], &refusal[1], false));
                }
                total => updater.verified(now, total.as_u64().unwrap().try_into().unwrap()),
            }
            order(updater, vector, step)
        }
        Order::Prepare => json!(["prepare"]),
        Order::Fetch(range) => json!(["fetch", range.first, range.last]),
        Order::Install => json!(["install"]),
        Order::Restart => json!(["restart"]),
    }
}

pub fn errands(vectors: &[Value]) {
    for vector in vectors {
        let past = Past {
            outcome: outcome(vector),
            told: vector["told"].as_u64(),
            configured: vector["configured"].as_bool().unwrap(),
        };
        let running = unhex(text(vector, "running")).try_into().ok();
        let mut updater = Updater::new(BASE, &[("board", "b1")], running, past, || 10);
        for (number, step) in vector["steps"].as_array().unwrap().iter().enumerate() {
            let name = format!("{}, step {number}", vector["name"]);
            let order = order(&mut updater, vector, step);
            assert_eq!(order, step["order"], "{name}");
            assert_eq!(updater.state(), step["state"], "{name}");
            let now = step["at"].as_u64().unwrap();
            let told = step["told"].as_array().unwrap();
            let bytes = |at: usize| u32::try_from(told[at].as_u64().unwrap()).unwrap();
            match told.first().and_then(Value::as_str) {
                None => {}
                Some("answered") => updater.answered(now, told[1].as_str().unwrap().as_bytes()),
                Some("filled") => updater.filled(bytes(1)),
                Some("installed") => updater.installed(),
                Some("failed") => {
                    if order[0] == "fetch" {
                        updater.came_to(bytes(4));
                    }
                    let trouble = trouble(&told[1], &told[2], told[3].as_bool().unwrap());
                    updater.failed(now, &trouble);
                }
                Some(other) => panic!("{other}"),
            }
        }
    }
}
