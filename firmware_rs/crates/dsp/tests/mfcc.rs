//! The device's MFCC beside their definition in `f64`, by a plain sum for each bin, and beside the host's.

use std::f64::consts::{PI, TAU};

use minerva_dsp::mfcc::{LIBROSA, Mfcc, Params, SPEECH, Tables};

/// The definition, but for the edges of the mel bands, which `slaney` is tested for.
fn exact(params: Params, pcm: &[f32]) -> Vec<Vec<f64>> {
    let Params {
        n_fft,
        hop_length,
        n_mels,
        n_mfcc,
        ..
    } = params;
    let sines: Vec<(f64, f64)> = (0..n_fft)
        .map(|k| (TAU * k as f64 / n_fft as f64).sin_cos())
        .collect();
    let mut padded = vec![0.0; n_fft / 2];
    padded.extend(pcm.iter().copied().map(f64::from));
    padded.extend(vec![0.0; n_fft / 2]);
    let frame = |start: usize| {
        let powers: Vec<f64> = (0..=n_fft / 2)
            .map(|bin| {
                let (mut re, mut im) = (0.0, 0.0);
                for (n, x) in padded[start..start + n_fft].iter().enumerate() {
                    let x = x * (0.5 - 0.5 * sines[n].1);
                    let (sin, cos) = sines[bin * n % n_fft];
                    (re, im) = (re + x * cos, im - x * sin);
                }
                re * re + im * im
            })
            .collect();
        let decibels: Vec<f64> = (0..n_mels)
            .map(|band| 10.0 * band_power(params, band, &powers).max(1e-10).log10())
            .collect();
        (0..n_mfcc)
            .map(|k| {
                let scale = (if k == 0 { 1.0 } else { 2.0 } / n_mels as f64).sqrt();
                let step = PI * k as f64 / n_mels as f64;
                let terms = decibels.iter().enumerate();
                scale
                    * terms
                        .map(|(n, d)| d * (step * (n as f64 + 0.5)).cos())
                        .sum::<f64>()
            })
            .collect()
    };
    (0..params.frames(pcm.len()))
        .map(|n| frame(n * hop_length))
        .collect()
}

fn band_power(params: Params, band: usize, powers: &[f64]) -> f64 {
    let rate = f64::from(params.sample_rate);
    let mel = |hz: f64| match hz {
        ..1000.0 => hz * 0.015,
        _ => 15.0 + (hz / 1000.0).ln() * 27.0 / 6.4_f64.ln(),
    };
    let hertz = |mel: f64| match mel {
        ..15.0 => mel / 0.015,
        _ => 1000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp(),
    };
    let edge = |n: usize| hertz(mel(rate / 2.0) * n as f64 / (params.n_mels + 1) as f64);
    let (low, centre, high) = (edge(band), edge(band + 1), edge(band + 2));
    let weighted = powers.iter().enumerate().map(|(bin, power)| {
        let hz = bin as f64 * rate / params.n_fft as f64;
        let weight = ((hz - low) / (centre - low)).min((high - hz) / (high - centre));
        power * weight.max(0.0)
    });
    weighted.sum::<f64>() * 2.0 / (high - low)
}

fn all<const HALF: usize, const MELS: usize>(
    tables: &Tables<HALF, MELS>,
    pcm: &[f32],
    piece: usize,
) -> Vec<Vec<f32>> {
    let (mut mfcc, mut frames) = (Mfcc::new(tables), Vec::new());
    let mut keep = |frame: &[f32]| frames.push(frame.to_vec());
    for piece in pcm.chunks(piece) {
        mfcc.push(piece.iter().copied(), &mut keep);
    }
    mfcc.finish(&mut keep);
    frames
}

/// Noise, tones on and between bins that no 16 bits have rounded, a step, a click, silence, denormal numbers.
fn signals(samples: usize) -> Vec<(&'static str, Vec<f32>)> {
    let mut state = 1_u32;
    let noise: Vec<f32> = (0..samples)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as i32 as f32 / 2_147_483_648.0
        })
        .collect();
    let tone = |turns: f64| {
        (0..samples)
            .map(|n| (TAU * turns * n as f64).sin() as f32)
            .collect::<Vec<_>>()
    };
    let scaled = |pcm: &[f32], by: f32| pcm.iter().map(|x| x * by).collect();
    vec![
        ("quiet noise", scaled(&noise, 1e-4)),
        ("noise beyond full scale", scaled(&noise, 1e6)),
        ("denormal noise", scaled(&noise, 1e-39)),
        ("tone on a bin", tone(0.0625)),
        ("tone between bins", tone(0.027_41)),
        ("quiet tone", scaled(&tone(0.2), 1e-3)),
        ("tone beyond full scale", scaled(&tone(0.027_41), 1e3)),
        ("offset", vec![-1.0; samples]),
        (
            "click",
            (0..samples).map(|n| f32::from(n == samples / 3)).collect(),
        ),
        ("silence", vec![0.0; samples]),
        ("noise", noise),
    ]
}

fn lies_within_a_thousandth<const HALF: usize, const MELS: usize>(
    tables: &Tables<HALF, MELS>,
    samples: usize,
) {
    for (name, pcm) in signals(samples) {
        let (ours, exact) = (all(tables, &pcm, 777), exact(*tables.params(), &pcm));
        assert_eq!(ours.len(), exact.len(), "{name}");
        for (frame, (ours, exact)) in ours.iter().zip(exact).enumerate() {
            for (k, (ours, exact)) in ours.iter().zip(exact).enumerate() {
                let error = (f64::from(*ours) - exact).abs();
                assert!(error < 1e-3, "{name}, frame {frame}, {k}: {error}");
            }
        }
    }
}

#[test]
fn speech_lies_within_a_thousandth() {
    lies_within_a_thousandth(&SPEECH, 1000);
}

#[test]
fn librosas_defaults_lie_within_a_thousandth() {
    lies_within_a_thousandth(&LIBROSA, 1100);
}

#[test]
fn tables_may_have_room_to_spare() {
    for n_fft in [128, 256, 1024] {
        let params = Params {
            sample_rate: 8000,
            n_fft,
            hop_length: n_fft,
            n_mels: 26,
            n_mfcc: 26,
        };
        lies_within_a_thousandth(&Tables::<512, 30>::new(params).unwrap(), 1100);
    }
}

#[test]
fn there_is_a_frame_for_each_hop_and_one_for_no_samples() {
    for samples in [0, 1, 159, 160, 161, 5000] {
        let frames = all(&SPEECH, &vec![0.5; samples], 77);
        assert_eq!(frames.len(), SPEECH.params().frames(samples), "{samples}");
        assert!(frames.iter().all(|frame| frame.len() == 13));
    }
}

#[test]
fn pieces_give_what_the_whole_gives() {
    for (name, pcm) in signals(1500) {
        assert_eq!(all(&SPEECH, &pcm, 7), all(&SPEECH, &pcm, 1500), "{name}");
    }
}

#[test]
fn silence_is_a_hundred_decibels_down_and_nothing_else() {
    for frame in all(&SPEECH, &[-0.0; 1000], 1000) {
        assert!((f64::from(frame[0]) + 100.0 * 40.0_f64.sqrt()).abs() < 1e-4);
        assert_eq!(frame[1..], [0.0; 12]);
    }
}

#[test]
fn what_was_heard_is_forgotten() {
    let mut mfcc = Mfcc::new(&SPEECH);
    let pcm = &signals(2000)[0].1;
    let mut frames = |forget: fn(&mut Mfcc<'static, 256, 40>)| {
        let mut frames = Vec::new();
        mfcc.push(pcm.iter().copied(), &mut |frame: &[f32]| {
            frames.push(frame.to_vec());
        });
        forget(&mut mfcc);
        frames
    };
    let first = frames(|mfcc| mfcc.finish(&mut |_: &[f32]| ()));
    assert_eq!(frames(Mfcc::reset), first);
    assert_eq!(frames(Mfcc::reset), first);
}

/// The largest numbers, and those that are none, overflow nothing; the tests are built to stop there.
#[test]
fn no_sample_is_too_large() {
    for rails in [
        [f32::MAX, f32::MIN],
        [f32::MAX; 2],
        [f32::INFINITY, f32::NAN],
    ] {
        for spacing in [1, 2, 3, 16, 100] {
            let pcm: Vec<f32> = (0..4096).map(|n| rails[n / spacing % 2]).collect();
            for frame in all(&LIBROSA, &pcm, 4096) {
                assert!(frame.iter().all(|x| x.is_finite()), "{rails:?}");
            }
        }
    }
}

#[test]
fn parameters_beyond_their_bounds_are_named_with_them() {
    let good = *SPEECH.params();
    let refused = |params: Params| Tables::<256, 40>::new(params).unwrap_err().to_string();
    for (params, said) in [
        (
            Params {
                sample_rate: 0,
                ..good
            },
            "sample_rate: 0 is not a number from 1000 to 96000",
        ),
        (
            Params { n_fft: 400, ..good },
            "n_fft: 400 is not a power of two from 128 to 512",
        ),
        (
            Params {
                n_fft: 1024,
                ..good
            },
            "n_fft: 1024 is not a power of two from 128 to 512",
        ),
        (
            Params {
                hop_length: 0,
                ..good
            },
            "hop_length: 0 is not a number from 1 to 512",
        ),
        (
            Params {
                hop_length: 513,
                ..good
            },
            "hop_length: 513 is not a number from 1 to 512",
        ),
        (
            Params { n_mels: 41, ..good },
            "n_mels: 41 is not a number from 1 to 40",
        ),
        (
            Params { n_mfcc: 41, ..good },
            "n_mfcc: 41 is not a number from 1 to 40",
        ),
    ] {
        assert_eq!(refused(params), said);
    }
    let most = Params {
        n_fft: 4096,
        ..good
    };
    let error = Tables::<2048, 200>::new(most).unwrap_err();
    assert_eq!(
        error.to_string(),
        "n_fft: 4096 is not a power of two from 128 to 2048"
    );
}

#[cfg(feature = "host")]
mod beside_the_host {
    use minerva_dsp::mfcc::host;

    use super::*;

    fn hosts(mut mfcc: host::Mfcc, pcm: &[f32], piece: usize) -> Vec<Vec<f32>> {
        let mut frames = Vec::new();
        let mut keep = |frame: &[f32]| frames.push(frame.to_vec());
        for piece in pcm.chunks(piece) {
            mfcc.push(piece, &mut keep);
        }
        mfcc.finish(&mut keep);
        frames
    }

    #[test]
    fn the_device_has_what_the_host_has() {
        for (name, pcm) in signals(4000) {
            let frames = all(&LIBROSA, &pcm, 777).into_iter();
            let host = host::Mfcc::new(*LIBROSA.params()).unwrap();
            let hosts = hosts(host, &pcm, 333).into_iter();
            assert_eq!(frames.len(), hosts.len());
            for (ours, theirs) in frames.flatten().zip(hosts.flatten()) {
                assert!((ours - theirs).abs() < 1e-3, "{name}: {ours} {theirs}");
            }
        }
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let params = Params {
            n_fft: 400,
            ..*SPEECH.params()
        };
        let pcm = &signals(3000)[0].1;
        let new = || host::Mfcc::new(params).unwrap();
        assert_eq!(hosts(new(), pcm, 7), hosts(new(), pcm, 3000));
    }

    #[test]
    fn its_windows_are_even_and_of_any_length() {
        let good = *SPEECH.params();
        for (params, said) in [
            (
                Params { n_fft: 511, ..good },
                "n_fft: 511 is not an even number from 16 to 65536",
            ),
            (
                Params { n_fft: 0, ..good },
                "n_fft: 0 is not an even number from 16 to 65536",
            ),
            (
                Params {
                    n_mels: 1025,
                    ..good
                },
                "n_mels: 1025 is not a number from 1 to 1024",
            ),
        ] {
            assert_eq!(host::Mfcc::new(params).err().unwrap().to_string(), said);
        }
    }
}
