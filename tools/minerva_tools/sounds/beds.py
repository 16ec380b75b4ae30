"""Speech, music, noise and quiet by chance, six seconds of each; and the rooms that sounds are heard in."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from minerva_tools.material import music, noises, voices
from minerva_tools.material.noises import RATE, Samples, shaped, unit
from minerva_tools.sounds import tones

SECONDS: Final = 6.0
_N: Final = round(SECONDS * RATE)


def _talk(rng: np.random.Generator, names: tuple[str, ...], train: bool) -> Samples:
    out = np.zeros(_N)
    at = int(rng.uniform(0, 0.5) * RATE)
    while at < _N:
        sound = voices.say(rng, names, train=train)
        part = out[at : at + len(sound)]
        part += sound[: len(part)]
        at += len(sound) + round(rng.uniform(0.2, 1.2) * RATE)
    return out


def speech_rms(rng: np.random.Generator) -> Samples:
    """The voice rms."""
    return _talk(rng, ("rms",), True)


def speech_awb(rng: np.random.Generator) -> Samples:
    """The voice awb."""
    return _talk(rng, ("awb",), True)


def speech_slt(rng: np.random.Generator) -> Samples:
    """The voice slt, other sentences."""
    return _talk(rng, ("slt",), False)


def speech_kal(rng: np.random.Generator) -> Samples:
    """The voice kal16, other sentences."""
    return _talk(rng, ("kal16",), False)


_VOWELS: Final = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (660, 1720, 2410),
)


def speech_formants(rng: np.random.Generator) -> Samples:
    """Nobody: a buzz and a hiss through formants that wander from vowel to vowel, in syllables."""
    pitch, size = tones.octaves(rng, 80, 320), rng.uniform(0.85, 1.25)
    out = np.zeros(_N)
    at = 0
    while at < _N:
        n = min(_N - at, round(rng.uniform(0.09, 0.28) * RATE))
        t = np.arange(n) / RATE
        if rng.random() < 0.22:
            low = rng.uniform(1800, 4500)
            hiss: Samples = sosfilt(
                butter(2, [low, 7500], "bandpass", fs=RATE, output="sos"), rng.standard_normal(n)
            )
            sound = 0.4 * unit(hiss)
        else:
            hertz = pitch * (1 + rng.uniform(-0.2, 0.25) + rng.uniform(-0.3, 0.2) * t)
            phase = np.cumsum(hertz) / RATE
            sound = np.diff(np.floor(phase), prepend=0.0) + 0.02 * rng.standard_normal(n)
            for formant in _VOWELS[int(rng.integers(len(_VOWELS)))]:
                centre = formant * size * rng.uniform(0.93, 1.07)
                radius = np.exp(-np.pi * rng.uniform(60, 160) / RATE)
                sound = lfilter([1.0], [1, -2 * radius * np.cos(2 * np.pi * centre / RATE), radius**2], sound)
            sound = unit(sound)
        out[at : at + n] = rng.uniform(0.5, 1) * tones.faded(sound, 0.02)
        at += n + (round(rng.uniform(0.2, 0.9) * RATE) if rng.random() < 0.15 else round(0.01 * RATE))
    return out


def _piece(rng: np.random.Generator, timbres: tuple[music.Timbre, ...]) -> Samples:
    beds = music.beds(timbres)
    names = sorted(beds)
    return beds[names[int(rng.integers(len(names)))]](_N, rng)


def music_known(rng: np.random.Generator) -> Samples:
    """A piece in training's instruments."""
    return _piece(rng, music.TRAIN_TIMBRES)


def music_any(rng: np.random.Generator) -> Samples:
    """A piece in instruments made up by chance."""
    return _piece(rng, music.ANY)


def music_unseen(rng: np.random.Generator) -> Samples:
    """A piece for plucked strings and bells by frequency modulation."""
    return _piece(rng, music.UNSEEN_TIMBRES)


def _brass(hertz: float, n: int, rng: np.random.Generator) -> Samples:
    phase = hertz * np.arange(n) / RATE + rng.random()
    saw = 2 * (phase % 1.0) - 1
    soft = butter(2, min(7000.0, hertz * rng.uniform(3, 7)), fs=RATE, output="sos")
    out: Samples = sosfilt(soft, saw)
    return tones.faded(out, 0.04)


def music_brass(rng: np.random.Generator) -> Samples:
    """A piece for saws through filters, as old synthesizers have them."""
    return _piece(rng, (_brass,))


def noise_known(rng: np.random.Generator) -> Samples:
    """One of the gate's training noises, or somebody who types."""
    names = sorted(noises.TRAIN)
    pick = int(rng.integers(len(names) + 1))
    return noises.typing(_N, rng) if pick == len(names) else noises.TRAIN[names[pick]](_N, rng)


def noise_room(rng: np.random.Generator) -> Samples:
    """Noise of any tilt whose level wanders."""
    t = np.arange(_N) / RATE
    waver = 1 + rng.uniform(0, 0.8) * np.sin(2 * np.pi * (rng.uniform(0.1, 3) * t + rng.random()))
    return unit(noises.room(_N, rng) * waver)


def noise_vacuum(rng: np.random.Generator) -> Samples:
    """A vacuum cleaner."""
    return noises.vacuum(_N, rng)


def noise_rain(rng: np.random.Generator) -> Samples:
    """Rain on a pane."""
    return noises.rain(_N, rng)


def noise_wind(rng: np.random.Generator) -> Samples:
    """Gusts: low noise whose level and brightness rise and fall."""
    gusts = np.abs(np.cumsum(shaped(_N, rng, lambda hertz: hertz**-1.0))) + 1e-3
    gusts = 0.3 + gusts / gusts.max()
    return unit(shaped(_N, rng, lambda hertz: hertz**-1.2) * gusts + 0.05 * noises.pink(_N, rng) * gusts**2)


def noise_water(rng: np.random.Generator) -> Samples:
    """A tap: hiss and bubbles that chirp upwards."""
    out = 0.8 * shaped(_N, rng, lambda hertz: np.exp(-(np.log(hertz / 2500) ** 2)))
    for at in rng.integers(0, _N - 1600, 120):
        t = np.arange(1600) / RATE
        hertz = rng.uniform(300, 1200)
        out[at : at + 1600] += (
            rng.uniform(0.1, 0.7) * np.sin(2 * np.pi * hertz * t * (1 + 3 * t)) * np.exp(-t / 0.015)
        )
    return unit(out)


def quiet_room(rng: np.random.Generator) -> Samples:
    """A room where nothing happens."""
    return noises.room(_N, rng)


def quiet_hum(rng: np.random.Generator) -> Samples:
    """Hardly anything, with a trace of mains hum."""
    return unit(noises.pink(_N, rng) + 0.5 * noises.hum(_N, rng))


def room_diffuse(sound: Samples, rng: np.random.Generator) -> Samples:
    """A tail of noise that dies away: training's rooms."""
    return voices.in_a_room(sound, rng)


def room_box(sound: Samples, rng: np.random.Generator) -> Samples:
    """A box by its mirror images, to the fourth order: the rooms to judge in."""
    size = rng.uniform([2.5, 2.5, 2.2], [7, 6, 3])
    source, ear = rng.uniform(0.15, 0.85, (2, 3)) * size
    kept = rng.uniform(0.55, 0.85)
    impulse = np.zeros(round(0.3 * RATE))
    orders = np.arange(-4, 5)
    for ix in orders:
        for iy in orders:
            for iz in orders:
                bounces = abs(ix) + abs(iy) + abs(iz)
                order = np.array([ix, iy, iz])
                image = order * size + np.where(order % 2 == 0, source, size - source)
                metres = float(np.linalg.norm(image - ear)) + 0.1
                at = round(metres / 343 * RATE)
                if at < len(impulse):
                    impulse[at] += kept**bounces / metres
    first = int(np.flatnonzero(impulse)[0])
    heard: Samples = fftconvolve(sound, impulse[first:])
    return unit(heard) * float(np.sqrt(np.mean(sound**2)))
