"""minerva-mel64 in float64: the definition, against another derivation of it."""

import numpy as np
import pytest
import scipy.signal
from minerva_hub.audio import mel64


def test_a_frame_is_a_windowed_magnitude_spectrum() -> None:
    pcm = np.random.default_rng(1).integers(-20000, 20000, 1200).astype(np.int16)
    window = scipy.signal.get_window("hann", 400)  # periodic
    frame = pcm[320:720] / 32768 * window
    n, k = np.arange(400), np.arange(257)[:, None]
    magnitude = np.abs((frame * np.exp(-2j * np.pi * k * n / 512)).sum(axis=1))
    mels = 2595 * np.log10(1 + np.arange(257) * 31.25 / 700)  # the same scale by its other formula
    edges = np.linspace(2595 * np.log10(1 + 125 / 700), 2595 * np.log10(1 + 7500 / 700), 66)
    want = [
        np.log(magnitude @ np.interp(mels, edges[band : band + 3], [0, 1, 0], 0, 0) + 0.001)
        for band in range(64)
    ]
    assert mel64.log_mel(pcm)[2] == pytest.approx(want, abs=2e-5)


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (15_600, 96)]
)
def test_frames_of_so_many_samples(samples: int, frames: int) -> None:
    assert mel64.log_mel(np.ones(samples, np.int16)).shape == (frames, 64)


def test_steps_of_u8() -> None:
    half = 0.5 / 21.25
    logs = np.array([[-8.0, -7.0, -7.0 + half + 1e-9, -7.0 + half - 1e-9, 5.0, 6.0, np.log(0.001)]])
    assert mel64.quantise(logs).tolist() == [[0, 0, 1, 0, 255, 255, 2]]


def test_reading_back_is_right_to_half_a_step() -> None:
    logs = np.linspace(-7, 5, 64 * 50).reshape(50, 64)
    assert np.abs(mel64.read_back(mel64.quantise(logs)) - logs).max() <= 0.5 / 21.25 + 1e-6


def test_silence_is_the_floor() -> None:
    assert set(mel64.quantise(mel64.log_mel(np.zeros(4000, np.int16))).ravel()) == {2}


def test_the_known_signal() -> None:
    signal = mel64.self_test_signal(0)
    # r1 = 1013904223 = 0x3C6EF35F, r2 = r1 * 1664525 + 1013904223 = 0x47502932 modulo 2^32
    assert signal[:2].tolist() == [0x3C6E, 0x4750]
    assert signal.dtype == np.int16 and len(signal) == 3840
    for step in range(8):
        part = signal[512 * step : 512 * (step + 1)].astype(int)
        assert 0.9 * (32768 >> step) < np.abs(part).max() <= 32768 >> step, "6 dB less each 512 samples"


def test_no_value_of_the_self_test_is_near_the_edge_of_a_step() -> None:
    """Else implementations that are all right to 1e-4 would give other hashes."""
    steps = (mel64.log_mel(mel64.self_test_signal()) + mel64.BIAS) * mel64.STEPS
    assert np.abs(steps % 1 - 0.5).min() > 0.006
    assert mel64.self_test() == "ef6c80fcf38ea011", "as docs/protocol.md has it"
