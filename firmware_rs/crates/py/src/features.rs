//! Features of whole recordings.

use minerva_dsp::mel64::{self, BANDS, BINS, FRAME, HOP, Mel64};
use minerva_dsp::mfcc::{Mfcc, Params, ParamsError, Tables, host};
use minerva_dsp::whisper::{Mels, log_mel};
use numpy::PyArray2;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::array::{rows, samples, vector};

/// minerva-mel64 as it travels: int16 (n,), 16 kHz -> uint8 (frames, 64), a frame for each 400 samples in steps of 160.
#[pyfunction]
pub(crate) fn mel64_u8<'py>(
    py: Python<'py>,
    pcm: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray2<u8>>> {
    let pcm = vector::<i16>("pcm", pcm)?;
    let pcm = pcm.as_slice()?;
    let flat = py.detach(|| {
        let mut flat = Vec::with_capacity(frames(pcm) * BANDS);
        Mel64::new().push(pcm, &mut |frame| flat.extend_from_slice(frame));
        flat
    });
    rows(py, flat, BANDS)
}

/// minerva-mel64 before it is quantised, ln(x + 0.001): int16 (n,), 16 kHz -> float32 (frames, 64).
#[pyfunction]
pub(crate) fn mel64_log<'py>(
    py: Python<'py>,
    pcm: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let pcm = vector::<i16>("pcm", pcm)?;
    let pcm = pcm.as_slice()?;
    let flat = py.detach(|| {
        let mut flat = Vec::with_capacity(frames(pcm) * BANDS);
        Mel64::new().push_log(pcm, &mut |frame| flat.extend_from_slice(frame));
        flat
    });
    rows(py, flat, BANDS)
}

/// The magnitudes that minerva-mel64 sums its bands from: int16 (n,), 16 kHz -> float32 (frames, 257).
#[pyfunction]
pub(crate) fn mel64_magnitudes<'py>(
    py: Python<'py>,
    pcm: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let pcm = vector::<i16>("pcm", pcm)?;
    let pcm = pcm.as_slice()?;
    let flat = py.detach(|| {
        let hops = pcm
            .windows(FRAME)
            .step_by(HOP)
            .filter_map(<[i16]>::first_chunk);
        hops.flat_map(mel64::magnitudes).collect()
    });
    rows(py, flat, BINS)
}

/// The hash of minerva-mel64 of the protocol's known signal, as 16 hex digits.
#[pyfunction]
pub(crate) fn self_test(py: Python<'_>) -> String {
    let hash = py.detach(|| mel64::self_test(&mut Mel64::new()));
    format!("{hash:016x}")
}

/// Whisper's log10 mel powers before the global clamp: float32 or int16 (n,), 16 kHz -> float32 (n_mels, n // 160).
///
/// n is 201 or more, n_mels 80 or 128; a ValueError otherwise.
#[pyfunction]
#[pyo3(signature = (pcm, n_mels = 80))]
pub(crate) fn whisper_logmel<'py>(
    py: Python<'py>,
    pcm: &Bound<'py, PyAny>,
    n_mels: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let mels = match n_mels {
        80 => Mels::Eighty,
        128 => Mels::HundredAndTwentyEight,
        other => {
            let message = format!("n_mels: {other} is neither 80 nor 128, which Whisper has");
            return Err(PyValueError::new_err(message));
        }
    };
    let pcm = samples("pcm", pcm)?;
    let pcm = pcm.as_slice()?;
    let frames = pcm.len() / minerva_dsp::whisper::HOP;
    let flat = py.detach(|| {
        let mut flat = vec![0.0; n_mels * frames];
        log_mel(pcm, mels, &mut flat).map(|()| flat)
    });
    let flat = flat
        .map_err(|error| PyValueError::new_err(format!("pcm: {} samples; {error}", pcm.len())))?;
    rows(py, flat, frames)
}

/// MFCC as librosa defines them with top_db=None: float32 or int16 (n,) -> float32 (n_mfcc, 1 + n // hop_length).
///
/// In float64 by a library, for any even n_fft. A ValueError names the parameter that lies beyond its bounds, and them.
#[pyfunction]
#[pyo3(signature = (pcm, *, sample_rate = 22050, n_fft = 2048, hop_length = 512, n_mels = 128, n_mfcc = 20))]
pub(crate) fn mfcc<'py>(
    py: Python<'py>,
    pcm: &Bound<'py, PyAny>,
    sample_rate: u32,
    n_fft: usize,
    hop_length: usize,
    n_mels: usize,
    n_mfcc: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let params = Params {
        sample_rate,
        n_fft,
        hop_length,
        n_mels,
        n_mfcc,
    };
    coefficients(py, pcm, n_mfcc, |pcm, out| {
        let mut mfcc = host::Mfcc::new(params)?;
        mfcc.push(pcm, out);
        mfcc.finish(out);
        Ok(())
    })
}

/// The same by what a chip runs, in integers: n_fft is a power of two from 128 to 2048, n_mels at most 128.
#[pyfunction]
#[pyo3(signature = (pcm, *, sample_rate = 16000, n_fft = 512, hop_length = 160, n_mels = 40, n_mfcc = 13))]
pub(crate) fn mfcc_device<'py>(
    py: Python<'py>,
    pcm: &Bound<'py, PyAny>,
    sample_rate: u32,
    n_fft: usize,
    hop_length: usize,
    n_mels: usize,
    n_mfcc: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let params = Params {
        sample_rate,
        n_fft,
        hop_length,
        n_mels,
        n_mfcc,
    };
    coefficients(py, pcm, n_mfcc, |pcm, out| {
        // With room for the most that there may be, where a chip has room for what it wants.
        let tables = Tables::<1024, 128>::new(params)?;
        let mut mfcc = Mfcc::new(&tables);
        mfcc.push(pcm.iter().copied(), out);
        mfcc.finish(out);
        Ok(())
    })
}

/// What takes samples and gives frames of `n_mfcc` -> an array of (n_mfcc, frames).
fn coefficients<'py>(
    py: Python<'py>,
    pcm: &Bound<'py, PyAny>,
    n_mfcc: usize,
    all: impl FnOnce(&[f32], &mut dyn FnMut(&[f32])) -> Result<(), ParamsError> + Send,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let pcm = samples("pcm", pcm)?;
    let pcm = pcm.as_slice()?;
    let flat = py.detach(|| {
        let mut flat = Vec::new();
        all(pcm, &mut |frame| flat.extend_from_slice(frame)).map(|()| flat)
    });
    let flat = flat.map_err(|error| PyValueError::new_err(error.to_string()))?;
    rows(py, flat, n_mfcc)?
        .as_any()
        .getattr("T")?
        .cast_into()
        .map_err(PyErr::from)
}

fn frames(pcm: &[i16]) -> usize {
    (pcm.len() + HOP).saturating_sub(FRAME) / HOP
}
