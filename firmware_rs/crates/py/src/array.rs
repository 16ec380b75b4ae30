//! What comes in as numpy arrays, checked, and what goes out as such.

use numpy::{
    Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyUntypedArray,
    PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// An argument as a contiguous array of one dimension and of the element type `T`; else a TypeError that says what it is.
pub(crate) fn vector<'py, T: Element>(
    name: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArray1<'py, T>> {
    let wanted = dtype::<T>(value.py());
    let array = value
        .cast::<PyArray1<T>>()
        .map_err(|_| wrong(name, &format!("a one-dimensional array of {wanted}"), value))?;
    if !array.is_contiguous() {
        let message =
            format!("{name}: the array is not contiguous; numpy.ascontiguousarray makes it so");
        return Err(PyValueError::new_err(message));
    }
    Ok(array.try_readonly()?)
}

/// Samples as `f32` from -1 to 1: where they are, or converted.
pub(crate) enum Samples<'py> {
    Theirs(PyReadonlyArray1<'py, f32>),
    Ours(Vec<f32>),
}

impl Samples<'_> {
    pub(crate) fn as_slice(&self) -> PyResult<&[f32]> {
        match self {
            Self::Theirs(array) => Ok(array.as_slice()?),
            Self::Ours(samples) => Ok(samples),
        }
    }
}

/// float32 as they are, int16 divided by 32768; a ValueError when one is not finite.
pub(crate) fn samples<'py>(name: &str, value: &Bound<'py, PyAny>) -> PyResult<Samples<'py>> {
    if value.cast::<PyArray1<i16>>().is_ok() {
        let pcm = vector::<i16>(name, value)?;
        let pcm = pcm.as_slice()?.iter();
        return Ok(Samples::Ours(
            pcm.map(|&x| f32::from(x) / 32768.0).collect(),
        ));
    }
    if value.cast::<PyArray1<f32>>().is_err() {
        return Err(wrong(
            name,
            "a one-dimensional array of float32 or int16",
            value,
        ));
    }
    let array = vector::<f32>(name, value)?;
    let pcm = array.as_slice()?;
    // The largest exponent is what only infinities and NaN have: a maximum of integers takes a vector at a time.
    let largest = pcm.iter().fold(0, |most, x| x.abs().to_bits().max(most));
    if largest >= f32::INFINITY.to_bits()
        && let Some(at) = pcm.iter().position(|x| !x.is_finite())
    {
        let message = format!("{name}: sample {at} is {}, not a number", pcm[at]);
        return Err(PyValueError::new_err(message));
    }
    Ok(Samples::Theirs(array))
}

/// Rows of `width`, one after the other, as an array of two dimensions.
pub(crate) fn rows<T: Element>(
    py: Python<'_>,
    flat: Vec<T>,
    width: usize,
) -> PyResult<Bound<'_, PyArray2<T>>> {
    let height = flat.len() / width;
    flat.into_pyarray(py).reshape([height, width])
}

/// A TypeError that says what was wanted and what came.
pub(crate) fn wrong(name: &str, wanted: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let came = match value.cast::<PyUntypedArray>() {
        Ok(array) => format!(
            "an array of {} with shape {:?}",
            array.dtype(),
            array.shape()
        ),
        Err(_) => value.get_type().to_string(),
    };
    PyTypeError::new_err(format!("{name}: expected {wanted}, got {came}"))
}
