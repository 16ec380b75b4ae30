//! The line between the device, which is polled, and the network, which is async: two bounded rings of bytes.
//!
//! Each `open` of the device begins a new attempt. What an earlier one still has to say is not heard any more.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll};

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::waitqueue::WakerRegistration;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use minerva_device::ports::{Line, Transport};

use crate::bytes::ByteRing;

/// Bytes each way: 60 ms of PCM and some control messages.
const ROOM: usize = 4096;
/// Bytes moved at a time, while interrupts wait.
const PIECE: usize = 256;

/// One `open` of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(u32);

struct Inner {
    attempt: u32,
    /// The attempt that the network has taken up.
    taken: u32,
    /// The device wants the current attempt.
    wanted: bool,
    line: Line,
    to_hub: ByteRing<ROOM>,
    from_hub: ByteRing<ROOM>,
    rssi_dbm: Option<i8>,
    starter: WakerRegistration,
    reader: WakerRegistration,
    writer: WakerRegistration,
    leaver: WakerRegistration,
}

impl Inner {
    fn is_current(&self, attempt: Attempt) -> bool {
        self.attempt == attempt.0
    }

    fn wake_all(&mut self) {
        self.starter.wake();
        self.reader.wake();
        self.writer.wake();
        self.leaver.wake();
    }
}

/// Both ends of it.
pub struct Wire(Mutex<CriticalSectionRawMutex, RefCell<Inner>>);

impl Default for Wire {
    fn default() -> Self {
        Self::new()
    }
}

impl Wire {
    /// Nobody wants anything yet.
    pub const fn new() -> Self {
        Self(Mutex::new(RefCell::new(Inner {
            attempt: 0,
            taken: 0,
            wanted: false,
            line: Line::Closed("not opened yet"),
            to_hub: ByteRing::new(),
            from_hub: ByteRing::new(),
            rssi_dbm: None,
            starter: WakerRegistration::new(),
            reader: WakerRegistration::new(),
            writer: WakerRegistration::new(),
            leaver: WakerRegistration::new(),
        })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        self.0.lock(|inner| f(&mut inner.borrow_mut()))
    }

    /// The device's end.
    pub const fn device(&self) -> DeviceEnd<'_> {
        DeviceEnd(self)
    }

    /// The signal as it is now, for the device.
    pub fn set_rssi(&self, dbm: Option<i8>) {
        self.with(|inner| inner.rssi_dbm = dbm);
    }

    /// Wait until the device wants a connection that was not taken up yet.
    pub async fn wanted(&self) -> Attempt {
        poll_fn(|cx| {
            self.with(|inner| {
                if inner.wanted && inner.taken != inner.attempt {
                    inner.taken = inner.attempt;
                    return Poll::Ready(Attempt(inner.attempt));
                }
                inner.starter.register(cx.waker());
                Poll::Pending
            })
        })
        .await
    }

    /// Bytes flow from now on.
    pub fn opened(&self, attempt: Attempt) {
        self.with(|inner| {
            if inner.is_current(attempt) && inner.wanted {
                inner.line = Line::Open;
            }
        });
    }

    /// There is no connection any more, or none could be made.
    pub fn closed(&self, attempt: Attempt, why: &'static str) {
        self.with(|inner| {
            if inner.is_current(attempt) {
                inner.wanted = false;
                inner.line = Line::Closed(why);
            }
        });
    }

    /// Wait until the device does not want this attempt any more.
    pub async fn left(&self, attempt: Attempt) {
        poll_fn(|cx| {
            self.with(|inner| {
                if !inner.is_current(attempt) || !inner.wanted {
                    return Poll::Ready(());
                }
                inner.leaver.register(cx.waker());
                Poll::Pending
            })
        })
        .await;
    }

    /// What the device sends; its end is the device's closing, or a newer attempt.
    pub const fn outgoing(&self, attempt: Attempt) -> Outgoing<'_> {
        Outgoing {
            wire: self,
            attempt,
        }
    }

    /// What the device receives; broken when there is a newer attempt.
    pub const fn incoming(&self, attempt: Attempt) -> Incoming<'_> {
        Incoming {
            wire: self,
            attempt,
        }
    }
}

/// The device's end.
#[derive(Clone, Copy)]
pub struct DeviceEnd<'a>(&'a Wire);

impl Transport for DeviceEnd<'_> {
    fn open(&mut self) {
        self.0.with(|inner| {
            inner.attempt = inner.attempt.wrapping_add(1);
            inner.wanted = true;
            inner.line = Line::Opening;
            inner.to_hub.clear();
            inner.from_hub.clear();
            inner.wake_all();
        });
    }

    fn line(&mut self) -> Line {
        self.0.with(|inner| match inner.line {
            // The hub's last words come before the end of the line.
            Line::Closed(_) if !inner.from_hub.is_empty() => Line::Open,
            line => line,
        })
    }

    /// Takes nothing while something waits here: only one frame is beyond being taken back when a mute comes.
    fn send(&mut self, bytes: &[u8]) -> usize {
        let mut sent: usize = 0;
        for piece in bytes.chunks(PIECE) {
            let taken = self.0.with(|inner| {
                if inner.line != Line::Open || (sent == 0 && !inner.to_hub.is_empty()) {
                    return 0;
                }
                let taken = inner.to_hub.push(piece);
                inner.reader.wake();
                taken
            });
            sent = sent.saturating_add(taken);
            if taken < piece.len() {
                break;
            }
        }
        sent
    }

    fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let mut got: usize = 0;
        for piece in buffer.chunks_mut(PIECE) {
            let taken = self.0.with(|inner| {
                let taken = inner.from_hub.pop(piece);
                inner.writer.wake();
                taken
            });
            got = got.saturating_add(taken);
            if taken < piece.len() {
                break;
            }
        }
        got
    }

    fn close(&mut self) {
        self.0.with(|inner| {
            inner.wanted = false;
            inner.line = Line::Closed("closed by this device");
            inner.from_hub.clear();
            inner.wake_all();
        });
    }

    fn rssi_dbm(&self) -> Option<i8> {
        self.0.with(|inner| inner.rssi_dbm)
    }
}

/// What the device sends, for the network.
pub struct Outgoing<'a> {
    wire: &'a Wire,
    attempt: Attempt,
}

impl ErrorType for Outgoing<'_> {
    type Error = ErrorKind;
}

impl Read for Outgoing<'_> {
    /// Never fails; nothing means that the device wants the connection no more.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let size = buffer.len().min(PIECE);
        let buffer = buffer.get_mut(..size).unwrap_or_default();
        poll_fn(|cx: &mut Context<'_>| {
            self.wire.with(|inner| {
                if !inner.is_current(self.attempt) {
                    return Poll::Ready(Ok(0));
                }
                let taken = inner.to_hub.pop(buffer);
                if taken > 0 || !inner.wanted || buffer.is_empty() {
                    return Poll::Ready(Ok(taken));
                }
                inner.reader.register(cx.waker());
                Poll::Pending
            })
        })
        .await
    }
}

/// What the device receives, for the network.
pub struct Incoming<'a> {
    wire: &'a Wire,
    attempt: Attempt,
}

impl ErrorType for Incoming<'_> {
    type Error = ErrorKind;
}

impl Write for Incoming<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let bytes = bytes.get(..PIECE).unwrap_or(bytes);
        poll_fn(|cx: &mut Context<'_>| {
            self.wire.with(|inner| {
                if !inner.is_current(self.attempt) || !inner.wanted {
                    return Poll::Ready(Err(ErrorKind::BrokenPipe));
                }
                let taken = inner.from_hub.push(bytes);
                if taken > 0 || bytes.is_empty() {
                    return Poll::Ready(Ok(taken));
                }
                inner.writer.register(cx.waker());
                Poll::Pending
            })
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(()) // it is there already
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use core::pin::pin;
    use core::task::Waker;
    use embassy_futures::{block_on, poll_once};
    use std::vec;

    #[test]
    fn bytes_go_both_ways_once_the_line_is_open() {
        let wire = Wire::new();
        let mut device = wire.device();
        assert!(poll_once(wire.wanted()).is_pending());
        device.open();
        assert_eq!(device.line(), Line::Opening);
        assert_eq!(device.send(b"token"), 0); // not before the other side has proved who it is
        let attempt = block_on(wire.wanted());
        assert!(poll_once(wire.wanted()).is_pending()); // taken up once
        wire.opened(attempt);
        assert_eq!(device.line(), Line::Open);
        assert_eq!(device.send(b"hello"), 5);
        let mut buffer = [0; 16];
        assert_eq!(block_on(wire.outgoing(attempt).read(&mut buffer)), Ok(5));
        assert_eq!(&buffer[..5], b"hello");
        assert_eq!(block_on(wire.incoming(attempt).write(b"welcome")), Ok(7));
        assert_eq!(device.receive(&mut buffer), 7);
        assert_eq!(device.receive(&mut buffer), 0);
    }

    #[test]
    fn both_rings_are_bounded_and_go_on_when_there_is_room() {
        let wire = Wire::new();
        let mut device = wire.device();
        device.open();
        let attempt = block_on(wire.wanted());
        wire.opened(attempt);
        assert_eq!(device.send(&vec![7; 2 * ROOM]), ROOM);
        assert_eq!(device.send(b"x"), 0);
        let mut incoming = wire.incoming(attempt);
        block_on(incoming.write_all(&vec![9; ROOM])).unwrap();
        let mut more = pin!(incoming.write(b"x"));
        assert!(
            more.as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert_eq!(device.receive(&mut [0; 1]), 1);
        assert!(
            more.as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        );
    }

    #[test]
    fn a_frame_waits_with_the_device_until_the_one_before_has_left() {
        let wire = Wire::new();
        let mut device = wire.device();
        device.open();
        let attempt = block_on(wire.wanted());
        wire.opened(attempt);
        assert_eq!(device.send(&vec![1; 500]), 500);
        assert_eq!(device.send(&vec![2; 500]), 0); // a mute can still take this one back
        let mut buffer = [0; PIECE];
        let mut outgoing = wire.outgoing(attempt);
        assert_eq!(block_on(outgoing.read(&mut buffer)), Ok(PIECE));
        assert_eq!(device.send(&vec![2; 500]), 0);
        assert_eq!(block_on(outgoing.read(&mut buffer)), Ok(500 - PIECE));
        assert_eq!(device.send(&vec![2; 500]), 500);
    }

    #[test]
    fn closing_lets_what_was_taken_go_out_first() {
        let wire = Wire::new();
        let mut device = wire.device();
        device.open();
        let attempt = block_on(wire.wanted());
        wire.opened(attempt);
        device.send(b"bye");
        assert!(poll_once(wire.left(attempt)).is_pending());
        device.close();
        assert!(poll_once(wire.left(attempt)).is_ready());
        assert!(matches!(device.line(), Line::Closed(_)));
        let mut outgoing = wire.outgoing(attempt);
        let mut buffer = [0; 8];
        assert_eq!(block_on(outgoing.read(&mut buffer)), Ok(3));
        assert_eq!(block_on(outgoing.read(&mut buffer)), Ok(0));
        assert!(block_on(wire.incoming(attempt).write(b"late")).is_err());
    }

    #[test]
    fn the_hubs_last_words_come_before_the_end() {
        let wire = Wire::new();
        let mut device = wire.device();
        device.open();
        let attempt = block_on(wire.wanted());
        wire.opened(attempt);
        block_on(wire.incoming(attempt).write_all(b"error")).unwrap();
        wire.closed(attempt, "the hub closed the connection");
        assert_eq!(device.line(), Line::Open);
        assert_eq!(device.receive(&mut [0; 8]), 5);
        assert_eq!(device.line(), Line::Closed("the hub closed the connection"));
    }

    #[test]
    fn an_earlier_attempt_has_no_say_any_more() {
        let wire = Wire::new();
        let mut device = wire.device();
        device.open();
        let first = block_on(wire.wanted());
        wire.opened(first);
        device.send(b"old");
        device.open();
        assert!(poll_once(wire.left(first)).is_ready());
        wire.opened(first);
        assert_eq!(device.line(), Line::Opening);
        assert!(block_on(wire.incoming(first).write(b"old")).is_err());
        assert_eq!(block_on(wire.outgoing(first).read(&mut [0; 8])), Ok(0));
        wire.closed(first, "old");
        assert_eq!(device.line(), Line::Opening);
        let second = block_on(wire.wanted());
        wire.opened(second);
        assert_eq!(device.receive(&mut [0; 8]), 0);
        assert!(poll_once(wire.outgoing(second).read(&mut [0; 8])).is_pending());
    }
}
