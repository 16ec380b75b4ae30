"""Music without voices, made up: chords, melody, bass and drums in several timbres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from scipy.signal import lfilter

from minerva_tools.material.noises import RATE, Noise, Samples, unit

Timbre = Callable[[float, int, np.random.Generator], Samples]

_SCALES: Final = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))
_CHORDS: Final = ((0, 2, 4), (3, 5, 7), (4, 6, 8), (5, 7, 9), (1, 3, 5))


def _attack(n: int, seconds: float) -> Samples:
    return np.minimum(1.0, np.arange(n) / max(1.0, seconds * RATE))


def _release(n: int, seconds: float) -> Samples:
    return np.minimum(1.0, (n - np.arange(n)) / max(1.0, seconds * RATE))


def _partials(hertz: float, n: int, amplitudes: Samples, vibrato: float = 0.0) -> Samples:
    time_s = np.arange(n) / RATE
    phase = 2 * np.pi * hertz * time_s + vibrato * np.sin(2 * np.pi * 5.2 * time_s)
    out = np.zeros(n)
    for k, amplitude in enumerate(amplitudes, 1):
        if k * hertz < 7500:
            out += amplitude * np.sin(k * phase)
    return out


def organ(hertz: float, n: int, rng: np.random.Generator) -> Samples:
    """Steady partials."""
    return _partials(hertz, n, np.array([1, 0.6, 0.3, 0.4, 0.1, 0.2])) * _attack(n, 0.02) * _release(n, 0.04)


def strings(hertz: float, n: int, rng: np.random.Generator) -> Samples:
    """A bowed pad: many partials, slow attack, vibrato."""
    amplitudes = 1 / np.arange(1, 16)
    return _partials(hertz, n, amplitudes, rng.uniform(0, 4)) * _attack(n, 0.15) * _release(n, 0.15)


def piano(hertz: float, n: int, rng: np.random.Generator) -> Samples:
    """A struck string that dies away."""
    decay = np.exp(-np.arange(n) / (RATE * rng.uniform(0.3, 1.2)))
    return _partials(hertz, n, 0.6 ** np.arange(10)) * decay * _attack(n, 0.004) * _release(n, 0.02)


def flute(hertz: float, n: int, rng: np.random.Generator) -> Samples:
    """Nearly a sine, with breath."""
    breath = 0.03 * rng.standard_normal(n)
    sound = _partials(hertz, n, np.array([1, 0.25, 0.08]), rng.uniform(0, 3)) + breath
    return sound * _attack(n, 0.05) * _release(n, 0.05)


def plucked(hertz: float, n: int, rng: np.random.Generator) -> Samples:
    """Karplus and Strong's string."""
    period = max(2, round(RATE / hertz))
    burst = np.zeros(n)
    burst[: min(n, period)] = rng.standard_normal(min(n, period))
    feedback = np.zeros(period + 2)
    feedback[0], feedback[period], feedback[period + 1] = 1.0, -0.498, -0.498
    sound: Samples = lfilter([1.0], feedback, burst)
    return sound * _release(n, 0.02)


def bell(hertz: float, n: int, rng: np.random.Generator) -> Samples:
    """An electric piano by frequency modulation."""
    time_s = np.arange(n) / RATE
    index = rng.uniform(1, 4) * np.exp(-time_s / 0.4)
    sound = np.sin(2 * np.pi * hertz * time_s + index * np.sin(2 * np.pi * 2 * hertz * time_s))
    return sound * np.exp(-time_s / rng.uniform(0.5, 1.5)) * _attack(n, 0.003) * _release(n, 0.02)


def _any(rng: np.random.Generator) -> Timbre:
    """An instrument that nobody built: partials, their decay, attack, vibrato and breath by chance."""
    slope = rng.uniform(0.3, 2.5)
    even = rng.uniform(0, 1)
    scatter = rng.uniform(0.2, 1, 20)
    stretch = rng.choice([0.0, rng.uniform(0, 1e-3), rng.uniform(0, 0.1)])
    attack, dies = np.exp(rng.uniform(np.log(0.002), np.log(0.2))), rng.random() < 0.6
    decay_s, faster = np.exp(rng.uniform(np.log(0.1), np.log(2.0))), rng.uniform(0, 1)
    vibrato_hz, vibrato = rng.uniform(3, 7), rng.choice([0.0, rng.uniform(0, 0.5)])
    index, ratio = rng.choice([0.0, rng.uniform(0, 4)]), rng.choice([0.5, 1.0, 2.0, 3.0, 3.5])
    breath = rng.choice([0.0, rng.uniform(0, 0.1)])

    def timbre(hertz: float, n: int, rng: np.random.Generator) -> Samples:
        time_s = np.arange(n) / RATE
        modulator = index * np.exp(-time_s / 0.5) * np.sin(2 * np.pi * ratio * hertz * time_s)
        base = hertz * time_s + vibrato / vibrato_hz * np.sin(2 * np.pi * vibrato_hz * time_s)
        out = breath * rng.standard_normal(n)
        for k in range(1, 21):
            f = k * hertz * np.sqrt(1 + stretch * k * k)
            if f < 7500:
                fall = np.exp(-time_s / (decay_s / k**faster)) if dies else 1.0
                level = k**-slope * scatter[k - 1] * (even if k % 2 == 0 else 1.0)
                out += level * fall * np.sin(2 * np.pi * f / hertz * base + modulator)
        shaped: Samples = out * _attack(n, attack) * _release(n, 0.03)
        return shaped

    return timbre


ANY: Final[tuple[Timbre, ...]] = ()  # new instruments for each piece
TRAIN_TIMBRES: Final[tuple[Timbre, ...]] = (organ, strings, piano, flute)
UNSEEN_TIMBRES: Final[tuple[Timbre, ...]] = (plucked, bell)  # never trained on


def _drum(kind: int, rng: np.random.Generator) -> Samples:
    n = RATE // 4
    time_s = np.arange(n) / RATE
    if kind == 0:  # kick
        sweep = 50 * time_s + 8 * (1 - np.exp(-time_s / 0.03))
        kick: Samples = np.sin(2 * np.pi * sweep) * np.exp(-time_s / 0.08)
        return kick
    noise = rng.standard_normal(n)
    if kind == 1:  # snare
        return 0.5 * (noise + np.sin(2 * np.pi * 190 * time_s)) * np.exp(-time_s / 0.05)
    return 0.3 * np.diff(noise, prepend=0.0) * np.exp(-time_s / 0.02)  # hat


def _add(out: Samples, at: int, sound: Samples) -> None:
    part = out[at : at + len(sound)]
    part += sound[: len(part)]


def _play(
    n: int,
    rng: np.random.Generator,
    timbres: tuple[Timbre, ...],
    *,
    chords: float,
    melody: float,
    drums: float,
) -> Samples:
    """A piece of n samples at a tempo, key and timbres (none: any) by chance; the parts' levels as given."""
    out = np.zeros(n)
    beat = round(RATE * 60 / rng.uniform(60, 150))
    scale = _SCALES[int(rng.integers(len(_SCALES)))]
    key = rng.uniform(42, 54)
    pad, lead = (timbres[int(rng.integers(len(timbres)))] if timbres else _any(rng) for _ in range(2))
    pattern = rng.random((3, 8)) < np.array([[0.35], [0.25], [0.6]])

    def pitch(step: int, octave: int = 0) -> float:
        return float(
            440 * 2 ** ((key - 69 + 12 * octave + 12 * (step // len(scale)) + scale[step % len(scale)]) / 12)
        )

    step = 7
    for bar in range(n // (4 * beat) + 1):
        chord = _CHORDS[int(rng.integers(len(_CHORDS)))]
        start = bar * 4 * beat
        if chords:
            strokes = 1 if rng.random() < 0.6 else 4
            for stroke in range(strokes):
                for note in chord:
                    sound = pad(pitch(note, 1), 4 * beat // strokes, rng)
                    _add(out, start + stroke * 4 * beat // strokes, chords * 0.25 * sound)
            _add(out, start, chords * 0.4 * pad(pitch(chord[0]), 4 * beat, rng))
        at = 0
        while melody and at < 8:
            length = int(rng.choice([1, 1, 2, 2, 4]))
            step = int(np.clip(step + rng.integers(-3, 4), 3, 16))
            if rng.random() < 0.85:
                _add(
                    out, start + at * beat // 2, melody * 0.5 * lead(pitch(step, 1), length * beat // 2, rng)
                )
            at += length
        for eighth in range(8 if drums else 0):
            for kind in range(3):
                if pattern[kind, eighth]:
                    _add(out, start + eighth * beat // 2, drums * rng.uniform(0.7, 1) * _drum(kind, rng))
    return unit(out)


def _bed(timbres: tuple[Timbre, ...], chords: float, melody: float, drums: float) -> Noise:
    def bed(n: int, rng: np.random.Generator) -> Samples:
        return _play(n, rng, timbres, chords=chords, melody=melody, drums=drums)

    return bed


def beds(timbres: tuple[Timbre, ...]) -> Mapping[str, Noise]:
    """Music beds by name: what plays in each, in the timbres given."""
    return {
        "chords": _bed(timbres, 1.0, 0.0, 0.0),
        "melody": _bed(timbres, 0.5, 1.0, 0.0),
        "band": _bed(timbres, 0.8, 0.6, 0.4),
        "drums": _bed(timbres, 0.4, 0.0, 1.0),
    }
