//! `minerva-mel64` beside its definition in `f64`, by a plain sum for each bin.

use std::f64::consts::TAU;

use minerva_dsp::mel64::{self, BANDS, BINS, FRAME, HOP, Mel64, magnitudes, quantise, restore};

fn exact_magnitudes(samples: &[i16]) -> Vec<f64> {
    let windowed: Vec<f64> = (0..FRAME)
        .map(|n| {
            (0.5 - 0.5 * (TAU * n as f64 / FRAME as f64).cos()) * f64::from(samples[n]) / 32768.0
        })
        .collect();
    (0..BINS)
        .map(|k| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, x) in windowed.iter().enumerate() {
                let (sin, cos) = (TAU * (k * n % 512) as f64 / 512.0).sin_cos();
                re += x * cos;
                im -= x * sin;
            }
            re.hypot(im)
        })
        .collect()
}

fn exact_bands(magnitudes: &[f64]) -> Vec<f64> {
    let mel = |hz: f64| 1127.0 * (1.0 + hz / 700.0).ln();
    let (low, high) = (mel(125.0), mel(7500.0));
    let edge = |n: usize| low + (high - low) * n as f64 / 65.0;
    (0..BANDS)
        .map(|band| {
            let sum: f64 = magnitudes
                .iter()
                .enumerate()
                .skip(1)
                .map(|(k, x)| {
                    let at = mel(k as f64 * 31.25);
                    let up = (at - edge(band)) / (edge(band + 1) - edge(band));
                    let down = (edge(band + 2) - at) / (edge(band + 2) - edge(band + 1));
                    x * up.min(down).max(0.0)
                })
                .sum();
            sum
        })
        .collect()
}

fn noise(seed: u32, shift: u32) -> impl FnMut() -> i16 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 16) as i16) >> shift
    }
}

/// Noise at several levels, tones on and between bins, a click, both rails, one LSB and silence.
fn signals() -> Vec<(String, Vec<i16>)> {
    let mut all = vec![
        ("silence".into(), vec![0; FRAME]),
        (
            "one LSB".into(),
            (0..FRAME).map(|n| i16::from(n == 200)).collect(),
        ),
        (
            "click".into(),
            (0..FRAME)
                .map(|n| if n == 133 { i16::MAX } else { 0 })
                .collect(),
        ),
        (
            "rails".into(),
            (0..FRAME)
                .map(|n| if n % 32 < 16 { i16::MIN } else { i16::MAX })
                .collect(),
        ),
        ("offset".into(), vec![-32768; FRAME]),
    ];
    for shift in [0, 4, 8, 12] {
        let mut next = noise(shift + 7, shift);
        all.push((
            format!("noise >> {shift}"),
            (0..FRAME).map(|_| next()).collect(),
        ));
    }
    for hz in [125.0, 440.0, 1000.0, 2517.3, 7400.0] {
        for amplitude in [32767.0, 500.0] {
            let tone = (0..FRAME)
                .map(|n| (amplitude * (TAU * hz * n as f64 / 16000.0).sin()).round() as i16);
            all.push((format!("{hz} Hz at {amplitude}"), tone.collect()));
        }
    }
    all
}

#[test]
fn magnitudes_lie_within_a_millionth_of_the_frames_peak() {
    for (name, samples) in signals() {
        let exact = exact_magnitudes(&samples);
        let peak = exact.iter().copied().fold(0.0, f64::max);
        let ours = magnitudes(samples.as_slice().try_into().unwrap());
        for (bin, (ours, exact)) in ours.iter().zip(exact).enumerate() {
            let error = (f64::from(*ours) - exact).abs();
            assert!(
                error <= 1e-6 * peak,
                "{name}, bin {bin}: {ours} for {exact}"
            );
        }
    }
}

#[test]
fn logarithms_and_bytes_lie_within_their_limits() {
    for (name, samples) in signals() {
        let magnitudes = exact_magnitudes(&samples);
        let exact = exact_bands(&magnitudes);
        // Below 125 Hz a constant offset may be stronger than any band; f32 rounds by what is strongest.
        let loudest = exact.iter().chain(&magnitudes).copied().fold(0.0, f64::max);
        let mut frames = Vec::new();
        Mel64::new().push_log(&samples, &mut |frame| frames.push(*frame));
        assert_eq!(frames.len(), 1);
        for (band, (ours, exact)) in frames[0].iter().zip(exact).enumerate() {
            let log = (exact + 0.001).ln();
            let error = (f64::from(*ours) - log).abs();
            let limit = if exact >= loudest * 1e-2 { 1e-4 } else { 1e-3 };
            assert!(
                exact < loudest * 1e-3 || error <= limit,
                "{name}, band {band}: {ours} for {log}"
            );
            let byte = ((log + 7.0) * 21.25).round().clamp(0.0, 255.0);
            assert!(
                (f64::from(quantise(*ours)) - byte).abs() <= 1.0,
                "{name}, band {band}: {byte}"
            );
        }
    }
}

#[test]
fn pieces_of_any_size_give_what_the_whole_gives() {
    let mut next = noise(3, 2);
    let pcm: Vec<i16> = (0..FRAME + 20 * HOP + 7).map(|_| next()).collect();
    let mut whole = Vec::new();
    let mut mel = Mel64::new();
    mel.push(&pcm, &mut |frame| whole.push(*frame));
    assert_eq!(whole.len(), 21);
    for size in [1, 7, 160, 320, 401, 5000] {
        mel.reset();
        let mut pieces = Vec::new();
        for piece in pcm.chunks(size) {
            mel.push(piece, &mut |frame| pieces.push(*frame));
        }
        assert_eq!(pieces, whole, "{size} at a time");
    }
}

#[test]
fn a_byte_is_half_away_from_zero_and_reads_back() {
    assert_eq!(quantise(-7.0), 0);
    assert_eq!(quantise(-100.0), 0);
    assert_eq!(quantise(5.0), 255);
    assert_eq!(quantise(100.0), 255);
    assert_eq!(quantise(-7.0 + 0.5 / 21.25 + 1e-6), 1);
    assert_eq!(quantise(-7.0 + 0.5 / 21.25 - 1e-6), 0);
    for value in 0..=255 {
        assert_eq!(quantise(restore(value)), value);
    }
}

#[test]
fn silence_is_two_in_every_band() {
    Mel64::new().push(&[0; FRAME], &mut |frame| assert_eq!(*frame, [2; BANDS]));
}

#[test]
fn the_self_test_gives_the_documented_hash_and_leaves_the_features_as_new() {
    let mut mel = Mel64::new();
    mel.push(&[1234; 399], &mut |_| panic!("a frame from 399 samples"));
    assert_eq!(mel64::self_test(&mut mel), 0xEF6C_80FC_F38E_A011); // docs/protocol.md
    assert_eq!(mel64::self_test(&mut mel), 0xEF6C_80FC_F38E_A011);
    mel.push(&[0; 399], &mut |_| panic!("a frame from 399 samples"));
}
