//! A recording, and a microphone that hears it as an INMP441 would.
//!
//! The hardware's rules: 24 bits left-justified in slots of 32, whole DMA blocks in real time, nothing while it
//! settles, the oldest samples lost when nobody reads in time, and time goes on while it is off.

use std::path::Path;
use std::sync::Arc;

use minerva_device::ports::{Captured, Microphone, MicrophoneError};

use crate::clock::SimClock;
use crate::options::FULL_SCALE_SPL;

const RATE: u32 = 16_000;
/// What an INMP441 gives in its first quarter of a second is its own settling, not sound.
const SETTLE_MS: u32 = 250;
const SETTLE: u64 = 4000; // samples: SETTLE_MS
const DMA: u64 = 256; // samples: 2048 bytes of 32-bit stereo
const CAPACITY: u64 = 4096; // samples: 256 ms, what a board's DMA buffers keep
/// Twelve hours: more is surely not meant, and would fill the memory.
const MAX_SAMPLES: u32 = 12 * 3600 * RATE;

/// Samples at 16 kHz, shared by all who hear them.
pub type Recording = Arc<[i16]>;

/// A WAV file of 16 kHz, mono, 16 bits.
///
/// # Errors
///
/// A text that names the file and what is wrong with it.
pub fn load(path: &Path) -> Result<Recording, String> {
    let name = path.display();
    let mut reader = hound::WavReader::open(path).map_err(|e| match e {
        hound::Error::IoError(e) if e.raw_os_error().is_some() => {
            format!("{name}: cannot be read: {e}")
        }
        e => format!("{name}: not a WAV file: {e}"),
    })?;
    let spec = reader.spec();
    let format = match spec.sample_format {
        hound::SampleFormat::Int => "",
        hound::SampleFormat::Float => " of floating point",
    };
    if (
        spec.channels,
        spec.sample_rate,
        spec.bits_per_sample,
        format,
    ) != (1, RATE, 16, "")
    {
        return Err(format!(
            "{name}: {} channels, {} Hz, {} bits{format}; wanted 1, 16000, 16, which \
             `ffmpeg -i FILE -ac 1 -ar 16000 -sample_fmt s16 OTHER.wav` makes of it",
            spec.channels, spec.sample_rate, spec.bits_per_sample
        ));
    }
    let samples = reader.len();
    if samples == 0 || samples > MAX_SAMPLES {
        return Err(format!(
            "{name}: {samples} samples; wanted 1 to {MAX_SAMPLES}, which are twelve hours"
        ));
    }
    reader
        .samples::<i16>()
        .collect::<Result<_, _>>()
        .map_err(|e| format!("{name}: breaks off: {e}"))
}

/// What the microphone's room is like.
#[derive(Clone, Debug)]
pub struct Room {
    /// What is said in it.
    pub recording: Recording,
    /// Again and again; else it falls silent.
    pub repeat: bool,
    /// The sample at which it begins.
    pub begin: usize,
    /// dB SPL of a full-scale sine in the recording.
    pub spl: f64,
    /// A reader that is late loses nothing.
    pub lossless: bool,
}

/// The microphone; positions are in samples since it was first switched on.
#[derive(Debug)]
pub struct SimMicrophone {
    clock: SimClock,
    room: Room,
    factor: i32,
    on_since_us: Option<u64>,
    next: Option<u64>, // the next sample to give, while it is on
    works: bool,
    over: bool,
    lost: u64,
    said: Vec<&'static str>,
}

impl SimMicrophone {
    /// Off.
    pub fn new(clock: SimClock, room: Room) -> Self {
        let factor = (32768.0 * 10f64.powf((room.spl - FULL_SCALE_SPL) / 20.0)).round() as i32;
        Self {
            clock,
            room,
            factor,
            on_since_us: None,
            next: None,
            works: true,
            over: false,
            lost: 0,
            said: Vec::new(),
        }
    }

    /// Lines for the log.
    pub fn take_said(&mut self) -> impl Iterator<Item = &'static str> {
        self.said.drain(..)
    }

    /// Break it, so that it gives nothing, or mend it; what is said meanwhile was never captured.
    pub fn set_works(&mut self, works: bool) {
        self.works = works;
    }

    /// Samples that nobody read in time.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn due(&self) -> u64 {
        let on_us = self
            .clock
            .elapsed_us()
            .saturating_sub(self.on_since_us.unwrap_or_default());
        on_us * 2 / 125
    }

    /// Samples `at`… of the room's time, which begins when the first microphone has settled.
    fn hear(&mut self, at: u64, slots: &mut [i32]) {
        let recording = &self.room.recording;
        let length = recording.len() as u64;
        let mut place = self.room.begin as u64 + at;
        let mut slots = slots;
        while !slots.is_empty() {
            if self.room.repeat {
                place %= length;
            }
            let heard = recording.get(place as usize..).unwrap_or_default();
            if heard.is_empty() {
                slots.fill(0);
                if !self.over {
                    self.over = true;
                    self.said.push("virtual board: the recording is over");
                }
                return;
            }
            let (now, later) = slots.split_at_mut(heard.len().min(slots.len()));
            for (slot, sample) in now.iter_mut().zip(heard) {
                *slot = left_justified(*sample, self.factor);
            }
            place += now.len() as u64;
            slots = later;
        }
    }
}

/// int16 scaled by factor / 32768 as 24 bits in the upper part of a slot.
fn left_justified(sample: i16, factor: i32) -> i32 {
    ((i32::from(sample) * factor + 0x40) >> 7).min(0x7F_FFFF) << 8
}

impl Microphone for SimMicrophone {
    fn start(&mut self) -> Result<u32, MicrophoneError> {
        let begin = if self.on_since_us.is_none() {
            self.on_since_us = Some(self.clock.elapsed_us());
            0
        } else {
            self.due()
        };
        self.next = Some(begin + SETTLE);
        Ok(SETTLE_MS)
    }

    fn stop(&mut self) {
        if self.next.take().is_some() {
            self.said.push("virtual board: I2S off");
        }
    }

    fn read(&mut self, slots: &mut [i32]) -> Result<Captured, MicrophoneError> {
        let Some(mut next) = self.next else {
            return Err(MicrophoneError("the I2S is off"));
        };
        if !self.works {
            next = next.max(self.due());
        }
        let mut have = self.due().saturating_sub(next);
        if have > CAPACITY && !self.room.lossless {
            self.lost += have - CAPACITY;
            next += have - CAPACITY;
            have = CAPACITY;
        }
        // Whole blocks, but for a reader that is behind: its buffer is full of them anyway.
        let ready = if have < 4 * DMA {
            have / DMA * DMA
        } else {
            have
        };
        let count = ready.min(slots.len() as u64);
        self.hear(next - SETTLE, slots.split_at_mut(count as usize).0);
        self.next = Some(next + count);
        Ok(Captured {
            slots: count as usize,
            caught_up: count == ready,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn microphone(recording: &[i16], repeat: bool, spl: f64, speed: f64) -> SimMicrophone {
        let room = Room {
            recording: recording.into(),
            repeat,
            begin: 0,
            spl,
            lossless: true,
        };
        SimMicrophone::new(SimClock::new(speed, 0), room)
    }

    #[test]
    fn slots_are_24_bits_at_the_level_of_the_room() {
        let full = 32768;
        assert_eq!(left_justified(-32768, full), i32::MIN);
        assert_eq!(left_justified(32767, full), 0x7FFF00 << 8);
        assert_eq!(left_justified(1, full), 1 << 16);
        // As device/boards/virtual_hw/machine.py at 110.97 dB SPL: round(32768 * 10 ** (-9.03 / 20)) = 11586
        assert_eq!(microphone(&[0], false, 110.97, 1.0).factor, 11586);
        assert_eq!(left_justified(1000, 11586), 90516 << 8);
        assert_eq!(left_justified(-1000, 11586), -90516 << 8);
    }

    #[test]
    fn it_settles_then_hears_every_sample_once_and_then_silence() {
        let recording: Vec<i16> = (1..=5000).collect();
        let mut it = microphone(&recording, false, FULL_SCALE_SPL, 1000.0);
        assert!(it.read(&mut [0; 8]).is_err());
        assert_eq!(it.start(), Ok(250));
        let mut heard = Vec::new();
        while heard.len() < 6000 {
            let mut slots = [-1; 320];
            let captured = it.read(&mut slots).unwrap();
            heard.extend(slots[..captured.slots].iter().map(|s| s >> 16));
        }
        assert!(
            heard
                .iter()
                .take(5000)
                .eq((1..=5000).collect::<Vec<i32>>().iter())
        );
        assert!(heard[5000..].iter().all(|s| *s == 0));
        it.stop();
        it.stop();
        let said: Vec<_> = it.take_said().collect();
        assert_eq!(
            said,
            [
                "virtual board: the recording is over",
                "virtual board: I2S off"
            ]
        );
    }

    #[test]
    fn a_recording_repeats_from_the_place_where_it_begins() {
        let mut it = microphone(&[1, 2, 3], true, FULL_SCALE_SPL, 1.0);
        it.room.begin = 2;
        let mut slots = [0; 5];
        it.hear(0, &mut slots);
        assert_eq!(slots.map(|s| s >> 16), [3, 1, 2, 3, 1]);
    }

    #[test]
    fn a_late_reader_loses_the_oldest_unless_told_otherwise() {
        for lossless in [false, true] {
            let mut it = microphone(&[1], true, FULL_SCALE_SPL, 1000.0);
            it.room.lossless = lossless;
            it.start().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(5)); // 5 s of the room
            let captured = it.read(&mut [0; 320]).unwrap();
            assert_eq!((captured.slots, captured.caught_up), (320, false));
            assert_eq!(it.lost() > 0, !lossless);
        }
    }
}
