//! The clip through conditioning, levels, features, MFCC, gate and ADPCM.

use minerva_dsp::{
    FRAME_SAMPLES, adpcm,
    condition::Conditioner,
    gate::Gate,
    level,
    mel64::{self, BANDS, Mel64},
    mfcc::{self, Mfcc},
};

use crate::material;
use crate::measure::Cost;
use crate::report::{self, Hash};

/// Samples of 10 ms.
const HOP: usize = 160;

/// All of it.
pub fn run() {
    mel();
    self_test();
    coefficients();
    audio(true);
    audio(false);
}

/// The features of the clip, pushed by the hop, as nothing else is.
fn mel() {
    let (mut mel, mut cost, mut hash) = (Mel64::new(), Cost::new(), Hash::new());
    let mut hop = [0; HOP];
    let mut at = 0;
    while material::samples(at, &mut hop) {
        cost.step(
            || {
                let mut frames = 0;
                mel.push(&hop, &mut |bands| {
                    hash.add(bands);
                    frames += 1;
                });
                frames
            },
            |frames| *frames > 0,
        );
        at += HOP;
    }
    hash.report("mel64.hash");
    cost.report("mel64");
    report::number("mel64.state_bytes", size_of::<Mel64>());
}

/// The protocol's known signal.
fn self_test() {
    report::hash("mel64.self_test", mel64::self_test(&mut Mel64::new()));
}

/// The MFCC of the clip by the preset for speech, pushed by the hop; their bits are compared, not what they round to.
fn coefficients() {
    let (mut mfcc, mut cost, mut hash) = (Mfcc::new(&mfcc::SPEECH), Cost::new(), Hash::new());
    let mut hop = [0; HOP];
    let mut at = 0;
    while material::samples(at, &mut hop) {
        cost.step(
            || {
                let mut frames = 0;
                let samples = hop.iter().map(|&sample| f32::from(sample) / 32768.0);
                mfcc.push(samples, &mut |frame: &[f32]| {
                    for coefficient in frame {
                        hash.add(&coefficient.to_bits().to_le_bytes());
                    }
                    frames += 1;
                });
                frames
            },
            |frames| *frames > 0,
        );
        at += HOP;
    }
    hash.report("mfcc.hash");
    cost.report("mfcc");
    report::number("mfcc.state_bytes", size_of_val(&mfcc));
}

/// What each frame of audio goes through on a device, with the gate that hears features and the one that does not.
fn audio(features: bool) {
    let mut conditioner = Conditioner::new(6.0);
    let (mut mel, mut gate, mut state) = (Mel64::new(), Gate::new(), adpcm::State::default());
    let [
        mut conditioned,
        mut levels,
        mut coded,
        mut decisions,
        mut scores,
    ] = [const { Hash::new() }; 5];
    let [mut conditioning, mut coding, mut gating] = [const { Cost::new() }; 3];
    let (mut frame, mut slots, mut bytes) = (
        [0; FRAME_SAMPLES],
        [0; FRAME_SAMPLES],
        [0; FRAME_SAMPLES / 2],
    );
    let (mut at, mut opened) = (0, 0);
    while material::samples(at, &mut frame) {
        at += FRAME_SAMPLES;
        for (slot, sample) in slots.iter_mut().zip(frame) {
            // Left-justified in 32 bits, with bits below those of a sample, as a microphone gives them.
            *slot = i32::from(sample) << 16 | 0x4000;
        }
        conditioning.step(|| conditioner.process(&slots, &mut frame), |_| true);
        for sample in frame {
            conditioned.add(&sample.to_le_bytes());
        }
        let level = level::frame_cdb(&frame);
        levels.add(&level.to_le_bytes());
        levels.add(&level::peak(&frame).to_le_bytes());
        let (mut hops, mut have) = ([[0; BANDS]; 2], 0);
        if features {
            mel.push(&frame, &mut |bands| {
                if let Some(hop) = hops.get_mut(have) {
                    *hop = *bands;
                }
                have += 1;
            });
        }
        let hops = hops.get(..have).unwrap_or(&[]);
        let open = gating.step(|| gate.frame(level, hops), |_| true);
        opened += usize::from(open);
        decisions.add(&[u8::from(open), u8::from(gate.transient())]);
        decisions.add(&gate.floor_cdb().to_le_bytes());
        scores.add(&gate.score().to_le_bytes());
        coding.step(|| adpcm::encode(&mut state, &frame, &mut bytes), |_| true);
        coded.add(&bytes);
    }
    if features {
        conditioned.report("condition.hash");
        levels.report("level.hash");
        coded.report("adpcm.hash");
        // The clip opens both gates in the same frames: what the weights make of it shows in the scores alone.
        scores.report("gate.score.hash");
        conditioning.report("condition");
        coding.report("adpcm");
    }
    let name = if features { "gate" } else { "energy_gate" };
    decisions.report(format_args!("{name}.hash"));
    report::word(format_args!("{name}.open_frames"), opened);
    gating.report(name);
    report::word(format_args!("{name}.state_bytes"), size_of::<Gate>());
}
