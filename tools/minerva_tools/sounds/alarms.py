"""Smoke alarms, which sound three long times (T3), and carbon monoxide alarms, four short times (T4).

ISO 8201 and ANSI S3.41: T3 is half a second on, half a second off, three times, then 1.5 s of pause; T4 is
0.1 s on and off, four times, then five seconds. Each family here is a way to make the tone itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, sosfilt

from minerva_tools.material.noises import RATE, Samples, unit
from minerva_tools.sounds import tones

Tone = Callable[[float], Samples]  # seconds -> sound


def _t3(tone: Tone, rng: np.random.Generator) -> Samples:
    on, off = rng.uniform(0.44, 0.56, 2)
    group = [tone(on) for _ in range(3)]
    offs = [off, off, off + rng.uniform(0.9, 1.1)]
    return tones.cadence(group * 2, offs * 2)


def _t4(tone: Tone, rng: np.random.Generator) -> Samples:
    on, off = rng.uniform(0.085, 0.12, 2)
    group = [tone(on) for _ in range(4)]
    offs = [off, off, off, rng.uniform(4.5, 5.2)]
    return tones.cadence(group * 2, offs * 2)


def _piezo(rng: np.random.Generator) -> Tone:
    """A sine near 3 kHz with weak harmonics, not quite steady."""
    hertz, second, third = rng.uniform(2750, 3550), rng.uniform(0, 0.25), rng.uniform(0, 0.2)
    drift = rng.uniform(-0.004, 0.004)

    def tone(seconds: float) -> Samples:
        t = tones.times(seconds)
        phase = 2 * np.pi * hertz * t * (1 + drift * t)
        return (
            np.sin(phase) + (second * np.sin(2 * phase) if hertz < 3850 else 0.0) + third * np.sin(phase / 2)
        )

    return tone


def _horn(rng: np.random.Generator) -> Tone:
    """A buzzing horn near 3 kHz: its loudness shakes, with a hiss."""
    hertz, shake_hz, depth = rng.uniform(2750, 3550), rng.uniform(40, 220), rng.uniform(0.1, 0.7)
    hiss = rng.uniform(0.0, 0.15)

    def tone(seconds: float) -> Samples:
        t = tones.times(seconds)
        shaking = 1 + depth * np.sin(2 * np.pi * shake_hz * t)
        buzz: Samples = np.sin(2 * np.pi * hertz * t) * shaking + hiss * rng.standard_normal(len(t))
        return buzz

    return tone


def _low(rng: np.random.Generator) -> Tone:
    """520 Hz with odd and perhaps even harmonics of any level, as in bedrooms."""
    hertz, slope, even = rng.uniform(495, 545), rng.uniform(0.2, 1.5), rng.choice([0.0, rng.uniform(0, 1)])
    numbers = np.arange(1, 15)
    levels = numbers**-slope * np.where(numbers % 2 == 0, even, 1.0) * rng.uniform(0.2, 1, 14)

    def tone(seconds: float) -> Samples:
        return tones.sines(list(hertz * numbers), list(levels), seconds)

    return tone


def _driven(rng: np.random.Generator) -> Tone:
    """A sine near 520 Hz that overdrives a small amplifier, more to one side, and its loudspeaker."""
    hertz, drive, offset = rng.uniform(490, 550), tones.octaves(rng, 1, 12), rng.uniform(0, 0.9)
    low, high = tones.octaves(rng, 120, 800), tones.octaves(rng, 1500, 7500)
    band = butter(int(rng.integers(1, 3)), [low, high], "bandpass", fs=RATE, output="sos")
    hiss = rng.choice([0.0, rng.uniform(0, 0.1)])

    def tone(seconds: float) -> Samples:
        wave = np.tanh(drive * (np.sin(2 * np.pi * hertz * tones.times(seconds)) + offset))
        heard: Samples = sosfilt(band, wave - wave.mean() + hiss * rng.standard_normal(len(wave)))
        return unit(heard)

    return tone


def _resonator(rng: np.random.Generator) -> Tone:
    """A square wave from a jittering counter that drives a resonance beside its frequency."""
    hertz = rng.uniform(2900, 3400)
    centre, width = hertz * rng.uniform(0.93, 1.07), rng.uniform(80, 500)

    def tone(seconds: float) -> Samples:
        jitter = np.cumsum(rng.standard_normal(round(seconds * RATE))) * 2e-4
        phase = hertz * tones.times(seconds) + jitter
        square: Samples = np.sign(np.sin(2 * np.pi * phase))
        return tones.resonated(square, centre, width)

    return tone


def _chirp(rng: np.random.Generator) -> Tone:
    """A sounder that slides within each tone and overdrives its output."""
    begin, end = rng.uniform(2800, 3200), rng.uniform(3000, 3500)
    drive = rng.uniform(1, 5)

    def tone(seconds: float) -> Samples:
        t = tones.times(seconds)
        hertz = begin + (end - begin) * (1 - np.exp(-t / 0.06))
        return unit(np.tanh(drive * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)))

    return tone


def _low_pulse(rng: np.random.Generator) -> Tone:
    """A pulse wave of 520 Hz through a small loudspeaker."""
    hertz, duty = rng.uniform(505, 535), rng.uniform(0.25, 0.5)
    band = butter(2, [rng.uniform(250, 450), rng.uniform(3000, 7000)], "bandpass", fs=RATE, output="sos")

    def tone(seconds: float) -> Samples:
        out: Samples = sosfilt(band, tones.pulses(hertz, seconds, duty))
        return unit(out)

    return tone


def smoke_piezo(rng: np.random.Generator) -> Samples:
    """T3 by a sine."""
    return _t3(_piezo(rng), rng)


def smoke_horn(rng: np.random.Generator) -> Samples:
    """T3 by a buzzing horn."""
    return _t3(_horn(rng), rng)


def smoke_low(rng: np.random.Generator) -> Samples:
    """T3 at 520 Hz by harmonics."""
    return _t3(_low(rng), rng)


def smoke_low_driven(rng: np.random.Generator) -> Samples:
    """T3 at 520 Hz by an overdriven amplifier."""
    return _t3(_driven(rng), rng)


def smoke_resonator(rng: np.random.Generator) -> Samples:
    """T3 by a driven resonance."""
    return _t3(_resonator(rng), rng)


def smoke_chirp(rng: np.random.Generator) -> Samples:
    """T3 by tones that slide."""
    return _t3(_chirp(rng), rng)


def smoke_low_pulse(rng: np.random.Generator) -> Samples:
    """T3 at 520 Hz by a pulse wave."""
    return _t3(_low_pulse(rng), rng)


def monoxide_piezo(rng: np.random.Generator) -> Samples:
    """T4 by a sine."""
    return _t4(_piezo(rng), rng)


def monoxide_horn(rng: np.random.Generator) -> Samples:
    """T4 by a buzzing horn."""
    return _t4(_horn(rng), rng)


def monoxide_resonator(rng: np.random.Generator) -> Samples:
    """T4 by a driven resonance."""
    return _t4(_resonator(rng), rng)


def monoxide_chirp(rng: np.random.Generator) -> Samples:
    """T4 by tones that slide."""
    return _t4(_chirp(rng), rng)
