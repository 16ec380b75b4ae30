//! settings.json, version 1: where the hub is, who this device is, and what its owner allows.
//!
//! Every error names the file, the key, the value and what is allowed. Unknown keys are refused: a misspelt
//! "ceiling" must not quietly leave the default.

mod check;
mod update;
mod url;

use core::fmt;

use heapless::String;
use minerva_wire::json::{self, Object};
use minerva_wire::privacy::Mode;

use crate::text;
use check::Keys;

pub use update::{Own, UpdateServer};
pub use url::{LINK, Scheme, Schemes, UPDATE, Url};

/// The version of the file that this firmware reads.
pub const VERSION: u8 = 1;
/// Bytes of a settings file at most: a PEM certificate has about 1 kB, all else together less.
pub const MAX_BYTES: usize = 8192;
/// 0.8 s of ADPCM; a smaller ring would not bridge a reconnect.
pub const MIN_RING: u32 = 8192;
/// 4 MiB.
pub const MAX_RING: u32 = 4 << 20;
/// The board's gain in dB at least.
pub const MIN_GAIN_DB: i32 = -12;
/// The board's gain in dB at most.
pub const MAX_GAIN_DB: i32 = 48;

const FILE: &str = "settings.json: ";
const DEFAULT_GAIN_DB: f32 = 24.0;
const PEM: &str = "-----BEGIN CERTIFICATE-----";
/// Sorted, as errors list them.
const KEYS: [&str; 12] = [
    "board",
    "ca",
    "ceiling",
    "device",
    "gain_db",
    "ring_bytes",
    "server_name",
    "token",
    "update",
    "url",
    "version",
    "wifi",
];
const WIFI_KEYS: [&str; 2] = ["password", "ssid"];

/// A network to join.
#[derive(Clone, PartialEq, Eq)]
pub struct Wifi {
    /// 1 to 32 bytes.
    pub ssid: String<32>,
    /// Up to 64 bytes.
    pub password: String<64>,
}

impl fmt::Debug for Wifi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A secret would end up in a log.
        f.debug_struct("Wifi")
            .field("ssid", &self.ssid)
            .finish_non_exhaustive()
    }
}

/// Checked settings, named as the keys; `scheme`, `host`, `port` and `path` from `url`.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// The device's id.
    pub device: String<32>,
    /// The board's name.
    pub board: String<32>,
    /// From `url`.
    pub scheme: Scheme,
    /// From `url`; an IPv6 address stands without its brackets.
    pub host: String<256>,
    /// From `url`.
    pub port: u16,
    /// From `url`, at least `/`.
    pub path: String<256>,
    /// The fixed name in the hub's certificate.
    pub server_name: String<128>,
    /// The hub's certificate authority as PEM.
    pub ca: String<4096>,
    /// What proves that this is the device.
    pub token: String<128>,
    /// Absent where the network is somebody else's matter.
    pub wifi: Option<Wifi>,
    /// The most open mode that may be ordered over the link.
    pub ceiling: Mode,
    /// -12 to 48.
    pub gain_db: f32,
    /// 0: what suits the memory.
    pub ring_bytes: u32,
    /// Absent where nobody updates the device over the air.
    pub update: Option<UpdateServer>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("device", &self.device)
            .field("board", &self.board)
            .field("host", &self.host)
            .field("ceiling", &self.ceiling)
            .finish_non_exhaustive()
    }
}

/// settings.json cannot be used; the text names the file, the key, the value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub String<320>);

impl SettingsError {
    fn new(why: fmt::Arguments<'_>) -> Self {
        Self(text::line(format_args!("{FILE}{why}")))
    }

    /// The text without the file's name, for a program that reads another one.
    pub fn why(&self) -> &str {
        self.0.strip_prefix(FILE).unwrap_or(&self.0)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for SettingsError {}

/// The text of a settings file -> its settings, checked.
///
/// # Errors
///
/// What is wrong with it first.
#[expect(
    clippy::result_large_err,
    reason = "settings are larger, there is no heap to box on, and it is called once"
)]
pub fn parse(text: &[u8]) -> Result<Settings, SettingsError> {
    let size = text.len();
    if size > MAX_BYTES {
        return Err(SettingsError::new(format_args!(
            "{size} bytes; at most {MAX_BYTES} are read"
        )));
    }
    let object = json::object(text).map_err(|error| {
        if error.what.ends_with("not an object") {
            SettingsError::new(format_args!("it must be one JSON object"))
        } else {
            SettingsError::new(format_args!("not JSON ({error})"))
        }
    })?;
    read(object)
}

#[expect(clippy::result_large_err, reason = "as parse")]
fn read(object: Object<'_>) -> Result<Settings, SettingsError> {
    let keys = Keys::new(object, "");
    // A file of another version has other keys: that is the first thing to say.
    keys.version()?;
    keys.only(&KEYS)?;
    let device = keys.device()?;
    let board = keys.board()?;
    let Url {
        scheme,
        host,
        port,
        path,
    } = keys.url(&LINK)?;
    let server_name = keys.text("server_name", 0, Some(""))?;
    let ca: String<4096> = keys.text("ca", 0, Some(""))?;
    let token = keys.text("token", 1, None)?;
    let wifi = keys.object("wifi", "an object with ssid and password")?;
    let ceiling = keys.ceiling()?;
    let gain_db = keys.gain_db()?.unwrap_or(DEFAULT_GAIN_DB);
    let ring_bytes = keys.ring_bytes()?.unwrap_or(0);
    let wifi = match wifi {
        None => None,
        Some(object) => {
            let keys = Keys::new(object, "wifi.");
            keys.only(&WIFI_KEYS)?;
            Some(Wifi {
                ssid: keys.text("ssid", 1, None)?,
                password: keys.text("password", 0, Some(""))?,
            })
        }
    };
    let update = keys.object("update", "an object with url")?;
    let update = match update {
        None => None,
        Some(object) => Some(update::read(object, &server_name, &ca)?),
    };
    if scheme == Scheme::Tls {
        pinned("", "a wss:// url needs the hub's", &server_name, &ca)?;
    }
    Ok(Settings {
        device,
        board,
        scheme,
        host,
        port,
        path,
        server_name,
        ca,
        token,
        wifi,
        ceiling,
        gain_db,
        ring_bytes,
        update,
    })
}

/// Who is reached by TLS must be known by its authority and name.
#[expect(clippy::result_large_err, reason = "as parse")]
fn pinned(prefix: &str, who: &str, server_name: &str, ca: &str) -> Result<(), SettingsError> {
    for (key, empty) in [
        ("ca", ca.is_empty()),
        ("server_name", server_name.is_empty()),
    ] {
        if empty {
            return Err(SettingsError::new(format_args!(
                "{prefix}{key} is empty; {who} certificate authority and its fixed name"
            )));
        }
    }
    if !ca.contains(PEM) {
        return Err(SettingsError::new(format_args!(
            "{prefix}ca is not a PEM certificate ({PEM})"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
