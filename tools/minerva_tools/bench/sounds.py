"""Sounds: F1 of the labels, alarms that are missed, false alarms in ten hours, the network's size and time.

The network judged is Minerva's own, on generators, voices, rooms and backgrounds that it was not trained on
(`minerva_tools.sounds.families`), through the hub's own rules for events.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Final

import numpy as np
from minerva_hub.acoustic.base import STEP_MS, Batch
from minerva_hub.acoustic.labels import ALARMS, BACKGROUND, LABELS
from minerva_hub.acoustic.own import FILE, OwnEngine
from minerva_hub.acoustic.tracker import Tracker
from minerva_hub.models import shipped

from minerva_tools.material.voices import TEST_VOICES
from minerva_tools.measure import Result, at_least, at_most, figure
from minerva_tools.render import speak
from minerva_tools.sounds import judging

SEED: Final = 1
CLIPS: Final = 30  # of each label
ALARM_CLIPS: Final = 240
HOURS: Final = 10
MIN_F1: Final = 0.90
MIN_RECALL: Final = 0.98
MAX_FALSE: Final = 1.0  # an hour
MAX_BYTES: Final = 100_000
MAX_MS: Final = 1.5
ALARM_SNR_DB: Final = 5.0
SHORT: Final = frozenset(LABELS) - {
    "speech",
    "music",
    "hold_music",
    *BACKGROUND,
}  # what an event is shown for


def run(seed: int = SEED) -> Iterable[Result]:
    """Judge the network that ships; RenderError without flite, whose voices are part of the material."""
    speak("Now.", TEST_VOICES[0])
    path = shipped(FILE)
    engine = OwnEngine(path, "bench")
    yield at_most("file", path.stat().st_size, "bytes", MAX_BYTES, FILE)
    yield _speed(engine)
    yield from _labels(engine, seed)
    yield from _alarms(engine, seed)
    yield from _hours(engine, seed)


def _speed(engine: OwnEngine) -> Result:
    patches = np.random.default_rng(0).integers(0, 256, (50, 96, 64)).astype(np.uint8)
    engine.scores(Batch(patches))
    least = np.inf
    for _ in range(10):
        began = time.perf_counter()
        engine.scores(Batch(patches))
        least = min(least, time.perf_counter() - began)
    told = "least of ten times 50 patches, one thread, features not included"
    return at_most("patch", least / len(patches) * 1e3, "ms", MAX_MS, told)


def _labels(engine: OwnEngine, seed: int) -> Iterable[Result]:
    judged = []
    for item in judging.made(partial(judging.clip, seed=seed), CLIPS * len(LABELS)):
        judged.append((item.truth, judging.named(judging.scores(engine, item.rows))))
    counts = judging.count(judged)
    snrs = ", ".join(f"{snr:.0f}" for snr in judging.SNRS_DB)
    told = (
        f"{CLIPS} clips of each label, {snrs} dB over other backgrounds, rooms, levels by chance: "
        + ", ".join(
            f"{label} {one.f1:.2f} ({one.wrong} wrong, {one.missed} missed)" for label, one in counts.items()
        )
    )
    yield at_least("macro_f1", float(np.mean([one.f1 for one in counts.values()])), "", MIN_F1, told)


def _alarms(engine: OwnEngine, seed: int) -> Iterable[Result]:
    make = partial(judging.clip, seed=seed + 1_000_000, labels=ALARMS, snrs_db=(ALARM_SNR_DB,))
    named, heard, families = 0, 0, Counter[str]()
    for item in judging.made(make, ALARM_CLIPS):
        found = judging.named(judging.scores(engine, item.rows))
        named += item.truth <= found
        heard += bool(found & set(ALARMS))
        families[item.kind] += not item.truth <= found
    missed = ", ".join(f"{family} {count}" for family, count in families.items())
    told = f"{ALARM_CLIPS} alarms, two periods each, by their own name; missed of each family: {missed}"
    yield at_least("alarms_5dB", named / ALARM_CLIPS, "", MIN_RECALL, told)
    yield figure("any_alarm_5dB", heard / ALARM_CLIPS, "", "the same, by the name of either alarm")


def _hours(engine: OwnEngine, seed: int) -> Iterable[Result]:
    """One stream of ten hours, through one tracker without a restart."""
    tracker, at, wrong = Tracker(), 0, Counter[tuple[str, str]]()
    episodes = HOURS * 3600 // judging.EPISODE_S
    for number, item in enumerate(judging.made(partial(judging.episode, seed=seed), episodes)):
        if number % 60 == 0:
            print(f"sounds: hour {number // 60} of {HOURS}", file=sys.stderr, flush=True)
        for row in judging.scores(engine, item.rows):
            for event in tracker.feed(at, row):
                if not event.ended and event.label in SHORT:
                    wrong[event.label, item.kind] += 1
            at += STEP_MS
    alarms = sum(count for (label, _), count in wrong.items() if label in ALARMS)
    each = ", ".join(f"{label} in {kind} {count}" for (label, kind), count in sorted(wrong.items())) or "none"
    told = f"{HOURS} h in one stream, a minute each of {', '.join(judging.EPISODES)}"
    yield at_most("false_alarms", alarms / HOURS, "/h", MAX_FALSE, f"smoke and carbon monoxide; {told}")
    yield figure("false_events", wrong.total() / HOURS, "/h", f"all labels that are shown as sounds: {each}")
