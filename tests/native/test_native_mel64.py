"""minerva-mel64 in Rust beside scipy in float64, and beside the hub's."""

import numpy as np
import pytest
import scipy.fft
from minerva_hub.audio import mel64 as hub

FRAME, HOP, POINTS, BANDS = 400, 160, 512, 64


def _spectra(pcm):
    frames = np.lib.stride_tricks.sliding_window_view(pcm, FRAME)[::HOP] / 32768
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    return np.abs(scipy.fft.rfft(frames * window, POINTS))


def _bands(spectra):
    def mel(hz):
        return 2595 * np.log10(1 + hz / 700)

    edges = np.linspace(mel(125), mel(7500), BANDS + 2)[:, None]
    bins = mel(np.arange(POINTS // 2 + 1) * 16_000 / POINTS)
    up = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return spectra @ np.maximum(np.minimum(up, down), 0).T


def test_magnitudes_lie_within_a_millionth_of_the_frames_peak(native, material):
    for name, pcm in material.items():
        exact = _spectra(pcm)
        error = np.abs(native.mel64_magnitudes(pcm) - exact)
        assert (error <= 1e-6 * exact.max(axis=1, keepdims=True)).all(), name


def test_logarithms_lie_within_their_limits(native, material):
    for name, pcm in material.items():
        spectra = _spectra(pcm)
        exact = _bands(spectra)
        error = np.abs(native.mel64_log(pcm) - np.log(exact + 0.001))
        # The frame's strongest, in a band or beside all of them: firmware_rs/README.md says why.
        strongest = np.maximum(exact.max(axis=1), spectra.max(axis=1))[:, None]
        assert error[exact >= 1e-2 * strongest].max() <= 1e-4, name
        assert error[exact >= 1e-3 * strongest].max() <= 1e-3, name


# Within 40 and within 60 dB of the strongest band alone, as firmware_rs/README.md states it.
OUTSIDE = {60: (1e-4, 4e-4), 7812.5: (1.4e-3, 7.5e-3), 7900: (2e-3, 2.3e-3)}


@pytest.mark.parametrize(("hz", "limits"), OUTSIDE.items())
def test_a_full_scale_tone_outside_all_bands_rounds_for_what_leaks_into_them(native, hz, limits):
    pcm = np.round(32767 * np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000)).astype(np.int16)
    spectra = _spectra(pcm)
    exact = _bands(spectra)
    error = np.abs(native.mel64_log(pcm) - np.log(exact + 0.001))
    bands, bins = exact.max(axis=1)[:, None], spectra.max(axis=1)[:, None]
    assert (bins > 10 * bands).all()
    for share, of_all, of_bands in zip((1e-2, 1e-3), (1e-4, 1e-3), limits, strict=True):
        assert error[exact >= share * np.maximum(bands, bins)].max(initial=0) <= of_all
        assert error[exact >= share * bands].max() <= of_bands
    steps = (np.log(exact + 0.001) + 7) * 21.25
    assert np.abs(native.mel64_u8(pcm) - np.clip(np.floor(steps + 0.5), 0, 255)).max() <= 1


def test_bytes_are_those_of_the_definition_or_one_beside(native, material):
    for name, pcm in material.items():
        exact = (np.log(_bands(_spectra(pcm)) + 0.001) + 7) * 21.25
        rounded = np.clip(np.floor(exact + 0.5), 0, 255).astype(int)
        ours = native.mel64_u8(pcm)
        assert ours.dtype == np.uint8
        assert np.abs(ours - rounded).max() <= 1, name
        # And beside it only where the definition itself is a tenth of a step from the next.
        away = np.abs(exact - np.floor(exact) - 0.5)
        assert away[ours != rounded].max(initial=0) < 0.1, name


def test_the_hub_has_the_same_features(native, material):
    for name, pcm in material.items():
        exact = np.log(_bands(_spectra(pcm)) + 0.001)
        np.testing.assert_allclose(hub.log_mel(pcm), exact, atol=1e-9, err_msg=name)
        assert np.abs(hub.quantise(hub.log_mel(pcm)).astype(int) - native.mel64_u8(pcm)).max() <= 1, name


def test_the_self_tests_hash_is_that_of_float64(native):
    signal = hub.self_test_signal()
    steps = (np.log(_bands(_spectra(signal)) + 0.001) + 7) * 21.25
    # docs/protocol.md: no value is near enough to the next byte for arithmetic in 32 bits to matter.
    assert np.abs(steps - np.floor(steps) - 0.5).min() > 0.006
    value = 0xCBF29CE484222325
    for byte in np.floor(steps + 0.5).astype(np.uint8).tobytes():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    assert native.self_test() == f"{value:016x}" == "ef6c80fcf38ea011"


def test_a_frame_begins_every_hop_and_needs_its_400_samples(native):
    for samples, frames in [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (16_000, 98)]:
        pcm = np.zeros(samples, np.int16)
        assert native.mel64_u8(pcm).shape == (frames, BANDS)
        assert native.mel64_log(pcm).shape == (frames, BANDS)
        assert native.mel64_magnitudes(pcm).shape == (frames, POINTS // 2 + 1)
