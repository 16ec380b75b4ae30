//! The connection to the hub: name, TCP and TLS, one attempt of the device at a time; and to the update server, while
//! there is none to the hub.
//!
//! There is no other way out of the chip than [`minerva_tls::carry`], which gives nothing to the network before the hub
//! has proved who it is. `ws://` is for loopback, and a chip has nothing there: such settings are refused.

use alloc::boxed::Box;
use alloc::ffi::CString;
use core::cell::Cell;
use core::net::Ipv4Addr;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{self, TcpReader, TcpSocket, TcpWriter};
use embassy_net::{IpAddress, Runner, Stack};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{ErrorType, Read, Write};
use esp_radio::wifi::Interface;
use minerva_board::errand::End;
use minerva_board::watch::{Loop, Watch};
use minerva_board::wire::{Attempt, Wire};
use minerva_device::settings::{Scheme, Settings};
use minerva_tls::{Split, TlsReference, Trust, carry};

use crate::updates::Updates;

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

/// Bytes each way between TLS and an errand.
type Line = Pipe<NoopRawMutex, 1024>;

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

/// Connect when the device wants it, until it does not, or the hub or the network ends it; or an update is due.
#[embassy_executor::task]
pub async fn keep(
    hub: Hub,
    stack: Stack<'static>,
    wire: &'static Wire,
    watch: &'static Watch,
    mut updates: Option<&'static mut Updates>,
) -> ! {
    loop {
        match select(alongside(watch, wire.wanted()), due(&mut updates)).await {
            Either::First(attempt) => {
                let link = alongside(watch, attempt_once(&hub, stack, wire, attempt));
                let why = match select(link, due(&mut updates)).await {
                    Either::First(why) => why,
                    Either::Second(()) => "the update server is asked",
                };
                wire.closed(attempt, why);
            }
            Either::Second(()) => {}
        }
        if let Some(updates) = &mut updates {
            // On the heap, where the link's session was: only one of the two is there at a time.
            alongside(watch, Box::pin(errands(&hub, stack, updates))).await;
        }
    }
}

/// Wait until an errand is due; for ever where there are no slots.
async fn due(updates: &mut Option<&'static mut Updates>) {
    match updates {
        Some(updates) => updates.due().await,
        None => core::future::pending().await,
    }
}

/// Ask the update server, as long as there is something to ask for and nobody speaks.
async fn errands(hub: &Hub, stack: Stack<'static>, updates: &mut Updates) {
    let mut receive = [0; ROOM];
    let mut send = [0; ROOM];
    while updates.is_due() {
        let mut socket = TcpSocket::new(stack, &mut receive, &mut send);
        let end = errand(hub, stack, &mut socket, updates).await;
        updates.tell();
        match end {
            Ok(End::Again) => {}
            Ok(End::Later) => return,
            Ok(End::Restart) => updates.restart().await,
            Err(why) => updates.broke_off(why),
        }
    }
}

/// One connection to the update server.
async fn errand(
    hub: &Hub,
    stack: Stack<'static>,
    socket: &mut TcpSocket<'_>,
    updates: &mut Updates,
) -> Result<End, &'static str> {
    let Some(source) = updates.source() else {
        return Ok(End::Later);
    };
    let (ca, name) = (source.ca.clone(), source.name.clone());
    connect(&source.server.host, source.server.port, stack, socket).await?;
    let (up, down) = (Line::new(), Line::new());
    let (mut outgoing, mut incoming) = (&up, &down);
    let opened = Cell::new(false);
    let trust = Trust {
        ca_pem: &ca,
        server_name: &name,
    };
    let carried = carry(
        hub.tls,
        Socket(socket),
        &trust,
        &mut outgoing,
        &mut incoming,
        || {
            opened.set(true);
        },
    );
    let (mut from, mut to) = (&down, &up);
    let talk = updates.talk(&mut from, &mut to);
    let mut talk = core::pin::pin!(talk);
    let too_slow = async {
        Timer::after(HANDSHAKE_TIMEOUT).await;
        if opened.get() {
            core::future::pending().await
        }
    };
    match select3(carried, talk.as_mut(), too_slow).await {
        // What came before the end is heard.
        Either3::First(end) => match with_timeout(LEAVE_TIMEOUT, talk).await {
            Ok(end) => Ok(end),
            Err(_) => Err(end.text()),
        },
        Either3::Second(end) => Ok(end),
        Either3::Third(()) => Err("no TLS handshake with the update server within 15 s"),
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
    let connecting = connect(&hub.settings.host, hub.settings.port, stack, &mut socket);
    match select(connecting, wire.left(attempt)).await {
        Either::First(Ok(())) => {}
        Either::First(Err(why)) => return why,
        Either::Second(()) => return LEFT,
    }
    converse(hub, &mut socket, wire, attempt).await
}

/// A TCP connection to a host of the settings.
async fn connect(
    host: &str,
    port: u16,
    stack: Stack<'static>,
    socket: &mut TcpSocket<'_>,
) -> Result<(), &'static str> {
    with_timeout(ADDRESS_TIMEOUT, stack.wait_config_up())
        .await
        .map_err(|_| "no Wi-Fi, or no address from it, within 15 s")?;
    let address = resolve(host, stack).await?;
    socket.set_timeout(Some(SILENCE_TIMEOUT));
    socket.set_nagle_enabled(false);
    match with_timeout(CONNECT_TIMEOUT, socket.connect((address, port))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("nobody listens at the address and port"),
        Err(_) => Err("no answer from the address within 10 s"),
    }
}

async fn resolve(host: &str, stack: Stack<'static>) -> Result<IpAddress, &'static str> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(IpAddress::Ipv4(address));
    }
    if host.contains(':') {
        return Err("the address is IPv6, which this firmware does not speak");
    }
    let query = stack.dns_query(host, DnsQueryType::A);
    let answers = with_timeout(NAME_TIMEOUT, query).await;
    let found = answers.ok().and_then(Result::ok);
    let first = found.and_then(|addresses| addresses.first().copied());
    first.ok_or("the name has no address")
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
