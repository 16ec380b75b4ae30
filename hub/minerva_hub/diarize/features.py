"""What a voice sounds like, frame by frame: cepstra of the spectrum's envelope, pitch and level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import log10
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, irfft, rfft

RATE: Final = 16_000
HOP: Final = 160  # 10 ms
WINDOW: Final = 640  # 40 ms: two periods of a deep voice
FFT: Final = 1024
MELS: Final = 32
LOW_HZ, HIGH_HZ = 150.0, 6800.0
CEPSTRA: Final = 19  # without the first, which is the level
FLOOR_DB: Final = -30.0
LOW_PITCH_HZ, HIGH_PITCH_HZ = 65.0, 400.0
VOICED: Final = 0.55  # periodicity, 0 to 1, above which a frame is voiced

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of 10 ms: `cepstra` (n, CEPSTRA), `pitch` ln Hz (n,), `voicing` 0 to 1, `level_db` relative.

    The level is that of the bands of speech: rooms rumble below them.
    """

    cepstra: Floats
    pitch: Floats
    voicing: Floats
    level_db: Floats

    def __len__(self) -> int:
        return len(self.level_db)


def analyse(pcm: NDArray[np.int16]) -> Frames:
    """pcm: int16 (n,), 16 kHz mono -> one frame for every whole 10 ms; the windows are centred on them."""
    count = len(pcm) // HOP
    samples = np.pad(pcm.astype(np.float64) / 32768, (WINDOW - HOP) // 2)
    samples = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:count]
    frames = frames - frames.mean(axis=1, keepdims=True) if count else frames
    power = np.abs(rfft(frames * np.hanning(WINDOW), FFT, axis=1)) ** 2
    mels = power @ _filters().T
    # What lies far below the loudest bands is the room as much as the voice: it is levelled.
    loudest = np.percentile(mels.max(axis=1), 95) if count else 0.0
    level_db = 10 * np.log10(mels.sum(axis=1) + 1e-9)
    mels = np.log(mels + 10 ** (FLOOR_DB / 10) * loudest + 1e-12)
    cepstra = dct(mels, type=2, norm="ortho", axis=1)[:, 1 : CEPSTRA + 1]
    pitch, voicing = _pitch(power)
    return Frames(np.asarray(cepstra), pitch, voicing, level_db)


def _pitch(power: Floats) -> tuple[Floats, Floats]:
    """The strongest period of each frame: (ln Hz, periodicity), from the autocorrelation."""
    hertz = np.arange(power.shape[1]) * RATE / FFT
    band = power * ((hertz > 60) & (hertz < 1800))  # where voices are periodic and rooms are quiet
    correlation = np.asarray(irfft(band, axis=1))[:, : FFT // 2]
    shape = np.asarray(irfft(np.abs(rfft(np.hanning(WINDOW), FFT)) ** 2))[: FFT // 2]
    shortest, longest = int(RATE / HIGH_PITCH_HZ), int(RATE / LOW_PITCH_HZ)
    normal = correlation[:, shortest:longest] / (correlation[:, :1] + 1e-20)
    normal = normal / (shape[shortest:longest] / shape[0])
    # A multiple of the period fits as well as the period: prefer the shorter.
    lags = np.arange(shortest, longest)
    best = np.argmax(normal * (1 - 0.15 * lags / longest), axis=1)
    voicing = np.clip(np.take_along_axis(normal, best[:, None], axis=1)[:, 0], 0, 1)
    return np.log(RATE / lags[best]), voicing


@cache
def _filters() -> Floats:
    """Triangular mel filters (MELS, FFT // 2 + 1), HTK scale."""
    mel = np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), MELS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = np.arange(FFT // 2 + 1) * RATE / FFT
    rise = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(0, np.minimum(rise, fall))
    return np.asarray(filters / filters.sum(axis=1, keepdims=True))


def _mel(hertz: float) -> float:
    return 2595 * log10(1 + hertz / 700)
