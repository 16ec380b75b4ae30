//! Errands against a server in memory: a whole update, one that breaks off, and servers that do wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[allow(dead_code, reason = "the flash and the releases of the power cuts")]
#[path = "../../../crates/ota/tests/power/mod.rs"]
mod power;

use std::cell::{Cell, RefCell};

use embassy_futures::block_on;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use minerva_board::errand::{End, Errand, Held, Server};
use minerva_ota::flash::Slot;
use minerva_ota::keyset::KeySet;
use minerva_ota::manifest::{Target, Variant};
use minerva_ota::slots::{Next, Slots};
use minerva_ota::update::{Past, Updater};
use power::chip::Chip;
use power::world::{Fate, Offer, SLOT_BYTES, image, keyset, offer};

const BASE: &str = "/default/controller/v1/kitchen";
const TARGET: Target<'static> = Target {
    variant: Variant::Rust,
    board: "devkitc6_inmp441",
    abi: "esp32c6",
    security_version: 0,
    utc_s: None,
};

/// What the server does besides.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Right,
    /// It closes the connection after so many bytes of files.bin.
    Breaks(usize),
    /// It says that the action is to stop once half is there.
    Cancels,
    /// Its files.bin is another.
    Damages,
    /// It ignores ranges.
    Whole,
    /// It sends ranges in chunks, and closes the connection before it says that they end.
    Unended,
}

struct Hub {
    offer: Offer,
    way: Way,
    asked: Vec<u8>,
    answer: Vec<u8>,
    told: Vec<String>,
    given: usize,
    closed: bool,
}

impl Hub {
    fn json(&self, path: &str) -> Option<String> {
        let cancel = self.way == Way::Cancels && self.given > self.offer.files.len() / 2;
        let link = |name: &str, rest: &str| {
            format!("\"{name}\":{{\"href\":\"https://else.where{BASE}/{rest}\"}}")
        };
        let artifact = |name: &str, size: usize| {
            format!(
                "{{\"filename\":\"{name}\",\"hashes\":{{\"sha1\":\"0\"}},\"size\":{size},\
                 \"_links\":{{\"download\":{{\"href\":\"{BASE}/softwaremodules/1/artifacts/{name}\"}}}}}}"
            )
        };
        Some(match path.strip_prefix(BASE)? {
            "" => {
                let work = if cancel {
                    link("cancelAction", "cancelAction/9")
                } else {
                    link("deploymentBase", "deploymentBase/7")
                };
                format!(
                    "{{\"config\":{{\"polling\":{{\"sleep\":\"00:01:00\"}}}},\"_links\":{{{work},{}}}}}",
                    link("configData", "configData")
                )
            }
            "/cancelAction/9" => r#"{"id":"9","cancelAction":{"stopId":"7"}}"#.into(),
            "/deploymentBase/7" => format!(
                "{{\"id\":\"7\",\"deployment\":{{\"download\":\"forced\",\"update\":\"forced\",\"chunks\":[{{\"artifacts\":[{},{},{}]}}]}}}}",
                artifact("manifest.json", self.offer.manifest.len()),
                artifact("manifest.sig", self.offer.sig.len()),
                artifact("files.bin", self.offer.files.len()),
            ),
            "/softwaremodules/1/artifacts/manifest.json" => self.offer.manifest.clone(),
            "/softwaremodules/1/artifacts/manifest.sig" => self.offer.sig.clone(),
            _ => return None,
        })
    }

    fn serve(&mut self, head: &str, body: &str) {
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        assert!(
            head.contains("\r\nAuthorization: TargetToken secret\r\n"),
            "{head}"
        );
        if method != "GET" {
            self.told.push(body.into());
            self.answer
                .extend(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        } else if let Some(json) = self.json(path) {
            // In chunks, as some servers send what they make as they go.
            let (a, b) = json.split_at(json.len() / 3);
            self.answer
                .extend(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for part in [a, b] {
                self.answer
                    .extend(format!("{:x}\r\n{part}\r\n", part.len()).into_bytes());
            }
            self.answer.extend(b"0\r\n\r\n");
        } else {
            assert!(path.ends_with("/files.bin"), "{path}");
            let range = head
                .split("Range: bytes=")
                .nth(1)
                .unwrap()
                .split("\r\n")
                .next()
                .unwrap();
            let (first, last) = range.split_once('-').unwrap();
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            let mut files = self.offer.files[first..=last].to_vec();
            let total = self.offer.files.len();
            if self.way == Way::Damages {
                files[0] ^= 1;
            }
            let status = if self.way == Way::Whole {
                "200 OK"
            } else {
                "206 Partial Content"
            };
            if self.way == Way::Unended {
                self.given += files.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Range: bytes {first}-{last}/{total}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
                    files.len()
                );
                self.answer
                    .extend([head.as_bytes(), &files, b"\r\n"].concat());
                self.closed = true;
                return;
            }
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Range: bytes {first}-{last}/{total}\r\nContent-Length: {}\r\n\r\n",
                files.len()
            );
            if let Way::Breaks(most) = self.way {
                let left = most.saturating_sub(self.given).min(files.len());
                self.closed = left < files.len();
                files.truncate(left);
            }
            self.given += files.len();
            self.answer.extend([head.as_bytes(), &files].concat());
        }
    }
}

/// One end of a connection to it.
struct End2End<'a>(&'a RefCell<Hub>);

impl ErrorType for End2End<'_> {
    type Error = ErrorKind;
}

impl Read for End2End<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut hub = self.0.borrow_mut();
        let size = hub.answer.len().min(buffer.len()).min(701);
        assert!(
            size > 0 || hub.closed,
            "the device waits, and the server has nothing to say"
        );
        buffer[..size].copy_from_slice(&hub.answer[..size]);
        hub.answer.drain(..size);
        Ok(size)
    }
}

impl Write for End2End<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.borrow_mut().asked.extend(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        let mut hub = self.0.borrow_mut();
        let asked = String::from_utf8(std::mem::take(&mut hub.asked)).unwrap();
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        hub.serve(&format!("{head}\r\n"), body);
        Ok(())
    }
}

struct Bench {
    chip: Chip,
    slots: Slots,
    hub: RefCell<Hub>,
    held: Held,
    now_ms: Cell<u64>,
}

impl Bench {
    fn new(way: Way) -> Self {
        let mut chip = Chip::new(SLOT_BYTES, Slot::A, &image(0));
        let (slots, next) = Slots::start(&mut chip, Slot::A).unwrap();
        assert_eq!(next, Next::Run);
        let hub = Hub {
            offer: offer(1, Fate::Good, &[1], None),
            way,
            asked: Vec::new(),
            answer: Vec::new(),
            told: Vec::new(),
            given: 0,
            closed: false,
        };
        Self {
            chip,
            slots,
            hub: RefCell::new(hub),
            held: Held::default(),
            now_ms: Cell::new(0),
        }
    }

    fn updater(&self) -> Updater<'static> {
        Updater::new(
            BASE,
            &[("board", "devkitc6_inmp441")],
            self.slots.running_manifest(),
            Past::default(),
            || 7,
        )
    }

    /// One connection.
    fn connect(&mut self, updater: &mut Updater<'_>, quiet: bool) -> End {
        let (keys, now_ms) = (
            KeySet::parse(keyset(1, &[1]).as_bytes()).unwrap(),
            &self.now_ms,
        );
        let mut errand = Errand {
            updater,
            slots: &mut self.slots,
            flash: &mut self.chip,
            held: &mut self.held,
            keys: Some(&keys),
            target: TARGET,
            server: Server {
                host: "hub",
                port: 8443,
                token: "secret",
            },
            now_ms: || now_ms.get(),
            quiet: || quiet,
            pause: async |ms| now_ms.set(now_ms.get() + ms),
        };
        block_on(errand.run(&mut End2End(&self.hub), &mut End2End(&self.hub)))
    }

    /// Connections until there is nothing to do for a while.
    fn run(&mut self, updater: &mut Updater<'_>) -> End {
        for _ in 0..40 {
            let end = self.connect(updater, true);
            if end != End::Again {
                return end;
            }
            self.hub.borrow_mut().answer.clear();
            self.hub.borrow_mut().closed = false;
            self.now_ms.set(self.now_ms.get().max(updater.due_ms()));
        }
        panic!("it goes on for ever: {:?}", self.hub.borrow().told);
    }

    fn last_told(&self) -> String {
        self.hub.borrow().told.last().cloned().unwrap_or_default()
    }
}

#[test]
fn an_update_from_poll_to_report() {
    let mut bench = Bench::new(Way::Right);
    let mut updater = bench.updater();
    assert_eq!(bench.run(&mut updater), End::Restart);
    assert_eq!(bench.hub.borrow().given, image(1).len()); // not a byte twice
    let told = bench.hub.borrow().told.clone();
    assert_eq!(
        told[0],
        r#"{"mode":"merge","data":{"board":"devkitc6_inmp441"}}"#
    );
    assert!(
        told[2].contains("\"progress\":{\"cnt\":65536,\"of\":75003}"),
        "{told:?}"
    );
    assert_eq!(bench.chip.power_on(), Some(Slot::B));
    let (slots, _) = Slots::start(&mut bench.chip, Slot::B).unwrap();
    assert!(slots.on_trial());
}

#[test]
fn what_broke_off_goes_on_where_it_was() {
    let mut bench = Bench::new(Way::Breaks(40_000));
    let mut updater = bench.updater();
    assert_eq!(bench.connect(&mut updater, true), End::Again);
    assert_eq!(updater.state(), "downloading");
    bench.hub.borrow_mut().way = Way::Right;
    bench.hub.borrow_mut().answer.clear();
    bench.now_ms.set(updater.due_ms());
    assert_eq!(bench.run(&mut updater), End::Restart);
    let given = bench.hub.borrow().given;
    assert_eq!(given, image(1).len());
}

#[test]
fn what_is_there_is_not_asked_for_again() {
    let mut bench = Bench::new(Way::Unended);
    let mut updater = bench.updater();
    assert_eq!(bench.run(&mut updater), End::Restart);
    let given = bench.hub.borrow().given;
    assert_eq!(given, image(1).len());
}

#[test]
fn nothing_is_asked_while_somebody_speaks() {
    let mut bench = Bench::new(Way::Right);
    let mut updater = bench.updater();
    assert_eq!(bench.connect(&mut updater, false), End::Later);
    assert!(bench.hub.borrow().told.is_empty());
}

#[test]
fn an_action_that_is_cancelled_is_left() {
    let mut bench = Bench::new(Way::Cancels);
    let mut updater = bench.updater();
    assert_eq!(bench.run(&mut updater), End::Later);
    let told = bench.last_told();
    assert!(
        told.contains("\"id\":\"9\"") && told.contains("\"finished\":\"success\""),
        "{told}"
    );
    assert_eq!(bench.chip.power_on(), Some(Slot::A));
}

#[test]
fn wrong_bytes_and_wrong_ranges_are_refused_with_their_codes() {
    for (way, code) in [(Way::Damages, "bad_hash"), (Way::Whole, "bad_range")] {
        let mut bench = Bench::new(way);
        let mut updater = bench.updater();
        assert_eq!(bench.run(&mut updater), End::Later);
        assert!(bench.last_told().contains(code), "{}", bench.last_told());
        assert_eq!(updater.code().map(|code| code.as_str()), Some(code));
        assert_eq!(bench.chip.power_on(), Some(Slot::A));
    }
}

#[test]
fn a_server_that_never_gets_far_is_told_so() {
    let mut bench = Bench::new(Way::Breaks(1000));
    let mut updater = bench.updater();
    assert_eq!(bench.run(&mut updater), End::Later);
    assert!(
        bench.last_told().contains("no_network"),
        "{}",
        bench.last_told()
    );
}
