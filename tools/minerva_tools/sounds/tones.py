"""What the sounds are built of: oscillators, envelopes, cadences, a telephone line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from minerva_tools.material.noises import RATE, Samples, unit

TOP_HZ: Final = 7800.0


def times(seconds: float) -> Samples:
    """Seconds from 0 on, one for each sample."""
    return np.arange(round(seconds * RATE)) / RATE


def pause(seconds: float) -> Samples:
    """Nothing."""
    return np.zeros(round(seconds * RATE))


def faded(sound: Samples, seconds: float = 0.004) -> Samples:
    """With ramps at both ends."""
    n = np.arange(len(sound))
    return sound * np.minimum(1.0, np.minimum(n, n[::-1]) / max(1.0, seconds * RATE))


def sines(hertz: Sequence[float], levels: Sequence[float], seconds: float) -> Samples:
    """Steady sines together; those above the band are left out."""
    t = times(seconds)
    out = np.zeros(len(t))
    for f, level in zip(hertz, levels, strict=True):
        if f < TOP_HZ:
            out += level * np.sin(2 * np.pi * f * t)
    return out


def oscillator(hertz: float, seconds: float) -> Samples:
    """A sine by a resonator that was struck once: no sine is computed."""
    n = round(seconds * RATE)
    strike = np.zeros(n)
    if n:
        strike[0] = 1.0
    ringing: Samples = lfilter(
        [np.sin(2 * np.pi * hertz / RATE)], [1, -2 * np.cos(2 * np.pi * hertz / RATE), 1], strike
    )
    return ringing


def staircase(hertz: float, seconds: float, steps: int) -> Samples:
    """A sine from a converter with a few steps, as cheap electronics make it."""
    stairs: Samples = np.round(np.sin(2 * np.pi * hertz * times(seconds)) * steps) / steps
    return stairs


def pulses(hertz: float, seconds: float, duty: float) -> Samples:
    """A pulse wave from a counter, band-limited by averaging over four finer steps."""
    n = round(seconds * RATE)
    phase = np.arange(4 * n) * hertz / (4 * RATE) % 1.0
    wave: Samples = np.where(phase < duty, 1.0, -1.0).reshape(n, 4).mean(axis=1)
    return wave - (2 * duty - 1)


def resonated(excitation: Samples, hertz: float, width_hz: float) -> Samples:
    """Through one resonance, as of a piezo disc in its chamber; RMS 1."""
    radius = np.exp(-np.pi * width_hz / RATE)
    poles = [1, -2 * radius * np.cos(2 * np.pi * hertz / RATE), radius**2]
    return unit(lfilter([1, 0, -1], poles, excitation))


def modes(
    hertz: Sequence[float], levels: Sequence[float], decays_s: Sequence[float], seconds: float
) -> Samples:
    """Something struck: each mode dies away by its own time."""
    t = times(seconds)
    out = np.zeros(len(t))
    for f, level, decay in zip(hertz, levels, decays_s, strict=True):
        if f < TOP_HZ:
            out += level * np.sin(2 * np.pi * f * t) * np.exp(-t / decay)
    struck: Samples = out * np.minimum(1.0, t / 0.002)
    return struck


def cadence(on: Sequence[Samples], offs_s: Sequence[float]) -> Samples:
    """Sounds one after another, each followed by its pause."""
    parts = [part for sound, off in zip(on, offs_s, strict=True) for part in (faded(sound), pause(off))]
    return np.concatenate(parts)


def telephone(
    sound: Samples, rng: np.random.Generator, low_hz: float = 300.0, high_hz: float = 3400.0
) -> Samples:
    """Over a telephone line: its band, and the 8 bits of its companding law."""
    band = butter(
        4,
        [low_hz * rng.uniform(0.8, 1.1), high_hz * rng.uniform(0.95, 1.03)],
        "bandpass",
        fs=RATE,
        output="sos",
    )
    narrow = sosfilt(band, sound)
    peak = float(np.abs(narrow).max()) or 1.0
    scaled = narrow / peak * rng.uniform(0.3, 0.95)
    law = np.sign(scaled) * np.log1p(255 * np.abs(scaled)) / np.log(256)
    law = np.round(law * 127) / 127
    back = np.sign(law) * (256 ** np.abs(law) - 1) / 255
    companded: Samples = sosfilt(band, back) * peak
    return companded


def octaves(rng: np.random.Generator, low: float, high: float) -> float:
    """A frequency or time by chance, even on a logarithmic scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
