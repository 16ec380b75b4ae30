//! `minerva-rivals ROUNDS < SAMPLES`: the least time, in seconds, that mel_spec takes for a recording.
//!
//! Standard input has float32 samples in the machine's byte order, 16 kHz. The features are those of Whisper but for the
//! reflected edges and the logarithm, which mel_spec's batch interface has otherwise; the work is the same.

use std::error::Error;
use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant};

use mel_spec::mel::{BatchLogMelConfig, BatchLogMelSpectrogram};

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: u32 = std::env::args().nth(1).ok_or("how many rounds?")?.parse()?;
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let (words, _) = bytes.as_chunks();
    let pcm: Vec<f32> = words.iter().map(|word| f32::from_ne_bytes(*word)).collect();
    let config = BatchLogMelConfig {
        n_fft: 400,
        log_zero_guard: 1e-10,
        ..BatchLogMelConfig::default()
    };
    let spectrogram = BatchLogMelSpectrogram::new(config)?;
    let mut scratch = spectrogram.scratch();
    let mut least = Duration::MAX;
    for _ in 0..rounds {
        let began = Instant::now();
        black_box(
            spectrogram
                .compute_flat_with_scratch(black_box(&pcm), &mut scratch)?
                .data,
        );
        least = least.min(began.elapsed());
    }
    println!("{}", least.as_secs_f64());
    Ok(())
}
