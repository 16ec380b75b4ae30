//! TLS to the hub: the pinned authority, the fixed name, bytes both ways.
//!
//! A hub proves that it is the one this device was paired with by a certificate for the fixed name
//! `<hub-id>.minerva`, signed by the authority in the device's settings; the address does not matter. Mbed TLS
//! checks chain, signature and name, and nothing is sent before it has. Dates are not checked: a device has no
//! clock before the hub tells it the time (docs/decisions/0015-tls-on-the-chip.md).
#![no_std]

use core::ffi::CStr;
use core::fmt;

use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use mbedtls_rs::{Certificate, ClientSessionConfig, Session, SessionConfig, SessionError, X509};

pub use mbedtls_rs::{Split, Tls, TlsReference};

const CHUNK: usize = 1024; // a packet of 60 ms of PCM and its frame in two; larger would only cost memory

// Flags of a failed verification, as in mbedtls/x509.h.
const NAME_MISMATCH: u32 = 0x04;
const NOT_TRUSTED: u32 = 0x08;

/// What the device was told of its hub when it was paired.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// The hub's authority, as PEM.
    pub ca_pem: &'a CStr,
    /// The name that the hub's certificate must have, whatever its address is.
    pub server_name: &'a CStr,
}

/// Why there is no connection any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// The settings' `ca` is no certificate.
    BadAuthority,
    /// The peer's certificate is not signed by the settings' authority.
    Untrusted,
    /// The peer's certificate is for another name than the settings' `server_name`.
    WrongName,
    /// The handshake failed otherwise; Mbed TLS's code.
    Handshake(i32),
    /// The connection failed or broke off.
    Network,
    /// Mbed TLS refused what came or had to go; its code.
    Session(i32),
    /// The hub ended the connection.
    Ended,
    /// Our own side ended it.
    Left,
}

impl ChannelError {
    /// For the device's log.
    pub const fn text(self) -> &'static str {
        match self {
            Self::BadAuthority => "settings.json: ca is not a PEM certificate",
            Self::Untrusted => "the hub's certificate is not signed by ca in settings.json",
            Self::WrongName => "the hub's certificate is not for server_name in settings.json",
            Self::Handshake(_) => "the TLS handshake failed",
            Self::Network => "the connection broke off",
            Self::Session(_) => "TLS broke off",
            Self::Ended => "the hub closed the connection",
            Self::Left => "closed",
        }
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(code) | Self::Session(code) => {
                write!(
                    f,
                    "{} (Mbed TLS -0x{:04x})",
                    self.text(),
                    code.unsigned_abs()
                )
            }
            _ => f.write_str(self.text()),
        }
    }
}

impl core::error::Error for ChannelError {}

/// Carry bytes between `socket`, which is connected, and the device until one side ends it.
///
/// `outgoing` gives what the device wants to send, encrypted before it leaves; `incoming` takes what the hub
/// sent. `opened` is called when the hub has proved who it is, and not a byte is taken from `outgoing` before.
/// The end of `outgoing` (a read of nothing) closes the connection in order.
pub async fn carry<S: Read + Write + Split>(
    tls: TlsReference<'_>,
    socket: S,
    trust: &Trust<'_>,
    outgoing: &mut impl Read,
    incoming: &mut impl Write,
    opened: impl FnOnce(),
) -> ChannelError {
    let Ok(authority) = Certificate::new(X509::PEM(trust.ca_pem)) else {
        return ChannelError::BadAuthority;
    };
    let config = SessionConfig::Client(ClientSessionConfig {
        ca_chain: Some(authority),
        server_name: Some(trust.server_name),
        ..ClientSessionConfig::new()
    });
    let mut session = match Session::new(tls, socket, &config) {
        Ok(session) => session,
        Err(error) => return broken(error),
    };
    if let Err(error) = session.connect().await {
        return refused(error, session.tls_verification_details());
    }
    opened();
    let error = match session.split().await {
        Ok((mut reader, mut writer)) => {
            match select(
                pump(&mut reader, incoming, ChannelError::Ended),
                pump(outgoing, &mut writer, ChannelError::Left),
            )
            .await
            {
                Either::First(error) | Either::Second(error) => error,
            }
        }
        Err(error) => broken(error),
    };
    if error == ChannelError::Left && session.close().await.is_err() {
        return ChannelError::Network;
    }
    error
}

/// Copy until `from` gives nothing more, which is `end`, or something breaks.
async fn pump(from: &mut impl Read, to: &mut impl Write, end: ChannelError) -> ChannelError {
    let mut chunk = [0; CHUNK];
    loop {
        let size = match from.read(&mut chunk).await {
            Ok(0) => return end,
            Ok(size) => size,
            Err(_) => return ChannelError::Network,
        };
        let Some(bytes) = chunk.get(..size) else {
            return ChannelError::Network;
        };
        if to.write_all(bytes).await.is_err() || to.flush().await.is_err() {
            return ChannelError::Network;
        }
    }
}

fn refused(error: SessionError, flags: u32) -> ChannelError {
    // While nothing was verified the flags are all set.
    if flags != 0 && flags != u32::MAX {
        if flags & NOT_TRUSTED != 0 {
            return ChannelError::Untrusted;
        }
        if flags & NAME_MISMATCH != 0 {
            return ChannelError::WrongName;
        }
    }
    match error {
        SessionError::MbedTls(error) => ChannelError::Handshake(error.code()),
        _ => ChannelError::Network,
    }
}

fn broken(error: SessionError) -> ChannelError {
    match error {
        SessionError::MbedTls(error) => ChannelError::Session(error.code()),
        _ => ChannelError::Network,
    }
}
