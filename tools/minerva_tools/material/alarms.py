"""Alarms, chimes, crashes, which must always be sent: generator -> float64 (n,), RMS 1 while it sounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from minerva_tools.material.noises import RATE, Samples

Alarm = Callable[[np.random.Generator], Samples]


def _sounding(samples: Samples) -> Samples:
    """RMS 1 over the 20 ms frames within 15 dB of the loudest."""
    n = len(samples) // 320 * 320
    power = np.mean(samples[:n].reshape(-1, 320) ** 2, axis=1)
    scaled: Samples = samples / np.sqrt(np.mean(power[power > power.max() * 10**-1.5]))
    return scaled


def _beep(hertz: float, seconds: float, harmonics: int = 1) -> Samples:
    time_s = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros(len(time_s))
    for k in range(1, 2 * harmonics, 2):
        if k * hertz < 7900:
            out += np.sin(2 * np.pi * k * hertz * time_s) / k
    ramp = np.minimum(1, np.minimum(np.arange(len(out)), np.arange(len(out))[::-1]) / 40)
    return out * ramp


def _pause(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE))


def smoke(rng: np.random.Generator) -> Samples:
    """A smoke alarm's T3: three half-second tones, a pause of 1.5 s; twice."""
    hertz = rng.uniform(2900, 3300)
    group = [_beep(hertz, 0.5), _pause(0.5)] * 3 + [_pause(1.0)]
    return _sounding(np.concatenate(group * 2))


def smoke_low(rng: np.random.Generator) -> Samples:
    """The same at 520 Hz, square, as in bedrooms."""
    group = [_beep(rng.uniform(500, 540), 0.5, 6), _pause(0.5)] * 3 + [_pause(1.0)]
    return _sounding(np.concatenate(group * 2))


def monoxide(rng: np.random.Generator) -> Samples:
    """A carbon monoxide alarm's T4: four short tones, five seconds' pause; twice."""
    group = [_beep(rng.uniform(2900, 3400), 0.1), _pause(0.1)] * 4 + [_pause(5.0)]
    return _sounding(np.concatenate(group * 2))


def chime(rng: np.random.Generator) -> Samples:
    """A two-tone door chime."""
    high = rng.uniform(550, 900)

    def bar(hertz: float, seconds: float) -> Samples:
        time_s = np.arange(round(seconds * RATE)) / RATE
        parts = ((1, 1.0, 1.0), (2.76, 0.4, 0.4), (5.4, 0.2, 0.15))
        return sum(
            (
                a * np.sin(2 * np.pi * k * hertz * time_s) * np.exp(-time_s / t)
                for k, a, t in parts
                if k * hertz < 7900
            ),
            np.zeros(len(time_s)),
        )

    return _sounding(np.concatenate([bar(high, 0.6), bar(high * 0.8, 1.4)]))


def ring(rng: np.random.Generator) -> Samples:
    """A telephone: two tones that alternate 20 times a second, a second on, two off; twice."""
    low, high = rng.uniform(900, 1300), rng.uniform(1350, 2000)
    warble = np.concatenate([_beep(low, 0.025, 2), _beep(high, 0.025, 2)] * 20)
    return _sounding(np.concatenate([warble, _pause(2.0)] * 2))


def timer(rng: np.random.Generator) -> Samples:
    """A kitchen appliance: three to five beeps."""
    beeps = [_beep(rng.uniform(1800, 2400), rng.uniform(0.15, 0.4)), _pause(0.3)]
    return _sounding(np.concatenate(beeps * int(rng.integers(3, 6))))


def crash(rng: np.random.Generator) -> Samples:
    """Glass breaks: a burst, then fragments that ring."""
    n = round(0.9 * RATE)
    time_s = np.arange(n) / RATE
    out = rng.standard_normal(n) * np.exp(-time_s / 0.03)
    for _ in range(40):
        at = int(rng.exponential(0.12) * RATE)
        if at < n:
            length = n - at
            ringing = np.sin(2 * np.pi * rng.uniform(2000, 7500) * time_s[:length])
            out[at:] += rng.uniform(0.1, 0.6) * ringing * np.exp(-time_s[:length] / rng.uniform(0.01, 0.08))
    return _sounding(out)


def thud(rng: np.random.Generator) -> Samples:
    """Something heavy falls and bounces."""
    n = round(0.7 * RATE)
    time_s = np.arange(n) / RATE
    out = np.zeros(n)
    for at_s, level in ((0.0, 1.0), (rng.uniform(0.15, 0.25), 0.5), (rng.uniform(0.3, 0.4), 0.25)):
        since = np.maximum(time_s - at_s, 0)
        body = np.sin(2 * np.pi * rng.uniform(80, 200) * since) + 0.7 * rng.standard_normal(n)
        out += level * np.where(time_s >= at_s, body * np.exp(-since / 0.05), 0)
    return _sounding(out)


def clap(rng: np.random.Generator) -> Samples:
    """Hands clap two to four times."""
    out = []
    for _ in range(int(rng.integers(2, 5))):
        n = round(rng.uniform(0.25, 0.4) * RATE)
        out.append(rng.standard_normal(n) * np.exp(-np.arange(n) / (RATE * rng.uniform(0.01, 0.03))))
    return _sounding(np.concatenate(out))


def siren(rng: np.random.Generator) -> Samples:
    """A burglar alarm: a tone that sweeps."""
    time_s = np.arange(3 * RATE) / RATE
    hertz = rng.uniform(1200, 1800) + 500 * np.sin(2 * np.pi * rng.uniform(1, 4) * time_s)
    return _sounding(np.sin(2 * np.pi * np.cumsum(hertz) / RATE))


def bell(rng: np.random.Generator) -> Samples:
    """A bell with a hammer, as on old doors and telephones."""
    n = round(1.5 * RATE)
    out = np.zeros(n)
    hertz = rng.uniform(1000, 1800) * np.array([1, 1.48, 2.3, 3.1])
    for at in range(0, n, RATE // int(rng.integers(14, 22))):
        time_s = np.arange(n - at) / RATE
        for f in hertz:
            if f < 7900:
                out[at:] += np.sin(2 * np.pi * f * time_s) * np.exp(-time_s / 0.12)
    return _sounding(out)


TRAIN: Final[dict[str, Alarm]] = {
    "smoke": smoke,
    "monoxide": monoxide,
    "chime": chime,
    "ring": ring,
    "timer": timer,
    "crash": crash,
    "thud": thud,
    "clap": clap,
}
UNSEEN: Final[dict[str, Alarm]] = {
    "smoke_low": smoke_low,
    "siren": siren,
    "bell": bell,
}  # never trained on
