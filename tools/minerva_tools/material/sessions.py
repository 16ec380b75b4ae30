"""Conversations of two to four voices with the truth about who speaks when, clean or with noise, by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from minerva_tools.material import noises, speakers
from minerva_tools.material.noises import RATE, Samples
from minerva_tools.material.scenes import gain, to_pcm
from minerva_tools.material.voices import in_a_room, texts

CLEAN_DB: Final = 60.0  # of signal to noise: no microphone hears less than its own noise
SPEECH_DBFS: Final = -30.0
TURNS: Final = (14, 24)
PAUSE_S: Final = (0.2, 1.3)  # between turns: below and above the segmenter's hangover
SILENCE_S: Final = 0.3  # inside a turn, from which on it is two stretches
EVIDENCE_S: Final = 4.0  # of speech, and EVIDENCE_TURNS, that each voice has at least
EVIDENCE_TURNS: Final = 3
HOP: Final = RATE // 100
LEAD_S: Final = 1.0

Stretch = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class Talk:
    """pcm int16 (n,) 16 kHz; `stretches` of speech (start_s, end_s, voice) in order of time; its voices."""

    pcm: NDArray[np.int16]
    stretches: tuple[Stretch, ...]
    voices: tuple[str, ...]


def draw(rng: np.random.Generator, pool: Sequence[str], count: int) -> tuple[str, ...]:
    """`count` different voices by chance, of both engines where the pool has both."""
    engines = {voice.partition("/")[0] for voice in pool}
    while True:
        chosen = tuple(str(v) for v in rng.choice(list(pool), count, replace=False))
        if count < len(engines) or {voice.partition("/")[0] for voice in chosen} == engines:
            return chosen


def talk(
    rng: np.random.Generator,
    voices: Sequence[str],
    *,
    snr_db: float | None,
    train: bool,
    room: bool = False,
) -> Talk:
    """A conversation; `snr_db` None is clean; `train` chooses what is said, `room` adds reverberation."""
    said = _script(rng, voices, train)
    at = round(LEAD_S * RATE)
    parts: list[tuple[int, Samples]] = []
    stretches: list[Stretch] = []
    own_db = {voice: rng.uniform(-3, 3) for voice in voices}  # they sit at different places
    for voice, sound in said:
        sound = level(sound) * gain(SPEECH_DBFS + own_db[voice] + rng.uniform(-1.5, 1.5))
        stretches += [(start, end, voice) for start, end in heard(sound, at / RATE)]
        parts.append((at, sound))
        at += len(sound) + round(rng.uniform(*PAUSE_S) * RATE)
    out: Samples = np.zeros(at + round(1.5 * RATE))
    for start, sound in parts:
        out[start : start + len(sound)] += sound
    if room:
        out = in_a_room(out, rng)
    out += noises.room(len(out), rng) * gain(SPEECH_DBFS - (CLEAN_DB if snr_db is None else snr_db))
    return Talk(to_pcm(out), tuple(stretches), tuple(voices))


def _script(rng: np.random.Generator, voices: Sequence[str], train: bool) -> list[tuple[str, Samples]]:
    """Who says what: every voice with enough to be told from the others; seldom one twice in a row."""
    choice = texts(train)
    while True:
        turns = int(rng.integers(*TURNS, endpoint=True))
        order: list[str] = []
        while len(order) < turns:
            voice = str(rng.choice(list(voices)))
            if not order or voice != order[-1] or rng.random() < 0.2:
                order.append(voice)
        if min(order.count(voice) for voice in voices) < EVIDENCE_TURNS:
            continue
        said = []
        for voice in order:
            lines = [choice[int(rng.integers(len(choice)))] for _ in range(1 + int(rng.random() < 0.35))]
            said.append((voice, _spoken(voice, " ".join(lines), round(rng.uniform(0.94, 1.1), 2))))
        if all(sum(len(s) for v, s in said if v == voice) >= EVIDENCE_S * RATE for voice in voices):
            return said


@cache
def _spoken(voice: str, text: str, stretch: float) -> Samples:
    return speakers.spoken(voice, text, stretch=stretch)


def level(sound: Samples) -> Samples:
    """The sound at RMS 1 while it is heard."""
    active = np.abs(sound) > 0.02 * np.abs(sound).max()
    return np.asarray(sound / np.sqrt(np.mean(sound[active] ** 2)))


def heard(sound: Samples, start_s: float) -> list[tuple[float, float]]:
    """Stretches of sound within 32 dB of the level of speech, parted by silences of SILENCE_S or more."""
    frames = sound[: len(sound) // HOP * HOP].reshape(-1, HOP)
    rms = np.sqrt(np.mean(frames**2, axis=1))
    active = np.sqrt(np.mean(sound[np.abs(sound) > 0.02 * np.abs(sound).max()] ** 2))
    found: list[tuple[float, float]] = []
    for index in np.flatnonzero(rms > active * gain(-32)).tolist():
        begin_s = start_s + index / 100
        if found and begin_s - found[-1][1] < SILENCE_S:
            found[-1] = (found[-1][0], begin_s + 0.01)
        else:
            found.append((begin_s, begin_s + 0.01))
    return found
