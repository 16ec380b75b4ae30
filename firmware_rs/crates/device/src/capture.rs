//! The microphone and those who watch over it: started, read, stopped, started anew when it fails.

use minerva_wire::media::{FRAME_MS, FRAME_SAMPLES};

use crate::backoff::Backoff;
use crate::ports::{Captured, Microphone, MicrophoneError};
use crate::recorder::Recorder;

/// A microphone that delivers nothing for that long is started anew.
pub const SILENT_MS: u64 = 5000;
/// Reads in one poll, 20 ms of sound each: a stall of a third of a second is made up for at once.
const READS: u8 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Off,
    On { quiet_since_ms: u64 },
    Failed { retry_ms: u64 },
}

/// What went wrong with the microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It gave nothing for [`SILENT_MS`].
    Silent,
    /// It cannot be started or read.
    Failed(&'static str),
}

/// A microphone's state.
pub struct Capture {
    state: State,
    backoff: Backoff,
    restarts: u64,
    slots: [i32; FRAME_SAMPLES],
}

impl Capture {
    /// Stopped.
    pub const fn new() -> Self {
        Self {
            state: State::Off,
            backoff: Backoff::of_microphone(),
            restarts: 0,
            slots: [0; FRAME_SAMPLES],
        }
    }

    /// How often it failed or fell silent.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Whether the peripheral runs.
    pub fn is_on(&self) -> bool {
        matches!(self.state, State::On { .. })
    }

    /// Milliseconds after which it wants to be polled again; `None` when it is off.
    pub fn due_ms(&self, now_ms: u64) -> Option<u32> {
        match self.state {
            State::Off => None,
            State::On { .. } => Some(FRAME_MS),
            State::Failed { retry_ms } => {
                Some(u32::try_from(retry_ms.saturating_sub(now_ms)).unwrap_or(FRAME_MS))
            }
        }
    }

    /// Stop the peripheral, and wipe what was read last.
    pub fn stop<M: Microphone>(&mut self, microphone: &mut M, recorder: &mut Recorder<'_>) {
        microphone.stop();
        recorder.stop();
        self.slots.fill(0);
        self.backoff.reset();
        self.state = State::Off;
    }

    /// Start what should run and move what was heard to the recorder. Returns whether there is more to read,
    /// and what went wrong.
    pub fn poll<M: Microphone>(
        &mut self,
        microphone: &mut M,
        recorder: &mut Recorder<'_>,
        now: &mut dyn FnMut() -> u64,
        random: fn() -> u64,
    ) -> (bool, Option<Fault>) {
        let now_ms = now();
        match self.state {
            State::Failed { retry_ms } if now_ms < retry_ms => return (false, None),
            State::Off | State::Failed { .. } => match microphone.start() {
                Ok(ahead_ms) => {
                    let now_ms = now();
                    recorder.start(now_ms, ahead_ms);
                    let quiet_since_ms = now_ms.saturating_add(u64::from(ahead_ms));
                    self.state = State::On { quiet_since_ms };
                }
                Err(error) => {
                    return (
                        false,
                        Some(self.fail(microphone, recorder, now_ms, random, error)),
                    );
                }
            },
            State::On { .. } => {}
        }
        for _ in 0..READS {
            let Captured { slots, caught_up } = match microphone.read(&mut self.slots) {
                Ok(captured) => captured,
                Err(error) => {
                    let now_ms = now();
                    return (
                        false,
                        Some(self.fail(microphone, recorder, now_ms, random, error)),
                    );
                }
            };
            let now_ms = now();
            if slots > 0 {
                let heard = self.slots.get(..slots).unwrap_or(&self.slots);
                recorder.feed(heard, now_ms, caught_up);
                self.backoff.reset();
                self.state = State::On {
                    quiet_since_ms: now_ms,
                };
            } else if let State::On { quiet_since_ms } = self.state
                && now_ms.saturating_sub(quiet_since_ms) > SILENT_MS
            {
                microphone.stop();
                recorder.stop();
                self.restarts = self.restarts.saturating_add(1);
                self.state = State::Failed { retry_ms: now_ms };
                return (false, Some(Fault::Silent));
            }
            if caught_up || slots == 0 {
                return (false, None);
            }
        }
        (true, None)
    }

    fn fail<M: Microphone>(
        &mut self,
        microphone: &mut M,
        recorder: &mut Recorder<'_>,
        now_ms: u64,
        random: fn() -> u64,
        error: MicrophoneError,
    ) -> Fault {
        microphone.stop();
        recorder.stop();
        self.restarts = self.restarts.saturating_add(1);
        let pause_ms = u64::from(self.backoff.next_ms(random()));
        self.state = State::Failed {
            retry_ms: now_ms.saturating_add(pause_ms),
        };
        Fault::Failed(error.0)
    }
}
