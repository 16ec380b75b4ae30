//! The connection to the hub: name, TCP and TLS, one attempt of the device at a time.
//!
//! There is no other way out of the chip than [`minerva_tls::carry`], which gives nothing to the network before the hub
//! has proved who it is. `ws://` is for loopback, and a chip has nothing there: such settings are refused.

use alloc::ffi::CString;
use core::cell::Cell;
use core::net::Ipv4Addr;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{self, TcpReader, TcpSocket, TcpWriter};
use embassy_net::{IpAddress, Runner, Stack};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{ErrorType, Read, Write};
use esp_radio::wifi::Interface;
use minerva_board::watch::{Loop, Watch};
use minerva_board::wire::{Attempt, Wire};
use minerva_device::settings::{Scheme, Settings};
use minerva_tls::{Split, TlsReference, Trust, carry};

const LOOK: Duration = Duration::from_secs(5);
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(15);
const NAME_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// For what the device said last: the reason why it closes.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// The hub pings every 15 s; the device itself gives up after 45.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes each way between TCP and TLS.
const ROOM: usize = 2048;

const LEFT: &str = "closed by this device";

/// The hub to reach.
pub struct Hub {
    /// Where it is.
    pub settings: &'static Settings,
    /// Its authority, as PEM.
    pub ca: CString,
    /// The name that it must prove.
    pub name: CString,
    /// Mbed TLS.
    pub tls: TlsReference<'static>,
}

/// The IP stack itself.
#[embassy_executor::task]
pub async fn run(mut runner: Runner<'static, Interface>) -> ! {
    runner.run().await
}

/// Connect when the device wants it, until it does not, or the hub or the network ends it.
#[embassy_executor::task]
pub async fn keep(
    hub: Hub,
    stack: Stack<'static>,
    wire: &'static Wire,
    watch: &'static Watch,
) -> ! {
    loop {
        let attempt = alongside(watch, wire.wanted()).await;
        let why = alongside(watch, attempt_once(&hub, stack, wire, attempt)).await;
        wire.closed(attempt, why);
    }
}

/// Do something, and say meanwhile that this loop goes round: each wait in it has its own limit.
async fn alongside<T>(watch: &Watch, work: impl Future<Output = T>) -> T {
    let ticking = async {
        loop {
            watch.alive(Loop::Network);
            Timer::after(LOOK).await;
        }
    };
    match select(work, ticking).await {
        Either::First(done) => done,
        Either::Second(never) => never,
    }
}

/// One connection from its beginning to its end; why it ended.
async fn attempt_once(
    hub: &Hub,
    stack: Stack<'static>,
    wire: &Wire,
    attempt: Attempt,
) -> &'static str {
    if hub.settings.scheme != Scheme::Tls {
        return "ws:// is for loopback, where a chip has nothing: nothing is sent without TLS";
    }
    let mut receive = [0; ROOM];
    let mut send = [0; ROOM];
    let mut socket = TcpSocket::new(stack, &mut receive, &mut send);
    let connecting = connect(hub.settings, stack, &mut socket);
    match select(connecting, wire.left(attempt)).await {
        Either::First(Ok(())) => {}
        Either::First(Err(why)) => return why,
        Either::Second(()) => return LEFT,
    }
    converse(hub, &mut socket, wire, attempt).await
}

/// A TCP connection to the settings' host.
async fn connect(
    settings: &Settings,
    stack: Stack<'static>,
    socket: &mut TcpSocket<'_>,
) -> Result<(), &'static str> {
    with_timeout(ADDRESS_TIMEOUT, stack.wait_config_up())
        .await
        .map_err(|_| "no Wi-Fi, or no address from it, within 15 s")?;
    let address = resolve(settings, stack).await?;
    socket.set_timeout(Some(SILENCE_TIMEOUT));
    socket.set_nagle_enabled(false);
    match with_timeout(CONNECT_TIMEOUT, socket.connect((address, settings.port))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("nobody listens at the hub's address and port"),
        Err(_) => Err("no answer from the hub's address within 10 s"),
    }
}

async fn resolve(settings: &Settings, stack: Stack<'static>) -> Result<IpAddress, &'static str> {
    if let Ok(address) = settings.host.parse::<Ipv4Addr>() {
        return Ok(IpAddress::Ipv4(address));
    }
    if settings.host.contains(':') {
        return Err("the hub's address is IPv6, which this firmware does not speak");
    }
    let query = stack.dns_query(&settings.host, DnsQueryType::A);
    let answers = with_timeout(NAME_TIMEOUT, query).await;
    let found = answers.ok().and_then(Result::ok);
    let first = found.and_then(|addresses| addresses.first().copied());
    first.ok_or("the hub's name has no address")
}

/// TLS and everything after it.
async fn converse(
    hub: &Hub,
    socket: &mut TcpSocket<'_>,
    wire: &Wire,
    attempt: Attempt,
) -> &'static str {
    let trust = Trust {
        ca_pem: &hub.ca,
        server_name: &hub.name,
    };
    let opened = Cell::new(false);
    let mut outgoing = wire.outgoing(attempt);
    let mut incoming = wire.incoming(attempt);
    let carried = carry(
        hub.tls,
        Socket(socket),
        &trust,
        &mut outgoing,
        &mut incoming,
        || {
            opened.set(true);
            wire.opened(attempt);
        },
    );
    let too_slow = async {
        Timer::after(HANDSHAKE_TIMEOUT).await;
        if opened.get() {
            core::future::pending().await
        }
    };
    let left = async {
        wire.left(attempt).await;
        Timer::after(LEAVE_TIMEOUT).await;
    };
    match select3(carried, too_slow, left).await {
        Either3::First(end) => end.text(),
        Either3::Second(()) => "no TLS handshake within 15 s",
        Either3::Third(()) => LEFT,
    }
}

/// A TCP connection as TLS wants it.
struct Socket<'a, 'b>(&'a mut TcpSocket<'b>);

impl ErrorType for Socket<'_, '_> {
    type Error = tcp::Error;
}

impl Read for Socket<'_, '_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, tcp::Error> {
        self.0.read(buffer).await
    }
}

impl Write for Socket<'_, '_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, tcp::Error> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), tcp::Error> {
        self.0.flush().await
    }
}

impl Split for Socket<'_, '_> {
    type Read<'c>
        = TcpReader<'c>
    where
        Self: 'c;
    type Write<'c>
        = TcpWriter<'c>
    where
        Self: 'c;

    fn split(&mut self) -> (TcpReader<'_>, TcpWriter<'_>) {
        self.0.split()
    }
}
