"""Noises that go on: each takes a length in samples and a generator -> float64 (n,), RMS 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE: Final = 16_000

Samples = NDArray[np.floating[Any]]
Noise = Callable[[int, np.random.Generator], Samples]


def unit(samples: Samples) -> Samples:
    """The same at RMS 1; silence stays silence."""
    rms = float(np.sqrt(np.mean(samples**2)))
    return samples / rms if rms > 0 else samples


def shaped(n: int, rng: np.random.Generator, gain: Callable[[Samples], Samples]) -> Samples:
    """Gaussian noise whose amplitude spectrum follows gain(hertz); nothing below 40 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hertz = np.fft.rfftfreq(n, 1 / RATE)
    spectrum *= np.where(hertz < 40, 0.0, gain(np.maximum(hertz, 40.0)))
    return unit(np.fft.irfft(spectrum, n))


def white(n: int, rng: np.random.Generator) -> Samples:
    """Equal power at all frequencies."""
    return shaped(n, rng, np.ones_like)


def pink(n: int, rng: np.random.Generator) -> Samples:
    """3 dB less for each octave."""
    return shaped(n, rng, lambda hertz: hertz**-0.5)


def brown(n: int, rng: np.random.Generator) -> Samples:
    """6 dB less for each octave."""
    return shaped(n, rng, lambda hertz: hertz**-1.0)


def room(n: int, rng: np.random.Generator) -> Samples:
    """A tilt by chance, with a few broad resonances, as rooms and microphones have."""
    slope = rng.uniform(-1.2, 0.2)
    peaks = [(rng.uniform(100, 6000), rng.uniform(0.1, 0.5), rng.uniform(0, 2)) for _ in range(4)]

    def gain(hertz: Samples) -> Samples:
        out = hertz**slope
        for centre, width, height in peaks:
            out = out * np.exp(height * np.exp(-(np.log(hertz / centre) ** 2) / width**2))
        return out

    return shaped(n, rng, gain)


def _tones(n: int, hertz: Samples, amplitude: Samples, rng: np.random.Generator) -> Samples:
    time_s = np.arange(n) / RATE
    out = np.zeros(n)
    for f, a in zip(hertz, amplitude, strict=True):
        if f < 7900:
            out += a * np.sin(2 * np.pi * (f * time_s + rng.random()))
    return out


def hum(n: int, rng: np.random.Generator) -> Samples:
    """Mains hum: 50 or 60 Hz with harmonics, over a little noise."""
    base = rng.choice([50.0, 60.0])
    harmonics = np.arange(1, rng.integers(6, 40))
    amplitude = rng.uniform(0.2, 1, len(harmonics)) * harmonics ** -rng.uniform(0.3, 1.5)
    return unit(unit(_tones(n, base * harmonics, amplitude, rng)) + rng.uniform(0.05, 0.4) * room(n, rng))


def fan(n: int, rng: np.random.Generator) -> Samples:
    """Moving air with the tone of the blades, slowly wavering."""
    blades = rng.uniform(60, 320)
    harmonics = np.arange(1, 8)
    tone = _tones(n, blades * harmonics, rng.uniform(0.3, 1, 7) / harmonics, rng)
    time_s = np.arange(n) / RATE
    waver = 1 + rng.uniform(0, 0.15) * np.sin(2 * np.pi * rng.uniform(0.2, 1.5) * time_s)
    return unit(waver * (room(n, rng) + rng.uniform(0.1, 1.0) * unit(tone)))


def tone(n: int, rng: np.random.Generator) -> Samples:
    """One to three steady tones, as of a transformer or a telephone line."""
    count = int(rng.integers(1, 4))
    hertz = np.exp(rng.uniform(np.log(150), np.log(5000), count))
    return unit(_tones(n, hertz, rng.uniform(0.3, 1, count), rng) + 0.02 * white(n, rng))


def machine(n: int, rng: np.random.Generator) -> Samples:
    """Something that runs: one to three series of harmonics that waver, beating, in noise."""
    time_s = np.arange(n) / RATE
    out = rng.uniform(0.1, 1.5) * room(n, rng)
    for _ in range(int(rng.integers(1, 4))):
        base = np.exp(rng.uniform(np.log(40), np.log(900)))
        wander = rng.uniform(0, 0.004) * np.sin(2 * np.pi * (rng.uniform(0.1, 3) * time_s + rng.random()))
        phase = 2 * np.pi * np.cumsum(base * (1 + wander)) / RATE
        series = np.zeros(n)
        for k in range(1, int(rng.integers(2, 20))):
            if k * base < 7500:
                series += (
                    rng.uniform(0, 1) * k ** -rng.uniform(0.2, 1.2) * np.sin(k * phase + 6.3 * rng.random())
                )
        beat = 1 + rng.uniform(0, 0.4) * np.sin(2 * np.pi * rng.uniform(0.2, 12) * time_s)
        out += rng.uniform(0.1, 1) * unit(series) * beat
    return unit(out)


def vacuum(n: int, rng: np.random.Generator) -> Samples:
    """A motor's whine, not quite steady, in rushing air."""
    base = rng.uniform(180, 420)
    drift = np.cumsum(shaped(n, rng, lambda hertz: hertz**-1.5)) * 1e-4
    phase = 2 * np.pi * (base * np.arange(n) / RATE + drift)
    whine = sum(
        (rng.uniform(0.3, 1) * np.sin(k * phase + rng.random()) / k for k in range(1, 13)), np.zeros(n)
    )
    return unit(shaped(n, rng, lambda hertz: np.exp(-((np.log(hertz / 1500)) ** 2) / 4)) + 0.6 * unit(whine))


def rain(n: int, rng: np.random.Generator) -> Samples:
    """A hiss with drops on a pane."""
    out = 0.7 * shaped(n, rng, lambda hertz: hertz**0.1)
    for at in rng.integers(0, n, n * 12 // RATE):
        length = min(n - int(at), 300)
        decay = np.exp(-np.arange(length) / rng.uniform(20, 80))
        out[at : at + length] += rng.uniform(0.5, 2) * decay * rng.standard_normal(length)
    return unit(out)


def typing(n: int, rng: np.random.Generator) -> Samples:
    """Somebody types: clicks of a few milliseconds, in bursts."""
    out = np.zeros(n)
    at = int(rng.uniform(0, 0.3) * RATE)
    resonance = rng.uniform(0.4, 0.9)
    angle = 2 * np.pi * rng.uniform(800, 4000) / RATE
    while at < n:
        length = min(n - at, int(rng.uniform(0.01, 0.03) * RATE))
        click = rng.standard_normal(length) * np.exp(-np.arange(length) / rng.uniform(15, 60))
        click = lfilter([1.0], [1.0, -2 * resonance * np.cos(angle), resonance**2], click)
        out[at : at + length] += rng.uniform(0.3, 1.0) * unit(click)
        pause = rng.uniform(0.5, 2.5) if rng.random() < 0.06 else rng.gamma(4, 0.04)
        at += max(200, int(pause * RATE))
    return unit(out)


TRAIN: Final[dict[str, Noise]] = {
    "white": white,
    "pink": pink,
    "brown": brown,
    "room": room,
    "hum": hum,
    "fan": fan,
    "tone": tone,
    "machine": machine,
}
UNSEEN: Final[dict[str, Noise]] = {"vacuum": vacuum, "rain": rain}  # never trained on
CLICKS: Final[dict[str, Noise]] = {"typing": typing}
