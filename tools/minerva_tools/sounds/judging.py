"""What the sound engines are judged on: clips of each label, alarms over noise, hours without any alarm.

All of it is of the held-out list. Features are made in other processes; the engine and its events run here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import numpy as np
from minerva_hub.acoustic.base import MAX_BATCH, PATCH_HOPS, STEP_HOPS, STEP_MS, Batch, Patches, SoundEngine
from minerva_hub.acoustic.labels import BACKGROUND, LABELS
from minerva_hub.acoustic.tracker import RULES, Rule, Tracker
from minerva_hub.audio.mel64 import log_mel, quantise

from minerva_tools.material.noises import RATE, unit
from minerva_tools.material.scenes import gain, to_pcm
from minerva_tools.sounds import clips
from minerva_tools.sounds.families import HELD

SEED: Final = 0x50C5
SNRS_DB: Final = (20.0, 10.0, 5.0)
EPISODE_S: Final = 60
IN_FLIGHT: Final = 32  # clips or episodes that are made ahead: some 12 MB of features
EPISODES: Final = ("speech", "music", "noise", "speech over noise", "music over noise", "speech over music")

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Heard:
    """Features of a recording (hops, 64), and what is in it: labels, of which some may also be heard."""

    kind: str
    rows: Patches
    truth: frozenset[str]


def clip(number: int, seed: int, labels: Sequence[str] = LABELS, snrs_db: Sequence[float] = SNRS_DB) -> Heard:
    """One clip: labels, families and ratios take turns."""
    rng = np.random.default_rng([SEED, seed, number])
    label = labels[number % len(labels)]
    turn = number // len(labels)
    family = HELD[label][turn % len(HELD[label])]
    made = clips.make(label, family, "held", rng, snrs_db[turn // len(HELD[label]) % len(snrs_db)])
    return Heard(f"{label} {made.family}", quantise(log_mel(made.pcm)), frozenset({label}))


def episode(number: int, seed: int) -> Heard:
    """A minute of speech, music or noise, or two of them, at a level by chance."""
    rng = np.random.default_rng([SEED, 7, seed, number])
    kind = EPISODES[number % len(EPISODES)]
    parts = kind.split(" over ")
    n = EPISODE_S * RATE
    level_db = rng.uniform(-45, -18)
    out = np.zeros(n)
    for turn, label in enumerate(parts):
        choice = HELD[label]
        family = choice[int(rng.integers(len(choice)))]
        sound = np.concatenate([family(rng) for _ in range(-(-n // (6 * RATE)))])[:n]
        out += unit(sound) * gain(level_db - turn * rng.uniform(5, 20))
    floor = HELD["silence"][0](rng)
    out += np.resize(floor, n) * gain(rng.uniform(-85, -70))
    return Heard(kind, quantise(log_mel(to_pcm(out))), frozenset(parts))


def made(what: partial[Heard], count: int, workers: int = 2) -> Iterator[Heard]:
    """The items 0 to count - 1 in order, made by processes that are never far ahead."""
    with ProcessPoolExecutor(workers) as pool:
        for first in range(0, count, IN_FLIGHT):
            yield from pool.map(what, range(first, min(first + IN_FLIGHT, count)))


def patches(rows: Patches) -> Patches:
    """Features (hops, 64) -> (n, 96, 64), overlapping by half."""
    if len(rows) < PATCH_HOPS:
        return np.zeros((0, PATCH_HOPS, rows.shape[1]), np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(rows, PATCH_HOPS, axis=0)[::STEP_HOPS]
    return np.ascontiguousarray(windows.transpose(0, 2, 1))


def batches(items: Patches) -> Iterator[Patches]:
    """In the sizes that an engine takes."""
    several = iter(range(0, len(items), MAX_BATCH))
    yield from (items[at : at + MAX_BATCH] for at in several)


def scores(engine: SoundEngine, rows: Patches) -> np.ndarray:
    """Features (hops, 64) -> scores (n, labels)."""
    found = [engine.scores(Batch(part)) for part in batches(patches(rows))]
    return np.concatenate(found) if found else np.zeros((0, len(LABELS)), np.float32)


def named(given: np.ndarray, rules: Mapping[str, Rule] = RULES) -> frozenset[str]:
    """The labels of a clip's events; noise and silence only where there is nothing else."""
    tracker = Tracker(rules)
    events = {e.label for n, row in enumerate(given) for e in tracker.feed(n * STEP_MS, row)}
    return frozenset(events - set(BACKGROUND) or events)


@dataclass(slots=True)
class Counts:
    """Of one label: heard rightly, wrongly, and missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def f1(self) -> float:
        """0 to 1; 0 where there was nothing to hear."""
        whole = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / whole if whole else 0.0


def count(judged: Sequence[tuple[frozenset[str], frozenset[str]]]) -> dict[str, Counts]:
    """(truth, named) of clips -> counts by label."""
    out: dict[str, Counts] = {label: Counts() for label in LABELS}
    for truth, found in judged:
        for label in truth & found:
            out[label].right += 1
        for label in found - truth:
            out[label].wrong += 1
        for label in truth - found:
            out[label].missed += 1
    return out
