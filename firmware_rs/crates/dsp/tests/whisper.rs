//! Whisper's features beside their definition in `f64`, by a plain sum for each bin.
#![cfg(feature = "host")]

use std::f64::consts::TAU;

use minerva_dsp::whisper::{FEWEST, Mels, SizeError, Whisper, log_mel};

const FRAME: usize = 400;
const HOP: usize = 160;

/// (bands, frames) of power, before the logarithm.
fn exact(pcm: &[f32], bands: usize) -> Vec<Vec<f64>> {
    let at = |n: isize| {
        let last = pcm.len() as isize - 1;
        f64::from(pcm[(last - (last - n.abs()).abs()) as usize])
    };
    let frames: Vec<Vec<f64>> = (0..pcm.len() / HOP)
        .map(|frame| {
            let windowed: Vec<f64> = (0..FRAME)
                .map(|n| {
                    at((frame * HOP + n) as isize - 200)
                        * (0.5 - 0.5 * (TAU * n as f64 / FRAME as f64).cos())
                })
                .collect();
            (0..=FRAME / 2)
                .map(|k| {
                    let (mut re, mut im) = (0.0, 0.0);
                    for (n, x) in windowed.iter().enumerate() {
                        let (sin, cos) = (TAU * (k * n % FRAME) as f64 / FRAME as f64).sin_cos();
                        re += x * cos;
                        im -= x * sin;
                    }
                    re * re + im * im
                })
                .collect()
        })
        .collect();
    let step = 6.4_f64.ln() / 27.0;
    let hertz = |mel: f64| {
        if mel < 15.0 {
            mel * 200.0 / 3.0
        } else {
            1000.0 * (step * (mel - 15.0)).exp()
        }
    };
    let highest = 15.0 + 8.0_f64.ln() / step;
    let edge = |n: usize| hertz(highest * n as f64 / (bands + 1) as f64);
    (0..bands)
        .map(|band| {
            let (low, centre, high) = (edge(band), edge(band + 1), edge(band + 2));
            let weight = |k: usize| {
                let hz = k as f64 * 40.0;
                ((hz - low) / (centre - low))
                    .min((high - hz) / (high - centre))
                    .max(0.0)
                    * 2.0
                    / (high - low)
            };
            frames
                .iter()
                .map(|powers| powers.iter().enumerate().map(|(k, x)| x * weight(k)).sum())
                .collect()
        })
        .collect()
}

fn noise(length: usize, scale: f32) -> Vec<f32> {
    let mut state = 9_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from((state >> 16) as i16) / 32768.0 * scale
        })
        .collect()
}

fn tone(length: usize, hz: f64) -> Vec<f32> {
    (0..length)
        .map(|n| (TAU * hz * n as f64 / 16000.0).sin() as f32)
        .collect()
}

#[test]
fn logarithms_lie_within_their_limits() {
    for (name, pcm) in [
        ("noise", noise(2500, 1.0)),
        ("quiet noise", noise(2500, 1e-4)),
        ("denormal", noise(2500, 1e-40)),
        ("silence", vec![0.0; 1600]),
        ("1 kHz", tone(1999, 1000.0)),
        ("2517.3 Hz", tone(3000, 2517.3)),
    ] {
        for mels in [Mels::Eighty, Mels::HundredAndTwentyEight] {
            let (bands, frames) = (mels.count(), pcm.len() / HOP);
            let mut out = vec![0.0; bands * frames];
            log_mel(&pcm, mels, &mut out).unwrap();
            let exact = exact(&pcm, bands);
            for frame in 0..frames {
                let loudest = exact.iter().map(|band| band[frame]).fold(0.0, f64::max);
                for (band, exact) in exact.iter().enumerate() {
                    let (power, ours) = (exact[frame], f64::from(out[band * frames + frame]));
                    let error = (ours - power.max(1e-10).log10()).abs();
                    let limit = if power >= loudest * 1e-4 { 1e-4 } else { 1e-3 };
                    assert!(
                        power < loudest * 1e-6 || error <= limit,
                        "{name}, {frame}, {band}: {ours}, off by {error}"
                    );
                }
            }
        }
    }
}

#[test]
fn pieces_of_any_size_and_lengths_of_every_kind_give_what_the_whole_gives() {
    for length in [201, 319, 320, 1280, 1519, 1520, 1521, 1600, 3333] {
        let pcm = noise(length, 0.3);
        let frames = length / HOP;
        let mut whole = vec![0.0; 80 * frames];
        log_mel(&pcm, Mels::Eighty, &mut whole).unwrap();
        let mut whisper = Whisper::new(Mels::Eighty);
        for size in [1, 7, 160, 5000] {
            let mut columns: Vec<Vec<f32>> = Vec::new();
            let mut take = |bands: &[[f32; minerva_dsp::whisper::TOGETHER]], count: usize| {
                columns.extend((0..count).map(|n| bands.iter().map(|band| band[n]).collect()));
            };
            for piece in pcm.chunks(size) {
                whisper.push(piece, &mut take);
            }
            whisper.finish(&mut take).unwrap();
            assert_eq!(columns.len(), frames);
            for (frame, column) in columns.iter().enumerate() {
                let expected: Vec<f32> = (0..80).map(|band| whole[band * frames + frame]).collect();
                assert_eq!(
                    *column, expected,
                    "{length} samples, {size} at a time, frame {frame}"
                );
            }
        }
    }
}

#[test]
fn too_few_samples_and_other_room_are_refused() {
    assert_eq!(
        log_mel(&[0.0; FEWEST - 1], Mels::Eighty, &mut [0.0; 80]),
        Err(SizeError)
    );
    assert_eq!(
        log_mel(&[0.0; FEWEST], Mels::Eighty, &mut [0.0; 81]),
        Err(SizeError)
    );
    let mut whisper = Whisper::new(Mels::Eighty);
    whisper.push(&[0.0; 200], &mut |_, _| panic!("frames of too few samples"));
    assert_eq!(
        whisper.finish(&mut |_, _| panic!("frames of too few samples")),
        Err(SizeError)
    );
}
