//! TLS to the hub on a computer: the pinned authority, the fixed name, and sockets that never wait.
//!
//! The chip's TLS is another library (crates/tls); both hold to one rule, docs/decisions/0019-tls-in-minerva-sim.md:
//! chain, signature and name are required, dates are not looked at, and every connection proves the hub anew.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use minerva_device::settings::{Scheme, Settings};
use mio::net::TcpStream;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

/// Bytes that are encrypted at a time: what was taken cannot be taken back, so little is.
const MAX_TAKEN: usize = 4096;
/// Certificates of a chain whose dates are waived at most: the hub's own, and one between it and the authority.
const MAX_DATES: usize = 2;
/// As good as any: no date is a reason to refuse.
const SOME_DATE: UnixTime = UnixTime::since_unix_epoch(std::time::Duration::from_secs(946_684_800)); // 2000

/// The settings' `ca` cannot be used.
pub const BAD_AUTHORITY: &str = "settings.json: ca is not a PEM certificate";
const BAD_NAME: &str = "settings.json: server_name is no name that a certificate may have";
// As crates/tls says them.
const UNTRUSTED: &str = "the hub's certificate is not signed by ca in settings.json";
const WRONG_NAME: &str = "the hub's certificate is not for server_name in settings.json";
const NO_TLS: &str = "settings.json: url is wss://, but whoever listens there does not speak TLS";
const FAILED: &str = "the TLS handshake failed";
const BROKE_OFF: &str = "the TLS handshake was broken off";

/// What a device was told of its hub when it was paired.
#[derive(Clone, Debug)]
pub struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// The authorities of all devices, each read once.
#[derive(Debug, Default)]
pub struct Authorities(HashMap<String, Arc<ClientConfig>>);

impl Authorities {
    /// What the settings trust; none when their `url` is not `wss://`.
    ///
    /// # Errors
    ///
    /// Which of the settings cannot be used, without the name of their file.
    pub fn trust(&mut self, settings: &Settings) -> Result<Option<Trust>, &'static str> {
        if settings.scheme != Scheme::Tls {
            return Ok(None);
        }
        let plain = |text: &'static str| text.strip_prefix("settings.json: ").unwrap_or(text);
        let name =
            ServerName::try_from(settings.server_name.to_string()).map_err(|_| plain(BAD_NAME))?;
        let config = match self.0.get(settings.ca.as_str()) {
            Some(config) => config.clone(),
            None => {
                let config =
                    Arc::new(client_config(&settings.ca).map_err(|()| plain(BAD_AUTHORITY))?);
                self.0.insert(settings.ca.to_string(), config.clone());
                config
            }
        };
        Ok(Some(Trust { config, name }))
    }
}

fn client_config(ca_pem: &str) -> Result<ClientConfig, ()> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.map_err(|_| ())?).map_err(|_| ())?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = Dateless::new(roots, &provider)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions() // 1.2 and 1.3
        .map_err(|_| ())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// rustls' own verification, of which only what it says of dates does not count.
#[derive(Debug)]
struct Dateless(Arc<WebPkiServerVerifier>);

impl Dateless {
    fn new(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Self, ()> {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map(Self)
            .map_err(|_| ())
    }
}

impl ServerCertVerifier for Dateless {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |date| {
            self.0
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, date)
        };
        let mut verdict = verify(SOME_DATE);
        for _ in 0..MAX_DATES {
            // Asked again on a day on which that certificate was valid: everything else must hold.
            let date = match verdict {
                Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                    not_after,
                    ..
                })) => not_after,
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) => not_before,
                other => return other,
            };
            verdict = verify(date);
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Why the handshake came to nothing.
fn refused(error: &Error) -> &'static str {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    match error {
        Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => WRONG_NAME,
        Error::InvalidCertificate(_) => UNTRUSTED,
        Error::InvalidMessage(_) => NO_TLS,
        _ => FAILED,
    }
}

/// A TCP connection by TLS. Its calls return [`ErrorKind::WouldBlock`] when they can do nothing now.
#[derive(Debug)]
pub struct Secured {
    socket: TcpStream,
    session: ClientConnection,
}

impl Secured {
    /// By `socket`, which is connected; nothing is sent yet.
    pub fn new(socket: TcpStream, trust: &Trust) -> Result<Self, &'static str> {
        let session = ClientConnection::new(trust.config.clone(), trust.name.clone())
            .map_err(|error| refused(&error))?;
        Ok(Self { socket, session })
    }

    /// The socket, for what has nothing to do with TLS.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Go on with the handshake; whether the hub has proved who it is.
    ///
    /// # Errors
    ///
    /// Why it is not the hub, for the log.
    pub fn shake(&mut self) -> Result<bool, &'static str> {
        while self.session.is_handshaking() {
            if !settled(self.push()).map_err(|_| BROKE_OFF)? {
                return Ok(false);
            }
            match self.pull() {
                Ok(0) => return Err(BROKE_OFF),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) => {
                    let why = e.get_ref().and_then(|e| e.downcast_ref::<Error>());
                    let _ = self.push(); // the alert, if it can still be said
                    return Err(why.map_or(BROKE_OFF, refused));
                }
            }
        }
        // The handshake's own end goes out before anything else, so it need not be out yet.
        settled(self.push()).map_err(|_| BROKE_OFF)?;
        Ok(true)
    }

    /// Hand the socket what is encrypted.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when it does not take all of it.
    pub fn push(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Read and decrypt what came: bytes read, 0 at the end. What TLS refuses is `InvalidData`.
    fn pull(&mut self) -> io::Result<usize> {
        loop {
            match self.session.read_tls(&mut self.socket) {
                Ok(size) => {
                    self.session
                        .process_new_packets()
                        .map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?;
                    return Ok(size);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Say that nothing more comes from here.
    pub fn say_goodbye(&mut self) {
        self.session.send_close_notify();
    }
}

/// Whether it could be done now; an error otherwise than of waiting is one.
fn settled(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(e) => Err(e),
    }
}

impl Read for Secured {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                // Without a farewell it is an end as well: what is missing shows in the WebSocket.
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            self.pull()?;
        }
    }
}

impl Write for Secured {
    /// Takes nothing while the socket has not taken what was encrypted before.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push()?;
        let taken = self
            .session
            .writer()
            .write(&bytes[..bytes.len().min(MAX_TAKEN)])?;
        settled(self.push())?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}
