"""The training corpus: patches of features with what they should be called, from the training list alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from minerva_hub.acoustic.labels import BACKGROUND, LABELS
from minerva_hub.audio.mel64 import log_mel, quantise
from numpy.typing import NDArray

from minerva_tools.material import alarms
from minerva_tools.material.noises import Samples
from minerva_tools.sounds import clips
from minerva_tools.sounds.families import TRAIN

PATCH: Final = 96
STEP: Final = 48
SEED: Final = 0x50D5
CLIPS: Final = 350  # of each label
MORE: Final = {
    "music": 3,
    "speech": 2,
    "noise": 2,
    "hold_music": 2,
    "knock": 2,
    "glass_break": 2,
}  # times as many

# Sounds of a house that are none of the labels: the network has to keep quiet about them.
OTHERS: Final[tuple[Callable[[np.random.Generator], Samples], ...]] = (alarms.ring, alarms.clap, alarms.siren)


@dataclass(frozen=True, slots=True)
class Corpus:
    """patches uint8 (n,96,64); wanted and counts float32 (n,14); which label's clip each is of (n,)."""

    patches: NDArray[np.uint8]
    wanted: NDArray[np.float32]
    counts: NDArray[np.float32]
    label: NDArray[np.int64]


def turn(number: int) -> str:
    """Whose turn a clip is: a label's, or "other"."""
    turns = [label for label in LABELS for _ in range(MORE.get(label, 1))] + ["other"]
    return turns[number % len(turns)]


def job(
    number: int, seed: int = SEED
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], int]:
    """The patches of one clip: labels take turns, so that any beginning of the corpus has all of them."""
    rng = np.random.default_rng([seed, number])
    label = turn(number)
    if label == "other":
        family = OTHERS[int(rng.integers(len(OTHERS)))]
        clip = clips.make("doorbell", family, "train", rng)
    else:
        choice = TRAIN[label]
        clip = clips.make(label, choice[int(rng.integers(len(choice)))], "train", rng)
    rows = quantise(log_mel(clip.pcm))
    begins = range(int(rng.integers(STEP)), len(rows) - PATCH + 1, STEP)
    told = [clips.truth(clip, begin, PATCH) for begin in begins]
    wanted, counts = np.stack([w for w, _ in told]), np.stack([c for _, c in told])
    if label == "other":
        sounding = wanted[:, LABELS.index("doorbell")] > 0
        wanted[:, LABELS.index("doorbell")] = 0
        for name in BACKGROUND:
            counts[sounding, LABELS.index(name)] = 0
    patches = np.stack([rows[begin : begin + PATCH] for begin in begins])
    return patches, wanted, counts, LABELS.index(label) if label in LABELS else len(LABELS)


def make(per_label: int = CLIPS, seed: int = SEED, workers: int = 2) -> Corpus:
    """All clips, in order; the same seed gives the same corpus whatever the workers."""
    count = per_label * (len(LABELS) + 1 + sum(times - 1 for times in MORE.values()))
    parts = list(_made(range(count), seed, workers))
    return Corpus(
        np.concatenate([p for p, _, _, _ in parts]),
        np.concatenate([w for _, w, _, _ in parts]),
        np.concatenate([c for _, _, c, _ in parts]),
        np.concatenate([np.full(len(p), label) for p, _, _, label in parts]),
    )


def _made(
    numbers: range, seed: int, workers: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], int]]:
    with ProcessPoolExecutor(workers) as pool:
        for done, part in enumerate(pool.map(partial(job, seed=seed), numbers, chunksize=16), 1):
            if done % 500 == 0:
                print(f"clip {done} of {len(numbers)}", file=sys.stderr, flush=True)
            yield part


def load_or_make(cache: Path | None, per_label: int, workers: int) -> Corpus:
    """The corpus from a file of an earlier run, or made and kept there."""
    if cache and cache.exists():
        kept = np.load(cache)
        return Corpus(kept["patches"], kept["wanted"], kept["counts"], kept["label"])
    corpus = make(per_label, workers=workers)
    if cache:
        np.savez(
            cache, patches=corpus.patches, wanted=corpus.wanted, counts=corpus.counts, label=corpus.label
        )
    return corpus
