//! Samples, levels, the gate and IMA-ADPCM.

use minerva_dsp::adpcm::{self, State};
use minerva_dsp::{condition, gate, level};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::array::{vector, wrong};

/// High-pass, gain and saturation of a microphone's samples, from one call to the next.
#[pyclass(module = "minerva_native")]
pub(crate) struct Conditioner(condition::Conditioner);

#[pymethods]
impl Conditioner {
    /// `gain_db` from -12 to 48; a ValueError otherwise.
    #[new]
    fn new(gain_db: f32) -> PyResult<Self> {
        if !(condition::MIN_GAIN_DB..=condition::MAX_GAIN_DB).contains(&gain_db) {
            let message = format!("gain_db: {gain_db} lies outside -12 to 48");
            return Err(PyValueError::new_err(message));
        }
        Ok(Self(condition::Conditioner::new(gain_db)))
    }

    /// Left-justified 24-bit samples, int32 (n,) -> int16 (n,).
    fn process<'py>(&mut self, slots: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray1<i16>>> {
        let py = slots.py();
        let slots = vector::<i32>("slots", slots)?;
        let slots = slots.as_slice()?;
        let conditioner = &mut self.0;
        let pcm = py.detach(|| {
            let mut pcm = vec![0; slots.len()];
            conditioner.process(slots, &mut pcm);
            pcm
        });
        Ok(pcm.into_pyarray(py))
    }
}

/// The gate, a frame of 20 ms at a time.
#[pyclass(module = "minerva_native")]
pub(crate) struct Gate(gate::Gate);

#[pymethods]
impl Gate {
    /// One that has heard nothing.
    #[new]
    fn new() -> Self {
        Self(gate::Gate::new())
    }

    /// A frame's level in hundredths of dBFS and the minerva-mel64 hops it completed, uint8 (hops, 64) -> is it open?
    fn frame(&mut self, level_cdb: i32, hops: &Bound<'_, PyAny>) -> PyResult<bool> {
        let fits =
            |array: &Bound<'_, PyArray2<u8>>| array.shape()[1] == 64 && array.is_contiguous();
        let array = hops.cast::<PyArray2<u8>>().ok().filter(|array| fits(array));
        let array = array.ok_or_else(|| {
            wrong(
                "hops",
                "a contiguous array of uint8 with shape (hops, 64)",
                hops,
            )
        })?;
        let bands = array.try_readonly()?;
        let (hops, _) = bands.as_slice()?.as_chunks();
        Ok(self.0.frame(level_cdb, hops))
    }

    /// Whether what is heard now should be sent.
    #[getter]
    fn open(&self) -> bool {
        self.0.open()
    }

    /// A loud sound is on, or was in the last two seconds.
    #[getter]
    fn transient(&self) -> bool {
        self.0.transient()
    }

    /// The noise floor in hundredths of dBFS.
    #[getter]
    fn floor_cdb(&self) -> i32 {
        self.0.floor_cdb()
    }

    /// The network's score of the last frame that had features, 0 before: 1024 times the logit of speech.
    #[getter]
    fn score(&self) -> i32 {
        self.0.score()
    }

    /// As new: nothing was heard.
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// RMS of a frame, int16 (320,), in hundredths of dBFS.
#[pyfunction]
pub(crate) fn frame_cdb(frame: &Bound<'_, PyAny>) -> PyResult<i32> {
    let frame = vector::<i16>("frame", frame)?;
    if frame.len() != minerva_dsp::FRAME_SAMPLES {
        let message = format!("frame: {} samples; a frame has 320", frame.len());
        return Err(PyValueError::new_err(message));
    }
    Ok(level::frame_cdb(frame.as_slice()?))
}

/// The largest magnitude of int16 (n,), 0 to 32767.
#[pyfunction]
pub(crate) fn peak(pcm: &Bound<'_, PyAny>) -> PyResult<i32> {
    Ok(level::peak(vector::<i16>("pcm", pcm)?.as_slice()?))
}

/// Peak magnitude -> hundredths of dBFS.
#[pyfunction]
pub(crate) fn amplitude_cdb(amplitude: i32) -> i32 {
    level::amplitude_cdb(amplitude)
}

/// int16 (n,), n even -> IMA-ADPCM, and the (predictor, index) to go on with.
#[pyfunction]
#[pyo3(signature = (pcm, state = (0, 0)))]
pub(crate) fn adpcm_encode<'py>(
    pcm: &Bound<'py, PyAny>,
    state: (i16, u8),
) -> PyResult<(Bound<'py, PyBytes>, (i16, u8))> {
    let py = pcm.py();
    let pcm = vector::<i16>("pcm", pcm)?;
    let pcm = pcm.as_slice()?;
    if pcm.len() % 2 != 0 {
        let message = format!(
            "pcm: {} samples do not fill whole bytes, of two each",
            pcm.len()
        );
        return Err(PyValueError::new_err(message));
    }
    let mut state = checked(state)?;
    let coded = py.detach(|| {
        let mut coded = vec![0; pcm.len() / 2];
        adpcm::encode(&mut state, pcm, &mut coded);
        coded
    });
    Ok((PyBytes::new(py, &coded), (state.predictor, state.index)))
}

/// Samples, and the (predictor, index) to go on with.
type Decoded<'py> = (Bound<'py, PyArray1<i16>>, (i16, u8));

/// IMA-ADPCM -> int16 (n,), two samples a byte, and the (predictor, index) to go on with.
#[pyfunction]
#[pyo3(signature = (coded, state = (0, 0)))]
pub(crate) fn adpcm_decode<'py>(
    py: Python<'py>,
    coded: &[u8],
    state: (i16, u8),
) -> PyResult<Decoded<'py>> {
    let mut state = checked(state)?;
    let pcm = py.detach(|| {
        let mut pcm = vec![0; coded.len() * 2];
        adpcm::decode(&mut state, coded, &mut pcm);
        pcm
    });
    Ok((pcm.into_pyarray(py), (state.predictor, state.index)))
}

fn checked((predictor, index): (i16, u8)) -> PyResult<State> {
    if index > 88 {
        let message = format!("state: the index {index} lies outside 0 to 88");
        return Err(PyValueError::new_err(message));
    }
    Ok(State { predictor, index })
}
