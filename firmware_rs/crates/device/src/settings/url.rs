//! The address of the hub or of an update server, taken apart.

use heapless::String;

/// How it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `ws://` or `http://`, on this machine only.
    Plain,
    /// `wss://` or `https://`: TLS with the settings' authority and name.
    Tls,
}

/// An address in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Without brackets.
    pub host: String<256>,
    /// 443 or 80 where the address names none.
    pub port: u16,
    /// At least `/`.
    pub path: String<256>,
}

/// Characters of an address at most.
const MAX_URL: usize = 256;
const BRACKET: &str = "an address whose [host] is closed";
const CHARACTERS: &str = "an address without spaces or control characters";
const PARTS: &str = "an address with a host, and a port from 1 to 65535 if any";

/// What an address may begin with, and what is said of one that does not.
#[derive(Debug)]
pub struct Schemes {
    plain: &'static str,
    tls: &'static str,
    begin: &'static str,
    pub(super) length: &'static str,
    pinned: &'static str,
}

/// Of the link.
pub const LINK: Schemes = Schemes {
    plain: "ws://",
    tls: "wss://",
    begin: "an address beginning with wss:// or ws://",
    length: "an address beginning with wss:// or ws://, of at most 256 characters",
    pinned: "wss:// beyond loopback: without TLS anybody on the network could take the token and the audio",
};
/// Of an update server.
pub const UPDATE: Schemes = Schemes {
    plain: "http://",
    tls: "https://",
    begin: "an address beginning with https:// or http://",
    length: "an address beginning with https:// or http://, of at most 256 characters",
    pinned: "https:// beyond loopback: without TLS anybody on the network could take the token and the audio",
};

impl Url {
    /// Take `url`, which begins with one of `schemes`, apart.
    ///
    /// # Errors
    ///
    /// What it must be.
    pub fn parse(url: &str, schemes: &Schemes) -> Result<Self, &'static str> {
        if url.chars().count() > MAX_URL {
            return Err(schemes.length);
        }
        let (scheme, rest) = if let Some(rest) = url.strip_prefix(schemes.tls) {
            (Scheme::Tls, rest)
        } else if let Some(rest) = url.strip_prefix(schemes.plain) {
            (Scheme::Plain, rest)
        } else {
            return Err(schemes.begin);
        };
        let (authority, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
            Some((authority, path)) => (authority, path),
            None => (rest, "/"),
        };
        let default = if scheme == Scheme::Tls { "443" } else { "80" };
        let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
            match inner.split_once(']') {
                Some((host, "" | ":")) => (host, default),
                Some((host, after)) => (host, after.strip_prefix(':').ok_or(BRACKET)?),
                None => return Err(BRACKET),
            }
        } else {
            authority.split_once(':').unwrap_or((authority, default))
        };
        // Nothing that could end the line or the header in which the host and path are sent.
        if !url.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(CHARACTERS);
        }
        if host.is_empty() || authority.contains('@') {
            return Err(PARTS);
        }
        let port = number(port).filter(|port| *port > 0).ok_or(PARTS)?;
        if scheme == Scheme::Plain && !is_loopback(host) {
            return Err(schemes.pinned);
        }
        Ok(Self {
            scheme,
            host: host.try_into().map_err(|_| schemes.length)?,
            port,
            path: path.try_into().map_err(|_| schemes.length)?,
        })
    }
}

/// Whether a connection to `host` stays on this machine.
fn is_loopback(host: &str) -> bool {
    if matches!(host, "localhost" | "::1") {
        return true;
    }
    host.starts_with("127.")
        && host.split('.').count() == 4
        && host
            .split('.')
            .all(|part| number(part).is_some_and(|n| n < 256))
}

/// Decimal digits and nothing else, as a u16.
fn number(digits: &str) -> Option<u16> {
    digits
        .bytes()
        .all(|c| c.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}
