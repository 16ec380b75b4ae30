//! From the microphone's raw slots to packets: conditioned, measured, gated, encoded and dated.

use heapless::Vec;
use minerva_dsp::adpcm;
use minerva_dsp::condition::Conditioner;
use minerva_dsp::gate::Gate;
use minerva_dsp::level;
use minerva_dsp::mel64::Mel64;
use minerva_wire::media::{FRAME_MS, FRAME_SAMPLES, HOP_MS, Kind, MEL_BANDS};
use minerva_wire::privacy::Mode;

use crate::clock::SampleClock;
use crate::packets::Packets;

const SAMPLES_PER_MS: usize = 16;
/// Of hops that one frame completes: two, and room to spare.
const MAX_HOPS: usize = 4;

/// What happens to what is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Measured, then forgotten: only levels and events.
    Forget,
    /// Features of all of it.
    Features,
    /// Audio while the gate is open.
    Gated,
    /// All audio.
    All,
}

impl Policy {
    /// What a mode asks for.
    pub const fn of(mode: Mode) -> Self {
        match mode {
            Mode::Mute | Mode::Events => Self::Forget,
            Mode::Features => Self::Features,
            Mode::Speech => Self::Gated,
            Mode::Full => Self::All,
        }
    }
}

/// One microphone's stream.
pub struct Recorder<'a> {
    /// What was made of it.
    pub packets: Packets<'a>,
    conditioner: Conditioner,
    gate: Gate,
    mel: Option<Mel64>,
    adpcm: adpcm::State,
    samples: SampleClock,
    pcm: [i16; 2 * FRAME_SAMPLES], // what was left of the last frame, and the most that one feed adds
    fill: usize,
    policy: Policy,
    kind: Kind,
    frames: u8,
    hop_ms: Option<u64>, // of the next hop's first sample
    rms_cdb: i32,        // the loudest since take_level()
    peak: i32,
    discontinuities: u64,
}

impl<'a> Recorder<'a> {
    /// Policy [`Policy::Forget`]; where there is a `mel`, it computes features.
    pub fn new(
        packets: Packets<'a>,
        gain_db: f32,
        mel: Option<Mel64>,
        kind: Kind,
        frames: u8,
    ) -> Self {
        let mut recorder = Self {
            packets,
            conditioner: Conditioner::new(gain_db),
            gate: Gate::new(),
            mel,
            adpcm: adpcm::State::default(),
            samples: SampleClock::new(),
            pcm: [0; 2 * FRAME_SAMPLES],
            fill: 0,
            policy: Policy::Forget,
            kind,
            frames,
            hop_ms: None,
            rms_cdb: level::SILENCE_CDB,
            peak: 0,
            discontinuities: 0,
        };
        recorder.configure(kind, frames);
        recorder
    }

    /// The gate, for what it knows of the room.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// How often samples were lost, or the clocks ran apart.
    pub fn discontinuities(&self) -> u64 {
        self.discontinuities
    }

    /// Whether what is heard now goes out.
    pub fn flows(&self) -> bool {
        match self.policy {
            Policy::Forget => false,
            Policy::Gated => self.gate.open(),
            Policy::Features | Policy::All => true,
        }
    }

    /// Kind of audio and its frames in a packet from now on; packets of features last as long.
    pub fn configure(&mut self, kind: Kind, frames: u8) {
        self.kind = kind;
        self.frames = frames;
        let packets = if self.policy == Policy::Features {
            Kind::LogmelU8
        } else {
            kind
        };
        let most_ms = u32::from(frames).saturating_mul(FRAME_MS);
        let flows = self.flows();
        self.packets.configure(packets, most_ms, flows);
    }

    /// What happens to what is heard from now on.
    ///
    /// Only from `Gated` to `All`, which sends more of the same, is anything kept of what was recorded before;
    /// else it is forgotten, and counted as withheld where it was not yet sent: then this returns true.
    pub fn set_policy(&mut self, policy: Policy) -> bool {
        if policy == self.policy {
            return false;
        }
        let forgets = (self.policy, policy) != (Policy::Gated, Policy::All);
        if forgets {
            self.packets.forget();
        }
        self.policy = policy;
        self.configure(self.kind, self.frames);
        forgets
    }

    /// It is `now_ms`, and the microphone's first sample is due `ahead_ms` later.
    pub fn start(&mut self, now_ms: u64, ahead_ms: u32) {
        self.samples.start(now_ms, i64::from(ahead_ms));
    }

    /// The microphone was stopped: what comes next is another recording.
    pub fn stop(&mut self) {
        self.gate.reset(); // so that the last packet ENDS
        self.packets.close(self.flows());
        self.packets.break_off();
        self.fill = 0;
        self.pcm.fill(0);
        self.conditioner.reset();
        self.adpcm = adpcm::State::default(); // else the next packet would begin with the last sample before it
        self.restart_features();
        self.rms_cdb = level::SILENCE_CDB;
        self.peak = 0;
    }

    /// Slots that were read at `now_ms`, of which one frame at most is taken; `caught_up`: there was no more.
    pub fn feed(&mut self, slots: &[i32], now_ms: u64, caught_up: bool) {
        let slots = slots.get(..FRAME_SAMPLES).unwrap_or(slots);
        let room = self.pcm.get_mut(self.fill..).unwrap_or_default();
        let taken = self.conditioner.process(slots, room);
        self.fill = self.fill.saturating_add(taken);
        let pending_ms = i64::try_from(self.fill / SAMPLES_PER_MS).unwrap_or(0);
        if caught_up && self.samples.check(now_ms, pending_ms) {
            self.jump();
        }
        while self.fill >= FRAME_SAMPLES {
            self.frame();
            self.pcm.copy_within(FRAME_SAMPLES.., 0);
            self.fill = self.fill.saturating_sub(FRAME_SAMPLES);
            self.samples.next_frame(FRAME_MS);
        }
    }

    fn jump(&mut self) {
        // The time of the packet's first frame is already written; what is in it was contiguous.
        self.packets.close(self.flows());
        if self.packets.jump() {
            self.discontinuities = self.discontinuities.saturating_add(1);
        }
        self.restart_features();
    }

    fn restart_features(&mut self) {
        if let Some(mel) = &mut self.mel {
            mel.reset();
        }
        self.hop_ms = None;
    }

    fn frame(&mut self) {
        let time_ms = self.samples.time_ms();
        let pcm = self
            .pcm
            .first_chunk::<FRAME_SAMPLES>()
            .unwrap_or(&[0; FRAME_SAMPLES]);
        let level_cdb = level::frame_cdb(pcm);
        self.rms_cdb = self.rms_cdb.max(level_cdb);
        self.peak = self.peak.max(level::peak(pcm));
        let mut hops: Vec<[u8; MEL_BANDS], MAX_HOPS> = Vec::new();
        if let Some(mel) = &mut self.mel {
            mel.push(pcm, &mut |hop: &[u8; MEL_BANDS]| {
                // A frame is two hops: there is room.
                let _ = hops.push(*hop);
            });
        }
        self.gate.frame(level_cdb, &hops);
        let flows = self.flows();
        match self.policy {
            Policy::Forget | Policy::Features => {}
            Policy::Gated | Policy::All => {
                self.packets.add_audio(pcm, &mut self.adpcm, time_ms, flows)
            }
        }
        let mut hop_ms = self.hop_ms.unwrap_or(time_ms);
        for hop in &hops {
            if self.policy == Policy::Features {
                self.packets.add_hop(hop, hop_ms);
            }
            hop_ms = hop_ms.saturating_add(u64::from(HOP_MS));
        }
        self.hop_ms = Some(hop_ms);
    }

    /// RMS and peak in hundredths of dBFS, the loudest since the last call.
    pub fn take_level(&mut self) -> (i32, i32) {
        let level = (self.rms_cdb, level::amplitude_cdb(self.peak));
        self.rms_cdb = level::SILENCE_CDB;
        self.peak = 0;
        level
    }
}
