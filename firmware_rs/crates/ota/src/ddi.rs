//! hawkBit's DDI: what an update server's JSON says to do, and what is told to it.
//!
//! Fields that are not named here are passed over, so that a server may say more. Of a link only the path is taken: a
//! device speaks to no other server than the one in its settings, whatever name that one gives itself.

mod told;

use core::fmt;

use heapless::String;
use minerva_wire::json::{self, Chars, Object, Str, Value};

use crate::{Code, Refusal};

pub use told::{Feedback, config_data};

/// Bytes of the answer to a poll; hawkBit's has some 600.
pub const MAX_POLL: usize = 4096;
/// Bytes of a deployment: hawkBit has about 900 for each artifact.
pub const MAX_DEPLOYMENT: usize = 8192;
/// Bytes of a cancel action.
pub const MAX_CANCEL: usize = 1024;
/// Bytes of what is told at a time.
pub const MAX_BODY: usize = 1024;
/// Bytes of a path with its query.
pub const MAX_PATH: usize = 512;
/// The highest id, and size: hawkBit counts so far.
pub const MAX_ID: u64 = (1 << 63) - 1;

const LEAST_SLEEP_S: u64 = 30;
const MOST_SLEEP_S: u64 = 24 * 3600;
/// Where the server says nothing of it.
pub const USUAL_SLEEP_S: u32 = 300;
const JITTER_PERCENT: u64 = 10; // so that devices that were switched on together do not ask together

/// The names of the artifacts.
pub const NAMES: [&str; 3] = ["manifest.json", "manifest.sig", "files.bin"];

/// A path on the server.
pub type Path = String<MAX_PATH>;

fn bad(text: fmt::Arguments<'_>) -> Refusal {
    Refusal::new(Code::BadAnswer, text)
}

fn object<'a>(data: &'a [u8], what: &str, limit: usize) -> Result<Object<'a>, Refusal> {
    if data.len() > limit {
        return Err(Refusal::new(
            Code::TooLong,
            format_args!("{what} has {} bytes; at most {limit} are read", data.len()),
        ));
    }
    json::object(data).map_err(|error| bad(format_args!("{what} is not one JSON object: {error}")))
}

/// What stands at a path of names in nested objects.
fn at<'a>(object: Object<'a>, names: &[&str]) -> Option<Value<'a>> {
    let (last, before) = names.split_last()?;
    let inner = before
        .iter()
        .try_fold(object, |object, name| object.get(name)?.as_object())?;
    inner.get(last)
}

fn text_at<'a>(object: Object<'a>, names: &[&str]) -> Option<Str<'a>> {
    at(object, names)?.as_str()
}

/// Whether `chars` begins with `text`; goes behind it then.
fn skip(chars: &mut Chars<'_>, text: &str) -> bool {
    let mut ahead = chars.clone();
    let begins = text.chars().all(|c| ahead.next() == Some(Ok(c)));
    if begins {
        *chars = ahead;
    }
    begins
}

/// The path, with its query, of a link.
fn path_of(href: Option<Str<'_>>, what: &str) -> Result<Path, Refusal> {
    let wrong = || {
        bad(format_args!(
            "the link to {what} is none, or longer than {MAX_PATH}"
        ))
    };
    let mut chars = href.ok_or_else(wrong)?.chars();
    let mut path = Path::new();
    if skip(&mut chars, "https://") || skip(&mut chars, "http://") {
        // The name before the path counts for nothing, however long it is.
        let slash = chars.any(|c| c == Ok('/'));
        path.push_str(if slash { "/" } else { "" })
            .map_err(|_| wrong())?;
    }
    for c in chars.take_while(|c| *c != Ok('#')) {
        let c = c.ok().filter(char::is_ascii_graphic).ok_or_else(wrong)?;
        path.push(c).map_err(|_| wrong())?;
    }
    Some(path)
        .filter(|path| path.starts_with('/'))
        .ok_or_else(wrong)
}

/// 1 to 19 digits.
fn number(text: impl Iterator<Item = char>) -> Option<u64> {
    let mut count: u32 = 0;
    let value = text.into_iter().try_fold(0_u64, |sum, c| {
        count = count.saturating_add(1);
        let digit = u64::from(c.to_digit(10)?);
        (count <= 19).then(|| sum.saturating_mul(10).saturating_add(digit))
    })?;
    (count > 0).then_some(value)
}

/// An id, which is a decimal number as text or as a number.
fn id(value: Option<Value<'_>>, what: &str) -> Result<u64, Refusal> {
    let found = value.and_then(|value| match value.as_str() {
        Some(text) => number(text.chars().map(|c| c.unwrap_or('?'))),
        None => number(value.raw().chars()),
    });
    found.filter(|id| *id <= MAX_ID).ok_or_else(|| {
        bad(format_args!(
            "the id of {what} is no number from 0 to {MAX_ID}"
        ))
    })
}

/// The id that a link to an action ends with.
fn id_of(path: &str, what: &str) -> Result<u64, Refusal> {
    let plain = path.split('?').next().unwrap_or_default();
    number(plain.rsplit('/').next().unwrap_or_default().chars())
        .filter(|id| *id <= MAX_ID)
        .ok_or_else(|| bad(format_args!("the link to {what} ends with no number")))
}

/// `00:05:00` -> seconds, from 30 to 86400; what is no such time is taken for five minutes.
fn sleep_s(text: Option<Str<'_>>) -> u32 {
    let seconds = text.and_then(|text| {
        let mut plain: String<9> = String::new();
        for c in text.chars() {
            plain.push(c.ok()?).ok()?;
        }
        let mut parts = plain.split(':');
        let mut sum: u64 = 0;
        for unit in [3600, 60, 1] {
            let part = number(parts.next()?.chars())?;
            sum = sum.saturating_add(part.saturating_mul(unit));
        }
        parts.next().is_none().then_some(sum)
    });
    let bounded = seconds.map(|seconds| seconds.clamp(LEAST_SLEEP_S, MOST_SLEEP_S));
    bounded
        .and_then(|seconds| u32::try_from(seconds).ok())
        .unwrap_or(USUAL_SLEEP_S)
}

/// Milliseconds to sleep, up to a tenth more or less.
#[must_use]
pub fn jittered_ms(seconds: u32, random: u64) -> u64 {
    let percent = (100 - JITTER_PERCENT).saturating_add(random % (2 * JITTER_PERCENT + 1));
    u64::from(seconds)
        .saturating_mul(10)
        .saturating_mul(percent)
        .max(LEAST_SLEEP_S * 1000)
}

/// What the base resource says: when to ask again, and the paths of what there is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Seconds to the next.
    pub sleep_s: u32,
    /// Path and id of the deployment.
    pub deployment: Option<(Path, u64)>,
    /// Path of a cancel action.
    pub cancel: Option<Path>,
    /// Path where to say what this device is.
    pub config: Option<Path>,
}

impl Poll {
    /// The answer to GET of the base resource.
    ///
    /// # Errors
    ///
    /// `too_long`, `bad_answer`.
    pub fn read(data: &[u8]) -> Result<Self, Refusal> {
        let object = object(data, "the poll's answer", MAX_POLL)?;
        let link = |name: &str| -> Result<Option<Path>, Refusal> {
            let Some(link) = at(object, &["_links", name]).filter(|link| !link.is_null()) else {
                return Ok(None);
            };
            let href = link.as_object().and_then(|link| text_at(link, &["href"]));
            path_of(href, name).map(Some)
        };
        let (deployment, cancel, config) = (
            link("deploymentBase")?,
            link("cancelAction")?,
            link("configData")?,
        );
        let deployment = match deployment {
            Some(path) => Some((path.clone(), id_of(&path, "the deployment")?)),
            None => None,
        };
        let sleep_s = sleep_s(text_at(object, &["config", "polling", "sleep"]));
        Ok(Self {
            sleep_s,
            deployment,
            cancel,
            config,
        })
    }
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Where on the server.
    pub path: Path,
    /// Bytes.
    pub size: u64,
    /// SHA-256 as hex, "" when it is not said; what is longer is cut, and so never right.
    pub sha256: String<65>,
}

/// An action: what to download, and whether now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub action: u64,
    /// False while it has to wait.
    pub now: bool,
    /// `manifest.json`.
    pub manifest: Artifact,
    /// `manifest.sig`.
    pub signature: Artifact,
    /// `files.bin`.
    pub files: Artifact,
}

fn artifact(object: Object<'_>, name: &str) -> Result<Artifact, Refusal> {
    let raw = object.get("size").map_or("", Value::raw);
    let size = number(raw.chars())
        .filter(|size| *size <= MAX_ID)
        .ok_or_else(|| {
            bad(format_args!(
                "the size of {name} is no number from 0 to {MAX_ID}"
            ))
        })?;
    // "download-http" is the same file without TLS, for those who ask for that; this device never does.
    let href =
        |kind| text_at(object, &["_links", kind, "href"]).filter(|href| !href.raw().is_empty());
    let path = path_of(href("download").or_else(|| href("download-http")), name)?;
    let mut sha256 = String::new();
    for c in text_at(object, &["hashes", "sha256"])
        .into_iter()
        .flat_map(Str::chars)
    {
        if sha256.push(c.unwrap_or('?')).is_err() {
            break;
        }
    }
    Ok(Artifact { path, size, sha256 })
}

impl Deployment {
    /// The answer to GET of a deployment.
    ///
    /// # Errors
    ///
    /// `too_long`; `bad_answer`, also when it holds no release of Minerva.
    pub fn read(data: &[u8]) -> Result<Self, Refusal> {
        let object = object(data, "the deployment", MAX_DEPLOYMENT)?;
        let action = id(object.get("id"), "the deployment")?;
        let deployment = object.get("deployment").and_then(Value::as_object);
        let chunks = deployment.and_then(|deployment| deployment.get("chunks")?.as_list());
        for chunk in chunks.into_iter().flatten().filter_map(Value::as_object) {
            let mut found = [const { None }; 3];
            let artifacts = chunk.get("artifacts").and_then(Value::as_list);
            for one in artifacts.into_iter().flatten().filter_map(Value::as_object) {
                let name = text_at(one, &["filename"]);
                for (name_of, place) in NAMES.iter().zip(&mut found) {
                    if name.is_some_and(|name| name.is(name_of)) {
                        *place = Some(artifact(one, name_of)?);
                    }
                }
            }
            if let [Some(manifest), Some(signature), Some(files)] = found {
                let skips = |name| {
                    deployment
                        .and_then(|d| text_at(d, &[name]))
                        .is_some_and(|text| text.is("skip"))
                };
                let now = !skips("download") && !skips("update");
                return Ok(Self {
                    action,
                    now,
                    manifest,
                    signature,
                    files,
                });
            }
        }
        Err(bad(format_args!(
            "deployment {action} has no chunk with all of {}",
            NAMES.len()
        )))
    }
}

/// The answer to GET of a cancel action at `path`: its id, which its feedback names, and the action to stop.
///
/// # Errors
///
/// `too_long`, `bad_answer`.
pub fn read_cancel(data: &[u8], path: &str) -> Result<(u64, u64), Refusal> {
    let object = object(data, "the cancel action", MAX_CANCEL)?;
    let stop = id(
        at(object, &["cancelAction", "stopId"]),
        "the action to stop",
    )?;
    let own = match object.get("id").filter(|id| !id.is_null()) {
        Some(own) => id(Some(own), "the cancel action")?,
        None => id_of(path, "the cancel action")?,
    };
    Ok((own, stop))
}
