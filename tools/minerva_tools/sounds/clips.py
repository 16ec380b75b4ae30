"""A sound in a room, with the truth about it: when it sounds, over which background, at which level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from minerva_hub.acoustic.labels import BACKGROUND, LABELS
from numpy.typing import NDArray

from minerva_tools.material.noises import RATE, Samples, unit
from minerva_tools.material.scenes import gain, to_pcm
from minerva_tools.sounds.families import ROOMS, Family, Which, families

HOP: Final = 160
SHORTEST: Final = 5 * RATE // 2
SILENCE_DBFS: Final = (-92.0, -70.0)
NOISE_DBFS: Final = (-58.0, -16.0)
SOUND_DBFS: Final = (-42.0, -12.0)

# How many of a patch's 96 hops must sound for the label to be expected; with fewer, but some, nothing is.
NEEDED: Final = {
    "smoke_alarm": 30,
    "co_alarm": 20,
    "doorbell": 30,
    "ringback": 40,
    "busy": 36,
    "dtmf_tone": 16,
    "hold_music": 50,
    "speech": 25,
    "music": 50,
    "knock": 6,
    "glass_break": 12,
    "appliance_beep": 14,
}

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Clip:
    """pcm int16 (n,); `sounding` (n // 160,): hops in which the label's sound can be heard."""

    label: str
    family: str
    pcm: NDArray[np.int16]
    sounding: Flags
    background: str  # what the rest is: noise, silence, or "" where that is not clear


def hop_db(sound: Samples) -> Samples:
    """The level of each hop of 10 ms, dBFS."""
    n = len(sound) // HOP
    power = np.mean(sound[: n * HOP].reshape(n, HOP) ** 2, axis=1)
    level: Samples = 10 * np.log10(power + 1e-12)
    return level


def make(
    label: str, family: Family, which: Which, rng: np.random.Generator, snr_db: float | None = None
) -> Clip:
    """A sound of that label over a background of its list, `snr_db` above it (None: by chance).

    The ratio is the RMS of the hops within 15 dB of the loudest over the RMS of the background.
    """
    if label == "silence":
        return _steady(label, family, rng.uniform(*SILENCE_DBFS), rng)
    if label == "noise":
        return _steady(label, family, rng.uniform(*NOISE_DBFS), rng)
    sound = family(rng)
    if rng.random() < 0.6:
        rooms = ROOMS[which]
        sound = rooms[int(rng.integers(len(rooms)))](sound, rng)
    before, after = (round(rng.uniform(low, high) * RATE) for low, high in ((0.1, 1.2), (0.3, 1.0)))
    after = max(after, SHORTEST - before - len(sound))
    sound = np.concatenate([np.zeros(before), sound, np.zeros(after)])
    level = hop_db(sound)
    loud = level > level.max() - 15
    sound_db = rng.uniform(*SOUND_DBFS)
    sound = sound * gain(sound_db - 10 * np.log10(np.mean(10 ** (level[loud] / 10))))
    if snr_db is None:
        snr_db = rng.uniform(3, 45)
    behind_db = max(sound_db - snr_db, -92.0)
    choice = families(which)["noise"]
    behind = choice[int(rng.integers(len(choice)))](rng)
    behind = np.resize(behind, len(sound)) * gain(behind_db)
    heard = hop_db(sound)
    sounding = heard > max(heard.max() - 25, behind_db - 5)
    quiet = behind_db <= SILENCE_DBFS[1]
    background = "silence" if quiet else "noise" if behind_db >= NOISE_DBFS[0] else ""
    return Clip(label, family.__name__, to_pcm(sound + behind), sounding, background)


def _steady(label: str, family: Family, level_db: float, rng: np.random.Generator) -> Clip:
    sound = unit(family(rng)) * gain(level_db)
    return Clip(label, family.__name__, to_pcm(sound), np.zeros(len(sound) // HOP, bool), label)


def truth(clip: Clip, begin: int, hops: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a patch from hop `begin` on should be called: (labels,) of 0 and 1, and whether each counts."""
    wanted, counts = np.zeros(len(LABELS), np.float32), np.ones(len(LABELS), np.float32)
    sounding = int(clip.sounding[begin : begin + hops].sum())
    if sounding == 0:
        for label in BACKGROUND:
            if clip.background == label:
                wanted[LABELS.index(label)] = 1
            elif not clip.background:
                counts[LABELS.index(label)] = 0
    elif sounding >= NEEDED[clip.label]:
        wanted[LABELS.index(clip.label)] = 1
    else:
        for label in (clip.label, *BACKGROUND):
            counts[LABELS.index(label)] = 0
    return wanted, counts
