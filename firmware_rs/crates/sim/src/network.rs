//! The device's transport: a socket that never waits, behind a Wi-Fi that may be taken away.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use minerva_device::ports::{Line, Transport};
use minerva_device::settings::Settings;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::names::{Answer, Names};
use crate::tls::{Secured, Trust};

/// As the device application has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(10);
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);
/// The device application gives TLS and WebSocket together 15 s.
const TLS_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the last words of a connection that is closed may take to leave.
const LINGER: Duration = Duration::from_secs(1);
/// What a good Wi-Fi is heard with.
const RSSI_DBM: i8 = -52;

#[derive(Debug)]
enum State {
    Closed(&'static str),
    Joining(Instant),
    LookingUp(Answer, Instant),
    Connecting(TcpStream, Instant),
    Securing(Box<Secured>, Instant),
    Open(Channel),
}

/// An open connection; what cannot be done now is `WouldBlock`.
#[derive(Debug)]
enum Channel {
    Plain(TcpStream),
    Secure(Box<Secured>),
}

impl Channel {
    /// Hand the system what was taken and waits here.
    fn push(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Secure(secured) => secured.push(),
        }
    }

    /// The last words are taken: nothing more comes from here.
    fn say_goodbye(&mut self) {
        if let Self::Secure(secured) = self {
            secured.say_goodbye();
        }
    }

    fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Secure(secured) => secured.socket(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Secure(secured) => secured.write(bytes),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Secure(secured) => secured.read(buffer),
        }
    }
}

/// A connection that was closed here, until the hub has its last words or their time is over.
#[derive(Debug)]
struct Leaving {
    channel: Channel,
    since: Instant,
    said: bool,
}

/// One device's way to the hub.
#[derive(Debug)]
pub struct SimNetwork {
    registry: Registry,
    token: Token,
    host: String,
    port: u16,
    names: Names,
    trust: Option<Trust>, // None: without TLS
    wifi: Option<bool>,   // None: a cable
    flows: bool,
    state: State,
    leaving: Option<Leaving>,
    readable: bool,
    writable: bool,
}

impl Leaving {
    /// Go on; whether nothing is left to wait for.
    fn is_gone(&mut self) -> bool {
        if !self.said {
            match self.channel.push() {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => return true,
                // With unread bytes a plain close would make the system throw away what was just sent.
                Ok(()) if self.channel.socket().shutdown(Shutdown::Write).is_err() => return true,
                Ok(()) => self.said = true,
            }
        }
        loop {
            match self.channel.socket().read(&mut [0; 512]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return e.kind() != ErrorKind::WouldBlock,
            }
        }
    }
}

impl SimNetwork {
    /// Where the settings say, by TLS with a `trust`. Events of `token` go to [`ready`](Self::ready).
    pub fn new(
        registry: Registry,
        token: Token,
        settings: &Settings,
        trust: Option<Trust>,
        names: Names,
    ) -> Self {
        Self {
            registry,
            token,
            host: settings.host.to_string(),
            port: settings.port,
            names,
            trust,
            wifi: settings.wifi.is_some().then_some(true),
            flows: true,
            state: State::Closed("not yet tried"),
            leaving: None,
            readable: false,
            writable: false,
        }
    }

    /// The system says that the socket can go on.
    pub fn ready(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// Take the Wi-Fi away, or bring it back. What is connected stays so, as it does on the virtual board.
    pub fn set_wifi(&mut self, up: bool) {
        if let Some(wifi) = &mut self.wifi {
            *wifi = up;
        }
    }

    /// Take nothing more of what is said, or take it again; what was taken arrives.
    pub fn set_flows(&mut self, flows: bool) {
        self.flows = flows;
    }

    /// The hub's address, as soon as its name has one.
    fn look_up(&mut self, answer: Answer, since: Instant) -> State {
        match answer.get() {
            Some(Some(address)) => self.connect(*address),
            Some(None) => State::Closed("no such name"),
            None if since.elapsed() > LOOK_UP_TIMEOUT => {
                State::Closed("the name was not looked up within 10 s")
            }
            None => State::LookingUp(answer, since),
        }
    }

    fn connect(&mut self, mut address: SocketAddr) -> State {
        address.set_port(self.port);
        let Ok(mut stream) = TcpStream::connect(address) else {
            return State::Closed("nobody listens");
        };
        (self.readable, self.writable) = (false, false);
        let both = Interest::READABLE | Interest::WRITABLE;
        if self
            .registry
            .register(&mut stream, self.token, both)
            .is_err()
        {
            return State::Closed("the system watches no more sockets");
        }
        let _ = stream.set_nodelay(true); // it only makes it quicker
        State::Connecting(stream, Instant::now())
    }

    /// What became of the state since the last look.
    fn advance(&mut self) {
        self.let_go();
        let state = std::mem::replace(&mut self.state, State::Closed(""));
        self.state = match state {
            State::Joining(_) if self.wifi != Some(false) => match self.names.look_up(&self.host) {
                Ok(answer) => self.look_up(answer, Instant::now()),
                Err(why) => State::Closed(why),
            },
            State::Joining(since) if since.elapsed() > JOIN_TIMEOUT => {
                State::Closed("the Wi-Fi was not joined within 15 s")
            }
            State::LookingUp(answer, since) => self.look_up(answer, since),
            State::Connecting(stream, since) => match stream.take_error() {
                Ok(Some(_)) | Err(_) => State::Closed("nobody listens"),
                Ok(None) if self.writable && stream.peer_addr().is_ok() => self.connected(stream),
                Ok(None) if since.elapsed() > CONNECT_TIMEOUT => {
                    State::Closed("no answer within 10 s")
                }
                Ok(None) => State::Connecting(stream, since),
            },
            State::Securing(secured, since) => self.secure(secured, since),
            State::Open(mut channel) => match channel.push() {
                Err(e) if e.kind() != ErrorKind::WouldBlock => State::Closed("connection lost"),
                pushed => {
                    self.writable &= pushed.is_ok();
                    State::Open(channel)
                }
            },
            other => other,
        };
    }

    /// TCP is there.
    fn connected(&mut self, stream: TcpStream) -> State {
        match &self.trust {
            None => State::Open(Channel::Plain(stream)),
            Some(trust) => match Secured::new(stream, trust) {
                Ok(secured) => self.secure(Box::new(secured), Instant::now()),
                Err(why) => State::Closed(why),
            },
        }
    }

    /// As far as TLS comes now.
    fn secure(&mut self, mut secured: Box<Secured>, since: Instant) -> State {
        match secured.shake() {
            Ok(true) => {
                self.readable = true; // something may have come and been decrypted already
                State::Open(Channel::Secure(secured))
            }
            Ok(false) if since.elapsed() > TLS_TIMEOUT => {
                State::Closed("no TLS handshake within 15 s")
            }
            Ok(false) => State::Securing(secured, since),
            Err(why) => State::Closed(why),
        }
    }

    /// Give back the socket of an ended connection, when the hub has its last words or their time is over.
    fn let_go(&mut self) {
        let Some(leaving) = &mut self.leaving else {
            return;
        };
        if leaving.since.elapsed() > LINGER || leaving.is_gone() {
            self.leaving = None;
        }
    }

    fn lost(&mut self, why: &'static str) {
        self.state = State::Closed(why);
    }
}

impl Transport for SimNetwork {
    fn open(&mut self) {
        self.leaving = None;
        self.state = State::Joining(Instant::now());
        self.advance();
    }

    fn line(&mut self) -> Line {
        self.advance();
        match self.state {
            State::Closed(why) => Line::Closed(why),
            State::Joining(_)
            | State::LookingUp(..)
            | State::Connecting(..)
            | State::Securing(..) => Line::Opening,
            State::Open(_) => Line::Open,
        }
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        let State::Open(channel) = &mut self.state else {
            return 0;
        };
        if !self.flows || !self.writable || bytes.is_empty() {
            return 0;
        }
        loop {
            match channel.write(bytes) {
                Ok(sent) => return sent,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.writable = false;
                    return 0;
                }
                Err(_) => {
                    self.lost("connection lost");
                    return 0;
                }
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let State::Open(channel) = &mut self.state else {
            return 0;
        };
        if !self.readable || buffer.is_empty() {
            return 0;
        }
        loop {
            match channel.read(buffer) {
                Ok(0) => self.lost("the hub closed the connection"),
                Ok(received) => return received,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(_) => self.lost("connection lost"),
            }
            return 0;
        }
    }

    fn close(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Closed("closed here"));
        if let State::Open(mut channel) = state {
            channel.say_goodbye();
            let since = Instant::now();
            self.leaving = Some(Leaving {
                channel,
                since,
                said: false,
            });
            self.let_go();
        }
    }

    fn rssi_dbm(&self) -> Option<i8> {
        (self.wifi == Some(true)).then_some(RSSI_DBM)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_slow_resolver_holds_up_nobody() {
        let text =
            r#"{"version":1,"device":"a","board":"virtual","url":"ws://localhost:1/","token":"t"}"#;
        let settings = minerva_device::settings::parse(text.as_bytes()).unwrap();
        let poll = mio::Poll::new().unwrap();
        let registry = poll.registry().try_clone().unwrap();
        let (go, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let names = Names::new(move |_| {
            let _ = wait.lock().unwrap().recv(); // until this test lets go
            None
        });
        let mut network = SimNetwork::new(registry, Token(0), &settings, None, names);
        network.open();
        assert!(matches!(network.line(), Line::Opening));
        drop(go);
        let began = Instant::now();
        while matches!(network.line(), Line::Opening) && began.elapsed() < LOOK_UP_TIMEOUT {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(matches!(network.line(), Line::Closed("no such name")));
    }
}
