"""`minerva-mel64`, the platform's one feature definition, in float64: what faster implementations must equal.

It is the YAMNet front end (docs/protocol.md): 400-sample periodic Hann window, hop 160, FFT 512, no centring,
magnitude, 64 HTK mel bands from 125 to 7500 Hz, ln(x + 0.001). The triangles are straight in mel, not in Hz,
and no band takes the constant part: so TensorFlow's `linear_to_mel_weight_matrix`, which YAMNet was trained
with, makes them.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from minerva.wire import MEL_BANDS, SAMPLE_RATE

from minerva_hub.audio.packets import Features

WINDOW: Final = 400
HOP: Final = 160
FFT: Final = 512
LOW_HZ: Final = 125.0
HIGH_HZ: Final = 7500.0
LOG_OFFSET: Final = 0.001
STEPS: Final = 21.25  # of u8, for each unit of ln
BIAS: Final = 7.0  # just below ln(LOG_OFFSET) = -6.91

Floats = npt.NDArray[np.float64]
Pcm = npt.NDArray[np.int16]


def _mel(hz: float) -> float:
    return 1127.0 * math.log1p(hz / 700.0)


def _bands() -> Floats:
    bins = np.array([[_mel(n * SAMPLE_RATE / FFT)] for n in range(FFT // 2 + 1)])
    edges = np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), MEL_BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    weights: Floats = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return weights


_HANN: Final[Floats] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
_BANDS: Final = _bands()  # (257, 64)


def log_mel(pcm: Pcm) -> Floats:
    """int16 (n,) at 16 kHz -> float64 (frames, 64), a frame each 10 ms that n completes; none below 400."""
    if len(pcm) < WINDOW:
        return np.zeros((0, MEL_BANDS))
    frames = np.lib.stride_tricks.sliding_window_view(pcm, WINDOW)[::HOP] / 32768.0
    magnitude = np.abs(np.fft.rfft(frames * _HANN, FFT))
    logs: Floats = np.log(magnitude @ _BANDS + LOG_OFFSET)
    return logs


def quantise(logs: Floats) -> Features:
    """float64 (frames, 64) -> uint8, the values of a `logmel_u8` packet: half away from zero, clamped."""
    steps = (logs + BIAS) * STEPS
    return np.clip(np.floor(steps + 0.5), 0, 255).astype(np.uint8)  # what is below zero is clamped anyway


def read_back(rows: Features) -> npt.NDArray[np.float32]:
    """uint8 (frames, 64) of a device -> float32 log mel, right to half a step (0.024)."""
    logs: npt.NDArray[np.float32] = rows.astype(np.float32) / np.float32(STEPS) - np.float32(BIAS)
    return logs


SELF_TEST_SEED: Final = 7_075_420  # docs/protocol.md says why
_SELF_TEST_SAMPLES: Final = 3840  # 12 frames of audio, 22 of features


def self_test_signal(seed: int = SELF_TEST_SEED) -> Pcm:
    """int16 (3840,): the known signal of docs/protocol.md, noise that falls from full scale by 42 dB."""
    state = seed
    out = np.empty(_SELF_TEST_SAMPLES, np.int16)
    for n in range(_SELF_TEST_SAMPLES):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        top = state >> 16
        out[n] = (top - 0x10000 if top & 0x8000 else top) >> (n >> 9)
    return out


@cache
def self_test() -> str:
    """What `hello.self_test` must be: FNV-1a (64 bits) of the known signal's features, as 16 hex digits."""
    value = 0xCBF29CE484222325
    for byte in quantise(log_mel(self_test_signal())).tobytes():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"
