"""Doorbells, knocks, breaking glass, the beeps of appliances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import butter, sosfilt

from minerva_tools.material.noises import RATE, Samples, unit
from minerva_tools.sounds import tones


def _laid(parts: Sequence[Samples], at_s: Sequence[float]) -> Samples:
    """Sounds that begin at their times and ring on over one another."""
    starts = [round(s * RATE) for s in at_s]
    out = np.zeros(max(start + len(part) for start, part in zip(starts, parts, strict=True)))
    for start, part in zip(starts, parts, strict=True):
        out[start : start + len(part)] += part
    return out


def doorbell_bars(rng: np.random.Generator) -> Samples:
    """Ding-dong by two struck bars, perhaps twice."""
    high, ratio = tones.octaves(rng, 520, 1100), rng.choice([0.8, 0.794, 0.75, 0.667])
    long_s, bright = rng.uniform(0.4, 1.4), rng.uniform(0.1, 0.6)
    bars = [
        tones.modes([f, 2.76 * f, 5.4 * f], [1, bright, bright / 2], [long_s, long_s / 3, long_s / 8], 1.8)
        for f in (high, high * ratio)
    ]
    gap = rng.uniform(0.35, 0.8)
    return _laid(bars * 2, [0, gap, 2.6, 2.6 + gap]) if rng.random() < 0.5 else _laid(bars, [0, gap])


def doorbell_tune(rng: np.random.Generator) -> Samples:
    """Four to eight struck tubes, as in the quarters of a clock tower."""
    base, long_s = tones.octaves(rng, 400, 800), rng.uniform(0.4, 1.2)
    steps = rng.choice([0, 2, 4, 5, 7, 9, 12], int(rng.integers(4, 9)))
    partials = np.array([1, 2.0, 2.76, 4.1]) + rng.uniform(-0.05, 0.05, 4)
    notes = [
        tones.modes(list(base * 2 ** (s / 12) * partials), [1, 0.5, 0.3, 0.2], list(long_s / partials), 1.6)
        for s in steps
    ]
    beat = rng.uniform(0.28, 0.6)
    return _laid(notes, list(beat * np.arange(len(notes))))


def doorbell_electronic(rng: np.random.Generator) -> Samples:
    """Two electronic tones with a few harmonics that die away, perhaps twice."""
    high, ratio, long_s = tones.octaves(rng, 500, 1200), rng.choice([0.8, 0.75, 0.84]), rng.uniform(0.3, 1.0)
    notes = [
        tones.modes([f, 2 * f, 3 * f], [1, rng.uniform(0, 0.5), rng.uniform(0, 0.4)], [long_s] * 3, 1.5)
        for f in (high, high * ratio)
    ]
    gap = rng.uniform(0.3, 0.7)
    return _laid(notes * 2, [0, gap, 2.2, 2.2 + gap]) if rng.random() < 0.4 else _laid(notes, [0, gap])


def doorbell_struck(rng: np.random.Generator) -> Samples:
    """Two to four notes of something that nobody built: modes, their decay and a click by chance."""
    base, count = tones.octaves(rng, 420, 1200), int(rng.integers(2, 5))
    ratios = np.cumprod([1.0, rng.uniform(1.0005, 1.01), *rng.uniform(1.2, 2.1, 4)])
    levels = rng.uniform(0.1, 1, 6) * np.array([1, rng.choice([0.0, 1.0]), 0.7, 0.5, 0.4, 0.3])
    decays = tones.octaves(rng, 0.25, 1.4) / ratios ** rng.uniform(0.2, 1.5)
    click, soft = rng.choice([0.0, rng.uniform(0, 0.6)]), tones.octaves(rng, 20, 200)
    notes = []
    for step in rng.choice([1.0, 0.794, 0.75, 0.841, 0.667, 1.26], count):
        note = tones.modes(list(base * step * ratios), list(levels), list(decays), 1.8)
        note[:800] += click * rng.standard_normal(800) * np.exp(-np.arange(800) / soft)
        notes.append(note)
    return _laid(notes, list(rng.uniform(0.35, 0.8) * np.arange(count)))


def doorbell_hammer(rng: np.random.Generator) -> Samples:
    """A gong that a hammer strikes many times a second."""
    hertz = rng.uniform(900, 2400) * np.array([1, rng.uniform(1.4, 1.7), rng.uniform(2.1, 2.7), 3.3])
    rate = rng.uniform(12, 26)
    stroke = tones.modes(list(hertz), list(rng.uniform(0.3, 1, 4)), [rng.uniform(0.05, 0.25)] * 4, 0.6)
    at = np.arange(0, rng.uniform(0.8, 2.2), 1 / rate)
    return _laid([stroke * rng.uniform(0.7, 1) for _ in at], list(at))


def doorbell_fm(rng: np.random.Generator) -> Samples:
    """Ding-dong by frequency modulation, as in wireless bells."""
    high, gap, long_s = rng.uniform(560, 1050), rng.uniform(0.4, 0.7), rng.uniform(0.35, 0.9)
    index, over = rng.uniform(0.5, 2), rng.choice([2.0, 3.0, 3.5])

    def note(hertz: float) -> Samples:
        t = tones.times(1.7)
        modulator = index * np.exp(-t / 0.2) * np.sin(2 * np.pi * over * hertz * t)
        carrier = np.sin(2 * np.pi * hertz * t + modulator)
        struck: Samples = carrier * np.exp(-t / long_s) * np.minimum(1, t / 0.003)
        return struck

    return _laid([note(high), note(high * 0.79)] * 2, [0, gap, 2.5, 2.5 + gap])


def doorbell_tubes(rng: np.random.Generator) -> Samples:
    """Two brass tubes whose pairs of modes beat, struck by a plunger that clicks."""
    high, long_s, split = rng.uniform(540, 900), rng.uniform(0.6, 1.3), rng.uniform(1.001, 1.004)
    ratios = np.array([1.0, split, 1.99, 3.0, 4.2])

    def tube(hertz: float) -> Samples:
        out = tones.modes(list(hertz * ratios), [1, 0.8, 0.5, 0.35, 0.2], list(long_s / ratios), 2.0)
        click = rng.standard_normal(200) * np.exp(-np.arange(200) / 30)
        out[:200] += 0.4 * click
        return out

    return _laid([tube(high), tube(high * 0.8)], [0, rng.uniform(0.45, 0.8)])


def _raps(rng: np.random.Generator) -> tuple[list[float], list[float]]:
    count, gap = int(rng.integers(2, 6)), rng.uniform(0.13, 0.32)
    return list(gap * np.arange(count) + rng.uniform(0, 0.03, count)), list(rng.uniform(0.6, 1, count))


def knock_burst(rng: np.random.Generator) -> Samples:
    """Knuckles on wood: short bursts of noise through the door's resonance."""
    at, levels = _raps(rng)
    centre, decay_s = tones.octaves(rng, 140, 900), rng.uniform(0.008, 0.03)
    n = round(0.2 * RATE)
    raps = []
    for level in levels:
        burst = rng.standard_normal(n) * np.exp(-np.arange(n) / (RATE * decay_s))
        raps.append(level * (tones.resonated(burst, centre, centre / 2) + 0.3 * unit(burst)))
    return _laid(raps, at)


def knock_thump(rng: np.random.Generator) -> Samples:
    """A fist on a door: a falling thump with a click."""
    at, levels = _raps(rng)
    hertz, decay_s = rng.uniform(80, 260), rng.uniform(0.02, 0.06)
    t = tones.times(0.25)
    raps = []
    for level in levels:
        body = np.sin(2 * np.pi * (hertz * t + 2 * (1 - np.exp(-t / 0.01)))) * np.exp(-t / decay_s)
        click = rng.standard_normal(len(t)) * np.exp(-t / rng.uniform(0.002, 0.006))
        raps.append(level * (body + rng.uniform(0.2, 0.8) * click))
    return _laid(raps, at)


def knock_table(rng: np.random.Generator) -> Samples:
    """A table or a cupboard: some modes by chance, a click, and what else moves with it."""
    at, levels = _raps(rng)
    count = int(rng.integers(3, 12))
    hertz, decays = rng.uniform(90, 1600, count), rng.uniform(0.006, 0.05, count)
    click, dull_s, low = rng.uniform(0, 0.8), rng.uniform(0.003, 0.02), tones.octaves(rng, 700, 5000)
    soft = butter(1, low, fs=RATE, output="sos")
    t = tones.times(0.25)
    raps = []
    for level in levels:
        rap = unit(
            tones.modes(
                list(hertz), list(rng.uniform(-1, 1, count) * (hertz / 90) ** -0.5), list(decays), 0.25
            )
        )
        burst: Samples = sosfilt(soft, rng.standard_normal(len(t)) * np.exp(-t / dull_s))
        raps.append(level * (rap + click * unit(burst)))
    return _laid(raps, at)


def knock_panel(rng: np.random.Generator) -> Samples:
    """The modes of a wooden panel, each rap hitting it elsewhere and rattling the lock."""
    at, levels = _raps(rng)
    base = rng.uniform(110, 260)
    hertz = base * np.sqrt(np.array([a * a + b * b for a in range(1, 6) for b in range(1, 5)]) / 2)
    decays = rng.uniform(0.012, 0.03) * (base / hertz) ** 0.4
    raps = []
    for level in levels:
        rap = tones.modes(list(hertz), list(rng.uniform(-1, 1, len(hertz))), list(decays), 0.2)
        rattle = np.roll(
            rng.standard_normal(len(rap)) * np.exp(-tones.times(0.2) / 0.006), round(0.012 * RATE)
        )
        raps.append(level * (unit(rap) + 0.15 * unit(rattle)))
    return _laid(raps, at)


def knock_window(rng: np.random.Generator) -> Samples:
    """Knuckles on a pane in its frame: a dull noise that dies quickly, with one high mode."""
    at, levels = _raps(rng)
    band = butter(2, [rng.uniform(120, 250), rng.uniform(900, 2200)], "bandpass", fs=RATE, output="sos")
    t = tones.times(0.15)
    raps = []
    for level in levels:
        dull: Samples = sosfilt(band, rng.standard_normal(len(t)) * np.exp(-t / rng.uniform(0.008, 0.02)))
        high = np.sin(2 * np.pi * rng.uniform(700, 1500) * t) * np.exp(-t / 0.015)
        raps.append(level * (unit(dull) + 0.3 * high))
    return _laid(raps, at)


def glass_fragments(rng: np.random.Generator) -> Samples:
    """A burst of noise, then fragments that ring by chance."""
    n = round(rng.uniform(0.9, 1.5) * RATE)
    t = np.arange(n) / RATE
    out = rng.uniform(0.5, 2) * rng.standard_normal(n) * np.exp(-t / rng.uniform(0.015, 0.06))
    spread = rng.uniform(0.08, 0.3)
    for _ in range(int(rng.integers(25, 90))):
        at = int(rng.exponential(spread) * RATE)
        if at < n:
            ringing = np.sin(2 * np.pi * rng.uniform(1800, 7600) * t[: n - at])
            out[at:] += rng.uniform(0.1, 0.8) * ringing * np.exp(-t[: n - at] / rng.uniform(0.006, 0.09))
    return out


def glass_pane(rng: np.random.Generator) -> Samples:
    """A pane: high-pass noise in two or three bursts, over clusters of ringing modes."""
    n = round(1.4 * RATE)
    t = np.arange(n) / RATE
    high = butter(2, rng.uniform(1200, 2800), "highpass", fs=RATE, output="sos")
    out = np.zeros(n)
    for at_s in np.cumsum([0.0, *rng.uniform(0.06, 0.3, int(rng.integers(1, 3)))]):
        since = np.maximum(t - at_s, 0)
        burst: Samples = sosfilt(high, rng.standard_normal(n)) * np.where(
            t >= at_s, np.exp(-since / rng.uniform(0.03, 0.1)), 0
        )
        out += burst * rng.uniform(0.4, 1)
        for _ in range(12):
            out += np.where(
                t >= at_s,
                0.25
                * np.sin(2 * np.pi * rng.uniform(2000, 7500) * since)
                * np.exp(-since / rng.uniform(0.02, 0.15)),
                0,
            )
    return out


def glass_dish(rng: np.random.Generator) -> Samples:
    """A dish or a vase: a crack, then pieces that hit the floor at times by chance, each with its ring."""
    n = round(rng.uniform(1.0, 1.8) * RATE)
    out = np.zeros(n)
    high = butter(1, rng.uniform(800, 3000), "highpass", fs=RATE, output="sos")
    crack: Samples = sosfilt(
        high, rng.standard_normal(n) * np.exp(-np.arange(n) / (RATE * tones.octaves(rng, 0.006, 0.08)))
    )
    out += rng.uniform(0.3, 2) * unit(crack)
    spread = rng.uniform(0.06, 0.35)
    for _ in range(int(rng.integers(8, 60))):
        at = int(rng.exponential(spread) * RATE)
        hertz = tones.octaves(rng, 1500, 6500) * np.array([1, rng.uniform(1.2, 2.4), rng.uniform(2, 3)])
        piece = tones.modes(
            list(hertz), list(rng.uniform(0.2, 1, 3)), [tones.octaves(rng, 0.004, 0.08)] * 3, 0.2
        )
        piece[:200] += rng.uniform(0, 0.6) * rng.standard_normal(200) * np.exp(-np.arange(200) / 40)
        part = out[at : at + len(piece)]
        part += rng.uniform(0.2, 1.5) * piece[: len(part)]
    return out


def glass_shower(rng: np.random.Generator) -> Samples:
    """Shards that fall and bounce: each is hit again and again, sooner and softer."""
    n = round(1.6 * RATE)
    out = np.zeros(n)
    crack = rng.standard_normal(700) * np.exp(-np.arange(700) / rng.uniform(60, 200))
    out[:700] += 1.5 * crack
    for _ in range(int(rng.integers(12, 30))):
        hertz = rng.uniform(2200, 7000) * np.array([1, rng.uniform(1.3, 1.9)])
        shard = tones.modes(list(hertz), [1, 0.6], list(rng.uniform(0.006, 0.04, 2)), 0.15)
        at, gap, level = rng.uniform(0.02, 0.5), rng.uniform(0.08, 0.25), rng.uniform(0.2, 0.8)
        for _ in range(5):
            start = round(at * RATE)
            if start + len(shard) < n:
                out[start : start + len(shard)] += level * shard
            at, gap, level = at + gap, gap * 0.6, level * 0.6
    return out


def glass_bottle(rng: np.random.Generator) -> Samples:
    """A bottle on a stone floor: its own modes for a moment, then bright noise in grains."""
    n = round(1.1 * RATE)
    base = rng.uniform(1700, 3200)
    out = np.append(
        tones.modes([base, 1.62 * base, 2.3 * base], [1, 0.7, 0.5], [0.02, 0.015, 0.01], 0.1), np.zeros(n)
    )[:n]
    high = butter(2, rng.uniform(2000, 3500), "highpass", fs=RATE, output="sos")
    grains = rng.poisson(rng.uniform(250, 700) / RATE, n) * rng.standard_normal(n)
    grains *= np.exp(-np.arange(n) / (RATE * rng.uniform(0.12, 0.3)))
    ring = np.exp(-np.arange(400) / rng.uniform(30, 90)) * np.cos(
        2 * np.pi * rng.uniform(3000, 6000) * np.arange(400) / RATE
    )
    bright: Samples = sosfilt(high, np.convolve(grains, ring)[:n] + grains)
    return out + 0.8 * unit(bright) * 0.3


def _beeps(tone: Samples, rng: np.random.Generator, off: float) -> Samples:
    count = int(rng.integers(3, 7))
    return tones.cadence([tone] * count, [off] * count)


def beep_sine(rng: np.random.Generator) -> Samples:
    """An oven or microwave: sines of 0.1 to 0.5 s below 2.6 kHz."""
    on = tones.octaves(rng, 0.08, 0.5)
    tone = tones.sines([tones.octaves(rng, 900, 2500)], [1.0], on)
    return _beeps(tone, rng, on * rng.uniform(0.6, 1.8))


def beep_square(rng: np.random.Generator) -> Samples:
    """A timer: square waves with their odd harmonics."""
    on, hertz = tones.octaves(rng, 0.08, 0.5), tones.octaves(rng, 900, 2500)
    tone = tones.sines([hertz, 3 * hertz, 5 * hertz], [1, rng.uniform(0.2, 0.5), rng.uniform(0.1, 0.3)], on)
    return _beeps(tone, rng, on * rng.uniform(0.6, 1.8))


def beep_clock(rng: np.random.Generator) -> Samples:
    """An alarm clock: groups of short beeps near 2 kHz, a pause between."""
    on, hertz = rng.uniform(0.05, 0.12), rng.uniform(1700, 2500)
    count = int(rng.integers(2, 5))
    offs = [on] * (count - 1) + [rng.uniform(0.4, 0.9)]
    tone = tones.sines([hertz, 2 * hertz], [1, rng.uniform(0, 0.4)], on)
    return tones.cadence([tone] * (3 * count), offs * 3)


def beep_piezo(rng: np.random.Generator) -> Samples:
    """A disc that a pulse wave drives off its resonance, near 2 kHz."""
    hertz, on = rng.uniform(1100, 2400), rng.uniform(0.1, 0.45)
    tone = tones.resonated(tones.pulses(hertz, on, rng.uniform(0.3, 0.5)), hertz * rng.uniform(0.9, 1.2), 400)
    return _beeps(tone, rng, on * rng.uniform(0.7, 1.5))


def beep_pair(rng: np.random.Generator) -> Samples:
    """A dishwasher: stepped tones, the second a little higher, in pairs."""
    hertz, steps, on = rng.uniform(1000, 1900), int(rng.integers(2, 6)), rng.uniform(0.12, 0.3)
    pair = [tones.staircase(f, on, steps) for f in (hertz, hertz * rng.uniform(1.1, 1.3))]
    count = int(rng.integers(2, 4))
    return tones.cadence(pair * count, [rng.uniform(0.05, 0.12), rng.uniform(0.3, 0.6)] * count)
