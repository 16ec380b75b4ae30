//! settings.json, version 1: where the hub is, who this device is, and what its owner allows.

use core::fmt;
use heapless::String;

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

/// How the hub is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `ws://`, on this machine only.
    Plain,
    /// `wss://`: TLS with the settings' authority and name.
    Tls,
}

/// A network to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wifi {
    /// 1 to 32 bytes.
    pub ssid: String<32>,
    /// Up to 64 bytes.
    pub password: String<64>,
}

/// Checked settings, named as the keys; `scheme`, `host`, `port` and `path` from `url`.
#[derive(Clone, Debug, PartialEq)]
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
    /// -12 to 48.
    pub gain_db: f32,
    /// 0: what suits the memory.
    pub ring_bytes: u32,
}

/// settings.json cannot be used; the text names the file, the key, the value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub String<320>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for SettingsError {}

/// The text of a settings file, checked.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(text: &[u8]) -> Result<Settings, SettingsError> {
    let mut error = String::new();
    let _ = fmt::Write::write_fmt(
        &mut error,
        format_args!(
            "settings.json: {} bytes; at most {MAX_BYTES} are read",
            text.len()
        ),
    );
    Err(SettingsError(error))
}
