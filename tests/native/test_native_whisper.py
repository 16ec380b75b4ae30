"""Whisper's front end in Rust beside librosa and scipy in float64, and beside faster-whisper's extractor."""

import numpy as np
import pytest
import scipy.fft

FRAME, HOP = 400, 160


@pytest.fixture(scope="module")
def filters():
    """n_mels -> (n_mels, 201), float64, as librosa makes them."""
    librosa = pytest.importorskip("librosa")
    return {n: librosa.filters.mel(sr=16_000, n_fft=FRAME, n_mels=n, dtype=np.float64) for n in (80, 128)}


def _powers(pcm):
    padded = np.pad(pcm.astype(np.float64), FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][: len(pcm) // HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    return np.abs(scipy.fft.rfft(frames * window)) ** 2


@pytest.mark.parametrize("n_mels", [80, 128])
def test_logarithms_lie_within_their_limits(native, recordings, filters, n_mels):
    for name, pcm in recordings.items():
        exact = filters[n_mels] @ _powers(pcm).T
        ours = native.whisper_logmel(pcm, n_mels)
        assert ours.shape == exact.shape and ours.dtype == np.float32
        error = np.abs(ours - np.log10(np.maximum(exact, 1e-10)))
        strongest = exact.max(axis=0)
        assert error[exact >= 1e-4 * strongest].max() <= 1e-4, name
        assert error[exact >= 1e-6 * strongest].max() <= 1e-3, name
        assert np.isfinite(ours).all() and ours.min() >= np.float32(-10), name


def test_librosa_has_the_same_spectrogram(native, recordings):
    librosa = pytest.importorskip("librosa")
    pcm = recordings["speech"]
    exact = librosa.feature.melspectrogram(
        y=pcm.astype(np.float64), sr=16_000, n_fft=FRAME, hop_length=HOP, n_mels=80, pad_mode="reflect"
    )[:, :-1]
    loud = exact >= 1e-4 * exact.max(axis=0)
    error = np.abs(native.whisper_logmel(pcm) - np.log10(np.maximum(exact, 1e-10)))
    assert error[loud].max() <= 1e-4


def test_clamped_and_scaled_it_is_what_faster_whisper_feeds_its_model(native, recordings):
    extractor = pytest.importorskip("faster_whisper.feature_extractor").FeatureExtractor()
    pcm = recordings["speech"]
    ours = native.whisper_logmel(pcm)
    ours = (np.maximum(ours, ours.max() - 8) + 4) / 4
    np.testing.assert_allclose(ours, extractor(pcm, padding=0), atol=2e-4)


def test_int16_is_taken_as_a_32768th(native, material):
    pcm = material["speech"]
    ours = native.whisper_logmel(pcm)
    np.testing.assert_array_equal(ours, native.whisper_logmel(pcm.astype(np.float32) / 32768))


@pytest.mark.parametrize("samples", [201, 319, 320, 640, 1279, 1280, 1520, 1521, 2600])
def test_edges_are_reflected_at_every_length(native, recordings, filters, samples):
    pcm = recordings["noise"][:samples]
    exact = np.log10(filters[80] @ _powers(pcm).T)
    np.testing.assert_allclose(native.whisper_logmel(pcm), exact, atol=1e-4)
