"""Events from scores, by tables; patches from streams, however they are cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.acoustic.base import PATCH_MS, STEP_MS
from minerva_hub.acoustic.labels import LABELS
from minerva_hub.acoustic.patches import Cutter
from minerva_hub.acoustic.tracker import RULES, Rule, SoundEvent, Tracker
from minerva_hub.audio.mel64 import log_mel, quantise
from minerva_hub.audio.mel_stream import MelStream

KNOCK = LABELS.index("knock")


def play(scores: list[float], rule: Rule, sensitivity: float = 0.0) -> list[SoundEvent]:
    """Scores of knock alone, one patch after another from time 0."""
    tracker = Tracker({**RULES, "knock": rule}, sensitivity=sensitivity)
    events = []
    for n, score in enumerate(scores):
        row = np.zeros(len(LABELS))
        row[KNOCK] = score
        events += tracker.feed(n * STEP_MS, row)
    return events


@pytest.mark.parametrize(
    ("rule", "scores", "told"),
    [
        # one patch is enough; off is lower than on; two below off end it
        (Rule(on=0.6, off=0.3), [0.5, 0.5], []),
        (Rule(on=0.6, off=0.3), [0.6], [(0, 0, False)]),
        (Rule(on=0.6, off=0.3), [0.7, 0.1, 0.1], [(0, 0, False), (0, 0, True)]),
        (Rule(on=0.6, off=0.3), [0.7, 0.1, 0.4, 0.1, 0.1], [(0, 0, False), (0, 2, True)]),
        (Rule(on=0.6, off=0.3), [0.7, 0.1, 0.29, 0.7], [(0, 0, False), (0, 0, True), (3, 3, False)]),
        # two of three; the first of them is the start; the newest has to be one of them
        (Rule(on=0.6, off=0.3, needed=2, window=3), [0.7, 0.1, 0.1, 0.7], []),
        (Rule(on=0.6, off=0.3, needed=2, window=3), [0.7, 0.1, 0.7], [(0, 2, False)]),
        (Rule(on=0.6, off=0.3, needed=2, window=3), [0.7, 0.1, 0.7, 0.1, 0.1], [(0, 2, False), (0, 2, True)]),
        # after an end the patches before it count no more
        (
            Rule(on=0.6, off=0.3, needed=2, window=3, hold=1),
            [0.7, 0.7, 0.1, 0.7],
            [(0, 1, False), (0, 1, True)],
        ),
        # smoothing: a single high score is not enough, several are
        (Rule(on=0.6, off=0.3, newest=0.5), [0.0, 1.0, 0.0], []),
        (Rule(on=0.6, off=0.3, newest=0.5), [0.0, 1.0, 1.0], [(2, 2, False)]),
        # the very first score is not held back by what was not there
        (Rule(on=0.6, off=0.3, newest=0.5), [0.7], [(0, 0, False)]),
    ],
)
def test_thresholds_and_hysteresis(
    rule: Rule, scores: list[float], told: list[tuple[int, int, bool]]
) -> None:
    assert [
        (e.start_ms // STEP_MS, (e.end_ms - PATCH_MS) // STEP_MS, e.ended) for e in play(scores, rule)
    ] == told


def test_the_score_is_the_highest() -> None:
    began, ended = play([0.7, 0.95, 0.8, 0.0, 0.0], Rule(on=0.6, off=0.3))
    assert (began.score, ended.score) == (pytest.approx(0.7), pytest.approx(0.95))
    assert began.start_ms == ended.start_ms


@pytest.mark.parametrize(("sensitivity", "heard"), [(-1.0, 0), (0.0, 0), (1.0, 1)])
def test_sensitivity_moves_the_threshold(sensitivity: float, heard: int) -> None:
    assert len(play([0.5], Rule(on=0.6, off=0.3), sensitivity)) == heard


def test_what_is_much_like_something_else_counts_less_beside_it() -> None:
    rule = Rule(on=0.6, off=0.3, unless=("speech",))
    speech = LABELS.index("speech")

    def heard(knock: list[float], spoken: list[float]) -> list[int]:
        tracker = Tracker({**RULES, "knock": rule})
        begun = []
        for n, (one, other) in enumerate(zip(knock, spoken, strict=True)):
            row = np.zeros(len(LABELS))
            row[KNOCK], row[speech] = one, other
            found = tracker.feed(n * STEP_MS, row)
            begun += [n for e in found if e.label == "knock" and not e.ended]
        return begun

    assert heard([0.9, 0.0], [0.0, 0.9]) == [0]
    assert heard([0.9, 0.0], [0.4, 0.0]) == []
    assert heard([0.0, 0.9, 0.0], [0.9, 0.0, 0.0]) == []
    assert heard([0.0] * 4 + [0.9], [0.9] + [0.0] * 4) == []
    assert heard([0.0] * 5 + [0.9], [0.9] + [0.0] * 5) == [5]


def test_a_gap_ends_what_went_on_and_forgets_the_rest() -> None:
    tracker = Tracker({**RULES, "knock": Rule(on=0.6, off=0.3, needed=2, window=2)})
    row = np.zeros(len(LABELS))
    row[KNOCK] = 0.9
    assert tracker.feed(0, row) == []
    assert tracker.restart() == []
    assert tracker.feed(10_000, row) == []
    (began,) = tracker.feed(10_000 + STEP_MS, row)
    assert began.start_ms == 10_000
    (ended,) = tracker.restart()
    assert ended == replace(began, ended=True)
    assert tracker.restart() == []


def test_scores_for_other_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=f"3 scores, there are {len(LABELS)} labels"):
        Tracker().feed(0, [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    "wrong",
    [
        {"on": 0.3, "off": 0.5},
        {"on": 1.0},
        {"off": 0.0},
        {"needed": 0},
        {"needed": 3, "window": 2},
        {"needed": 1, "window": 99},
        {"hold": 0},
        {"newest": 0.0},
        {"newest": 1.5},
        {"unless": ("bark",)},
    ],
)
def test_rules_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Rule(**wrong)  # type: ignore[arg-type]


def test_every_label_has_a_rule() -> None:
    assert tuple(RULES) == LABELS


def _noise(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(5)
    return (rng.standard_normal(round(seconds * 16_000)) * 3000).astype(np.int16)


@given(st.lists(st.integers(0, 9000), max_size=12))
def test_patches_do_not_depend_on_how_the_sound_comes(sizes: list[int]) -> None:
    pcm = _noise(2.5)
    cutter, mel = Cutter(), MelStream()
    cutter.restart(1000)
    found, at = [], 0
    for size in [*sizes, len(pcm)]:
        part = pcm[at : at + size]
        found += list(cutter.feed(mel.feed(part), part))
        at += size
    rows = quantise(log_mel(pcm))
    assert [p.start_ms for p in found] == [1000 + n * STEP_MS for n in range(len(found))]
    assert len(found) == (len(rows) - 96) // 48 + 1
    for n, patch in enumerate(found):
        assert np.array_equal(patch.rows, rows[48 * n : 48 * n + 96])
        assert patch.samples is not None
        assert np.array_equal(patch.samples, pcm[48 * 160 * n :][:15_600])


def test_a_restart_forgets_what_was_not_whole() -> None:
    rows = quantise(log_mel(_noise(2.0)))
    cutter = Cutter()
    assert list(cutter.feed(rows[:95])) == []
    cutter.restart(50)
    assert list(cutter.feed(rows[:95])) == []
    (patch,) = cutter.feed(rows[95:96])
    assert patch.start_ms == 50
    assert patch.samples is None
