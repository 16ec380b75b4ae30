"""People who talk: flite's voices, varied in size, pace and room; to train or to judge, never both."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
from scipy.signal import fftconvolve, resample_poly

from minerva_tools.material.noises import RATE, Samples, unit
from minerva_tools.render import speak

TRAIN_VOICES: Final = ("rms", "awb")
TEST_VOICES: Final = ("slt", "kal16")

_SHORT_TRAIN: Final = (
    "Yes.",
    "No.",
    "Hello?",
    "Come in.",
    "Not now.",
    "Stop it!",
    "Thank you.",
    "Where?",
    "Eight.",
    "Fish.",
)
_SHORT_TEST: Final = (
    "What?",
    "Six sixes.",
    "Oh well.",
    "Help!",
    "Four.",
    "Good night.",
    "Look out!",
    "Maybe.",
)
_LONG_TEST: Final = (
    "The train leaves at a quarter past eight, so we should hurry.",
    "I will put the kettle on.",
    "Fish and chips on Thursday.",
    "Somebody left the back door open again, and the cat is out.",
    "She sells sea shells on the shore.",
    "If you see him, tell him that the parcel has come.",
)


@cache
def texts(train: bool) -> tuple[str, ...]:
    """What is said: the conversations' lines to train, the bundled demo's and others to judge."""
    data = resources.files("minerva_tools") / "data"
    if train:
        files = sorted((data / "conversations").iterdir(), key=lambda entry: entry.name)
        lines = [line for file in files for line in file.read_text().splitlines()]
        return tuple(line[3:] for line in lines if line[1:3] == ": ") + _SHORT_TRAIN
    lines = (data / "demo" / "script.txt").read_text().splitlines()
    return tuple(line[3:] for line in lines if line[1:3] == ": ") + _LONG_TEST + _SHORT_TEST


@cache
def _said(text: str, voice: str) -> Samples:
    return speak(text, voice) / 32768


def say(rng: np.random.Generator, voices: Sequence[str], *, train: bool, vary: bool = True) -> Samples:
    """Something by somebody; RMS 1 while speaking. `vary`: another size and pace, perhaps a room."""
    choice = texts(train)
    sound = _said(choice[int(rng.integers(len(choice)))], voices[int(rng.integers(len(voices)))])
    if vary:
        sound = resample_poly(sound, 20, int(rng.integers(16, 27)))
        if rng.random() < 0.5:
            sound = in_a_room(sound, rng)
    level = frame_rms(sound)
    said: Samples = sound / np.sqrt(np.mean(level[level > 0.1 * level.max()] ** 2))
    return said


def in_a_room(sound: Samples, rng: np.random.Generator) -> Samples:
    """The sound with reverberation of 0.15 to 0.5 s, as somewhere across a room."""
    length = round(0.4 * RATE)
    decay = np.exp(-6.9 * np.arange(length) / RATE / rng.uniform(0.15, 0.5))
    impulse = rng.standard_normal(length) * decay
    impulse *= rng.uniform(0.2, 1.0) / np.sqrt(np.sum(impulse**2))
    impulse[0] += 1.0
    reverberant: Samples = fftconvolve(sound, impulse)
    return reverberant


def frame_rms(sound: Samples) -> Samples:
    """RMS of each whole 20 ms frame."""
    n = len(sound) // 320 * 320
    rms: Samples = np.sqrt(np.mean(sound[:n].reshape(-1, 320) ** 2, axis=1))
    return rms


def babble(n: int, rng: np.random.Generator, voices: Sequence[str], *, train: bool) -> Samples:
    """Eight people who talk at once."""
    out = np.zeros(n)
    for _ in range(8):
        at = 0
        while at < n:
            sound = say(rng, voices, train=train)
            if at == 0:  # they do not begin together
                sound = sound[int(rng.integers(len(sound))) :]
            part = out[at : at + len(sound)]
            part += sound[: len(part)]
            at += len(sound) + int(rng.uniform(0.05, 0.4) * RATE)
    return unit(out)
