//! What a device needs of the world. Every call returns at once; the device is polled.

/// Counts milliseconds from some moment on; wraps from 2^32 - 1 to 0.
pub trait Clock {
    /// Now.
    fn ticks_ms(&self) -> u32;
}

/// What a read of the microphone gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Slots that were written to the buffer.
    pub slots: usize,
    /// There was no more to read: the last of them was heard just now.
    pub caught_up: bool,
}

/// The microphone cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MicrophoneError(pub &'static str);

/// A mono microphone at 16 kHz in slots of 32 bits, left-justified, before the board's gain.
pub trait Microphone {
    /// Start the peripheral.
    ///
    /// Returns how many milliseconds from now the first slot that [`read`](Self::read) will give is heard:
    /// a microphone needs time to settle, and what it gives meanwhile is not read.
    ///
    /// # Errors
    ///
    /// When the peripheral refuses.
    fn start(&mut self) -> Result<u32, MicrophoneError>;

    /// Stop the peripheral itself: after this nothing is captured anywhere.
    fn stop(&mut self);

    /// Whatever was captured and fits `slots`; zero slots when there is nothing yet.
    ///
    /// # Errors
    ///
    /// When the peripheral failed; it is stopped and started anew.
    fn read(&mut self, slots: &mut [i32]) -> Result<Captured, MicrophoneError>;
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// On its way: joining the network, TCP, TLS.
    Opening,
    /// Bytes flow.
    Open,
    /// There is none; the text says why, for the log.
    Closed(&'static str),
}

/// Bytes to and from the hub at the settings' address. For `wss://` the transport has verified the pinned
/// authority and the fixed name before it says [`Line::Open`].
pub trait Transport {
    /// Begin to connect; ends what was open.
    fn open(&mut self);

    /// How the connection stands now.
    fn line(&mut self) -> Line;

    /// Take as many of `bytes` as fit now; the count.
    fn send(&mut self, bytes: &[u8]) -> usize;

    /// Fill `buffer` with what came; the count, zero when there is nothing.
    fn receive(&mut self, buffer: &mut [u8]) -> usize;

    /// End the connection when what was taken is sent, or soon.
    fn close(&mut self);

    /// Signal of the network in dBm, where there is one.
    fn rssi_dbm(&self) -> Option<i8> {
        None
    }
}

/// The store refused a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreError(pub &'static str);

/// What survives a restart beside the settings.
pub trait Store {
    /// Whether the device was muted at its button when it was last on.
    fn muted_at_button(&self) -> bool;

    /// Remember it.
    ///
    /// # Errors
    ///
    /// When it could not be written: a restart would forget the mute.
    fn set_muted_at_button(&mut self, muted: bool) -> Result<(), StoreError>;
}
