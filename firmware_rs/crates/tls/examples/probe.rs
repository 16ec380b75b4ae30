//! Says a line to a TLS server as a device would, prints the answer, then how the connection ended.
//!
//!     probe ADDRESS SERVER_NAME CA_FILE [LINE]
//!
//! The tests run it against servers that a device must, and must not, talk to.

use critical_section as _; // its `std` implementation, which Mbed TLS asks for
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::error::Error;
use std::ffi::CString;
use std::future::{Future, poll_fn};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::{Duration, Instant};

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use minerva_tls::{Split, Tls, Trust, carry};
use rand::{TryCryptoRng, TryRng};

const LIMIT: Duration = Duration::from_secs(10);

/// The system's random numbers.
struct System;

impl TryRng for System {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(rand::random())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(rand::random())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(rand::random);
        Ok(())
    }
}

impl TryCryptoRng for System {}

/// A socket that does not block, as a stream of embedded-io-async.
struct Socket<'a>(&'a TcpStream);

fn now_or_later<T>(result: io::Result<T>) -> Poll<Result<T, ErrorKind>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        other => Poll::Ready(other.map_err(|_| ErrorKind::Other)),
    }
}

impl ErrorType for Socket<'_> {
    type Error = ErrorKind;
}

impl Read for Socket<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| now_or_later(self.0.read(buffer))).await
    }
}

impl Write for Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| now_or_later(self.0.write(bytes))).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Split for Socket<'_> {
    type Read<'b>
        = Socket<'b>
    where
        Self: 'b;
    type Write<'b>
        = Socket<'b>
    where
        Self: 'b;

    fn split(&mut self) -> (Socket<'_>, Socket<'_>) {
        (Socket(self.0), Socket(self.0))
    }
}

/// The line once; then, when a whole line came back, the end.
struct Line<'a> {
    rest: &'a [u8],
    heard: &'a RefCell<Vec<u8>>,
}

impl ErrorType for Line<'_> {
    type Error = Infallible;
}

impl Read for Line<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| {
            let size = self.rest.len().min(buffer.len());
            if size == 0 && !self.heard.borrow().ends_with(b"\n") {
                return Poll::Pending;
            }
            buffer[..size].copy_from_slice(&self.rest[..size]);
            self.rest = &self.rest[size..];
            Poll::Ready(Ok(size))
        })
        .await
    }
}

/// Keeps what comes.
struct Heard<'a>(&'a RefCell<Vec<u8>>);

impl ErrorType for Heard<'_> {
    type Error = Infallible;
}

impl Write for Heard<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("probe ADDRESS SERVER_NAME CA_FILE [LINE]")
    };
    let socket = TcpStream::connect(next()?)?;
    let server_name = CString::new(next()?)?;
    let ca_pem = CString::new(std::fs::read(next()?)?)?;
    let line = next().unwrap_or_else(|_| "hello".into()) + "\n";
    socket.set_nonblocking(true)?;

    let tls = Tls::new(Box::leak(Box::new(System))).map_err(|error| format!("{error:?}"))?;
    let trust = Trust {
        ca_pem: &ca_pem,
        server_name: &server_name,
    };
    let heard = RefCell::default();
    let opened = Cell::new(false);
    let mut outgoing = Line {
        rest: line.as_bytes(),
        heard: &heard,
    };
    let mut incoming = Heard(&heard);
    let mut talk = pin!(carry(
        tls.reference(),
        Socket(&socket),
        &trust,
        &mut outgoing,
        &mut incoming,
        || opened.set(true)
    ));
    let began = Instant::now();
    let end = loop {
        match talk.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(end) => break end.to_string(),
            Poll::Pending if began.elapsed() > LIMIT => break "no end within 10 s".into(),
            Poll::Pending => sleep(Duration::from_millis(1)),
        }
    };
    println!("opened: {}", opened.get());
    println!(
        "heard: {}",
        String::from_utf8_lossy(&heard.borrow()).trim_end()
    );
    println!("end: {end}");
    Ok(())
}
