"""What is heard in a telephone: ringback, busy, dialled digits, music while one waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.signal import butter, sosfilt

from minerva_tools.material import music
from minerva_tools.material.noises import RATE, Samples, pink, unit
from minerva_tools.sounds import tones

_ROWS: Final = (697.0, 770.0, 852.0, 941.0)
_COLUMNS: Final = (1209.0, 1336.0, 1477.0, 1633.0)


def _on_the_line(sound: Samples, rng: np.random.Generator) -> Samples:
    hiss = pink(len(sound), rng) * float(np.abs(sound).max()) * 10 ** (rng.uniform(-60, -38) / 20)
    return tones.telephone(sound + hiss, rng)


def ringback_two(rng: np.random.Generator) -> Samples:
    """440 and 480 Hz, two seconds on, as in North America."""
    hertz, levels = [440 * rng.uniform(0.98, 1.02), 480 * rng.uniform(0.98, 1.02)], [1.0, rng.uniform(0.5, 1)]
    return _on_the_line(
        tones.cadence([tones.sines(hertz, levels, rng.uniform(1.7, 2.2))] * 2, [3.0, 1.0]), rng
    )


def ringback_one(rng: np.random.Generator) -> Samples:
    """One tone from 395 to 470 Hz, a second or more on, as in most of Europe."""
    tone = tones.sines([rng.uniform(395, 470)], [1.0], rng.uniform(1.0, 1.7))
    sound = tones.cadence([tone] * 2, [rng.uniform(2.5, 4), 1.0])
    return _on_the_line(sound, rng) if rng.random() < 0.7 else sound


def ringback_shaken(rng: np.random.Generator) -> Samples:
    """A tone whose loudness shakes 16 to 25 times a second, a second on, as in Japan."""
    hertz, shake_hz = rng.uniform(395, 430), rng.uniform(15, 25)
    seconds = rng.uniform(1.0, 1.4)
    shaking = 1 + rng.uniform(0.5, 0.95) * np.sin(2 * np.pi * shake_hz * tones.times(seconds))
    sound = tones.sines([hertz], [1.0], seconds) * shaking
    return _on_the_line(tones.cadence([sound] * 2, [2.0, 1.0]), rng)


def ringback_exchange(rng: np.random.Generator) -> Samples:
    """Resonators at 440 and 480, or at 425 Hz, overdriven a little, with the exchange's noise."""
    seconds = rng.uniform(1.2, 2.1)
    tone = (
        tones.oscillator(440, seconds) + tones.oscillator(480, seconds)
        if rng.random() < 0.5
        else tones.oscillator(425, seconds)
    )
    return _on_the_line(tones.cadence([np.tanh(rng.uniform(0.5, 2) * tone)] * 2, [3.0, 1.0]), rng)


def ringback_stairs(rng: np.random.Generator) -> Samples:
    """A tone near 425 Hz from a converter with a few steps: a small exchange in a house."""
    tone = tones.staircase(rng.uniform(400, 450), rng.uniform(1.0, 1.6), int(rng.integers(3, 9)))
    return _on_the_line(tones.cadence([tone] * 2, [rng.uniform(3, 4), 1.0]), rng)


def _busy(tone: Callable[[float], Samples], on: float, off: float, rng: np.random.Generator) -> Samples:
    count = round(rng.uniform(3.5, 5.5) / (on + off))
    return _on_the_line(tones.cadence([tone(on)] * count, [off] * count), rng)


def busy_two(rng: np.random.Generator) -> Samples:
    """480 and 620 Hz, half a second on and off, or twice as fast."""
    hertz = [480 * rng.uniform(0.98, 1.02), 620 * rng.uniform(0.98, 1.02)]
    levels = [1.0, rng.uniform(0.5, 1)]
    on = rng.uniform(0.22, 0.55)
    return _busy(lambda s: tones.sines(hertz, levels, s), on, on * rng.uniform(0.9, 1.1), rng)


def busy_one(rng: np.random.Generator) -> Samples:
    """One tone from 395 to 470 Hz, evenly on and off."""
    hertz, on = rng.uniform(395, 470), rng.uniform(0.2, 0.52)
    return _busy(lambda s: tones.sines([hertz], [1.0], s), on, on * rng.uniform(0.9, 1.1), rng)


def busy_exchange(rng: np.random.Generator) -> Samples:
    """Resonators at 480 and 620, or at 400 Hz with 0.375 s, overdriven a little."""
    drive = rng.uniform(0.5, 2)

    def american(seconds: float) -> Samples:
        return np.tanh(drive * (tones.oscillator(480, seconds) + tones.oscillator(620, seconds)))

    def british(seconds: float) -> Samples:
        tone: Samples = np.tanh(drive * tones.oscillator(400, seconds))
        return tone

    if rng.random() < 0.5:
        return _busy(american, 0.5 if rng.random() < 0.5 else 0.25, 0.5 if rng.random() < 0.5 else 0.25, rng)
    return _busy(british, 0.375, 0.375, rng)


def busy_stairs(rng: np.random.Generator) -> Samples:
    """A tone near 425 Hz from a converter with a few steps."""
    hertz, steps, on = rng.uniform(400, 450), int(rng.integers(3, 9)), rng.uniform(0.24, 0.5)
    return _busy(lambda s: tones.staircase(hertz, s, steps), on, on, rng)


def _digits(rng: np.random.Generator) -> list[tuple[float, float]]:
    count = int(rng.integers(5, 12))
    return [(_ROWS[int(rng.integers(4))], _COLUMNS[int(rng.integers(4))]) for _ in range(count)]


def dtmf_sines(rng: np.random.Generator) -> Samples:
    """Digits as two sines, dialled by a machine or a finger."""
    on, off = tones.octaves(rng, 0.06, 0.35), tones.octaves(rng, 0.05, 0.3)
    twist = rng.uniform(0.5, 1)
    keys = [tones.sines(pair, [twist, 1.0], on * rng.uniform(0.9, 1.1)) for pair in _digits(rng)]
    sound = tones.cadence(keys, [off * rng.uniform(0.8, 1.3) for _ in keys])
    return _on_the_line(sound, rng) if rng.random() < 0.7 else sound


def dtmf_stairs(rng: np.random.Generator) -> Samples:
    """Digits from two converters with a few steps, as old telephones' chips made them."""
    steps, on, off = int(rng.integers(2, 7)), rng.uniform(0.08, 0.3), rng.uniform(0.06, 0.25)
    keys = [tones.staircase(low, on, steps) + tones.staircase(high, on, steps) for low, high in _digits(rng)]
    return _on_the_line(tones.cadence(keys, [off] * len(keys)), rng)


def dtmf_resonators(rng: np.random.Generator) -> Samples:
    """Digits by resonators, pressed irregularly by somebody who looks the number up, overdriven."""
    drive = rng.uniform(0.3, 1.5)
    keys = []
    for low, high in _digits(rng):
        seconds = rng.uniform(0.1, 0.4)
        keys.append(np.tanh(drive * (tones.oscillator(low, seconds) + 0.8 * tones.oscillator(high, seconds))))
    return _on_the_line(tones.cadence(keys, list(rng.uniform(0.08, 0.35, len(keys)))), rng)


def _piece(rng: np.random.Generator, timbres: tuple[music.Timbre, ...], seconds: float) -> Samples:
    beds = music.beds(timbres)
    names = sorted(beds)
    return beds[names[int(rng.integers(len(names)))]](round(seconds * RATE), rng)


def hold_line(rng: np.random.Generator) -> Samples:
    """Music over a telephone line, in training's instruments."""
    return _on_the_line(_piece(rng, music.TRAIN_TIMBRES, 6.0), rng)


def hold_any(rng: np.random.Generator) -> Samples:
    """Music over a telephone line, in instruments made up by chance."""
    return _on_the_line(_piece(rng, music.ANY, 6.0), rng)


def hold_mobile(rng: np.random.Generator) -> Samples:
    """Other instruments over a mobile line: overdriven, coarse, with frames of 20 ms lost now and then."""
    piece = _piece(rng, music.UNSEEN_TIMBRES, 6.0)
    coarse = np.round(np.tanh(rng.uniform(0.3, 0.8) * unit(piece)) * 200) / 200
    frames = len(coarse) // 320
    kept = np.repeat(rng.random(frames) > rng.uniform(0, 0.02), 320)
    return tones.telephone(coarse[: len(kept)] * kept, rng, 250, 3300)


def hold_speaker(rng: np.random.Generator) -> Samples:
    """Other instruments over a line, heard through the loudspeaker of a telephone on the table."""
    narrow = tones.telephone(_piece(rng, music.UNSEEN_TIMBRES, 6.0), rng)
    speaker = butter(2, [rng.uniform(350, 600), 3600], "bandpass", fs=RATE, output="sos")
    out: Samples = sosfilt(speaker, np.tanh(unit(narrow)))
    return out
