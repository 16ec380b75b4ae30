//! A microphone in a room: it hears what the room sounds like at the time, and only while it runs.

use minerva_device::ports::{Captured, Microphone, MicrophoneError};

use super::Time;

/// What a driver keeps while nobody reads: 256 ms.
const CAPACITY: u64 = 4096;
pub const SETTLE_MS: u32 = 250;

/// Quiet noise, and louder noise in spans of time.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// From, to (milliseconds), and how loud (16-bit amplitude).
    pub sounds: Vec<(u64, u64, i32)>,
    /// Everything at full scale, in squares.
    pub clips: bool,
}

impl Room {
    /// The slot of one sample: the room is the same whoever hears it.
    pub fn slot(&self, index: u64) -> i32 {
        if self.clips {
            return if (index / 80).is_multiple_of(2) {
                i32::MAX
            } else {
                i32::MIN
            };
        }
        let at_ms = index / 16;
        let sound = self
            .sounds
            .iter()
            .find(|(from, to, _)| (*from..*to).contains(&at_ms));
        let amplitude = sound.map_or(20, |(_, _, amplitude)| *amplitude);
        let noise = (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as i32 % (2 * amplitude + 1)
            - amplitude;
        noise << 16
    }
}

pub struct TestMicrophone {
    time: Time,
    pub room: Room,
    /// The next sample to give, counted from the beginning of the world.
    next: Option<u64>,
    pub starts: Vec<u64>,
    pub stops: u32,
    /// So many starts are refused.
    pub refuses: u32,
    /// So many reads fail.
    pub breaks: u32,
    /// Nothing comes.
    pub silent: bool,
    /// Every slot that was given, for comparison.
    pub given: Vec<(u64, i32)>,
}

impl TestMicrophone {
    pub fn new(time: Time) -> Self {
        Self {
            time,
            room: Room::default(),
            next: None,
            starts: Vec::new(),
            stops: 0,
            refuses: 0,
            breaks: 0,
            silent: false,
            given: Vec::new(),
        }
    }

    pub fn runs(&self) -> bool {
        self.next.is_some()
    }
}

impl Microphone for TestMicrophone {
    fn start(&mut self) -> Result<u32, MicrophoneError> {
        assert!(self.next.is_none(), "started twice");
        if self.refuses > 0 {
            self.refuses -= 1;
            return Err(MicrophoneError("I2S is taken"));
        }
        self.starts.push(self.time.get());
        self.next = Some((self.time.get() + u64::from(SETTLE_MS)) * 16);
        Ok(SETTLE_MS)
    }

    fn stop(&mut self) {
        self.next = None;
        self.stops += 1;
    }

    fn read(&mut self, slots: &mut [i32]) -> Result<Captured, MicrophoneError> {
        let next = self.next.expect("read while stopped");
        if self.breaks > 0 {
            self.breaks -= 1;
            return Err(MicrophoneError("I2S overran"));
        }
        let now = self.time.get() * 16;
        let next = next.max(now.saturating_sub(CAPACITY));
        let have = if self.silent {
            0
        } else {
            now.saturating_sub(next)
        };
        let count = have.min(slots.len() as u64);
        for (slot, index) in slots.iter_mut().zip(next..next + count) {
            *slot = self.room.slot(index);
            self.given.push((index, *slot));
        }
        self.next = Some(if self.silent {
            now.max(next)
        } else {
            next + count
        });
        Ok(Captured {
            slots: count as usize,
            caught_up: count == have,
        })
    }
}
