"""Scores of patches -> sound events: smoothed, begun by some patches, ended by a pause.

Every label has its own rule: a knock is over in a second, a carbon monoxide alarm is silent for five.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from minerva_hub.acoustic.base import PATCH_MS
from minerva_hub.acoustic.labels import LABELS

UNLESS_PATCHES: Final = 5  # this one and two seconds before
MAX_WINDOW: Final = 16  # patches: the longest that a rule may look back, 8 s


@dataclass(frozen=True, slots=True)
class Rule:
    """How scores of one label become an event.

    An event begins when `needed` of the last `window` smoothed scores are at least `on`; it ends when
    `hold` patches in a row are below `off`. `newest`: the share of the newest score in the smoothed one.
    `unless`: labels that make this one unlikely for UNLESS_PATCHES, since a plosive is much like a knock: a
    score counts for what their highest leaves of 1.
    """

    on: float = 0.5
    off: float = 0.3
    needed: int = 1
    window: int = 1
    hold: int = 2
    newest: float = 1.0
    unless: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.off <= self.on < 1:
            raise ValueError(f"thresholds off {self.off} and on {self.on}: 0 < off <= on < 1")
        if not 1 <= self.needed <= self.window <= MAX_WINDOW:
            raise ValueError(f"{self.needed} of {self.window} patches: 1 <= needed <= window <= {MAX_WINDOW}")
        if self.hold < 1:
            raise ValueError(f"hold is {self.hold} patches, at least 1 is needed")
        if not 0 < self.newest <= 1:
            raise ValueError(f"the newest score's share is {self.newest}: above 0, at most 1")
        if unknown := set(self.unless) - set(LABELS):
            raise ValueError(f"there is no label {', '.join(sorted(unknown))}")


RULES: Final[Mapping[str, Rule]] = {
    "smoke_alarm": Rule(on=0.38, off=0.2, needed=6, window=10, hold=6),
    "co_alarm": Rule(on=0.5, off=0.25, needed=1, window=2, hold=14, unless=("smoke_alarm",)),
    "doorbell": Rule(on=0.4, off=0.25, needed=2, window=2, hold=4, unless=("music", "hold_music", "speech")),
    "ringback": Rule(on=0.8, off=0.5, needed=2, window=3, hold=9),
    "busy": Rule(on=0.4, off=0.25, needed=4, window=6, hold=4),
    "dtmf_tone": Rule(on=0.7, off=0.4, needed=2, window=3, hold=4),
    "hold_music": Rule(on=0.9, off=0.54, needed=2, window=3, hold=6),
    "speech": Rule(on=0.8, off=0.5, needed=2, window=3, hold=3),
    "music": Rule(on=0.8, off=0.5, needed=3, window=4, hold=6),
    "knock": Rule(on=0.43, off=0.25, needed=2, window=2, hold=2, unless=("speech", "music", "hold_music")),
    "glass_break": Rule(on=0.7, off=0.42, hold=2),
    "appliance_beep": Rule(on=0.5, off=0.3, needed=2, window=3, hold=4, unless=("music",)),
    "noise": Rule(on=0.6, off=0.35, needed=3, window=4, hold=3, newest=0.5),
    "silence": Rule(on=0.85, off=0.5, needed=3, window=4, hold=3),
}


@dataclass(frozen=True, slots=True)
class SoundEvent:
    """A sound by name: `score` is its highest so far, 0 to 1; times are UTC.

    It is given when it begins, with what is known by then, and again, with the same start, when it has ended.
    """

    label: str
    score: float
    start_ms: int
    end_ms: int
    ended: bool


@dataclass(slots=True)
class _State:
    """One label in one stream."""

    rule: Rule
    smoothed: float = 0.0
    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=MAX_WINDOW))
    start_ms: int | None = None
    end_ms: int = 0
    score: float = 0.0
    below: int = 0


class Tracker:
    """The events of one stream."""

    def __init__(self, rules: Mapping[str, Rule] = RULES, *, sensitivity: float = 0.0) -> None:
        """`sensitivity` is added to each score's logit: above 0 more is heard, and more of it wrongly."""
        self._gain = float(np.exp(sensitivity))
        self._before: deque[dict[str, float]] = deque(maxlen=UNLESS_PATCHES)
        self._states = {
            label: _State(rules[label], recent=deque(maxlen=rules[label].window)) for label in LABELS
        }

    def feed(self, start_ms: int, scores: Sequence[float] | NDArray[np.floating[Any]]) -> list[SoundEvent]:
        """The scores of the patch from `start_ms` on, in the order of LABELS -> what begins or ends with it.

        ValueError for another number of scores. Patches come in their order, STEP_MS apart within a run.
        """
        if len(scores) != len(LABELS):
            raise ValueError(f"{len(scores)} scores, there are {len(LABELS)} labels")
        out = []
        self._before.append(dict(zip(LABELS, map(float, scores), strict=True)))
        for (label, state), score in zip(self._states.items(), scores, strict=True):
            against = (patch[other] for other in state.rule.unless for patch in self._before)
            left = 1.0 - max(against, default=0.0)
            event = self._one(label, state, start_ms, self._shifted(float(score) * left))
            if event is not None:
                out.append(event)
        return out

    def restart(self) -> list[SoundEvent]:
        """What comes next is not contiguous with what was: what went on has ended."""
        out = []
        for label, state in self._states.items():
            if state.start_ms is not None:
                out.append(SoundEvent(label, state.score, state.start_ms, state.end_ms, True))
            state.start_ms, state.below, state.smoothed = None, 0, 0.0
            state.recent.clear()
        self._before.clear()
        return out

    def _shifted(self, score: float) -> float:
        odds = score * self._gain
        return odds / (odds + 1 - score)

    def _one(self, label: str, state: _State, start_ms: int, score: float) -> SoundEvent | None:
        rule = state.rule
        state.smoothed += rule.newest * (score - state.smoothed) if state.recent else score - state.smoothed
        smoothed = state.smoothed
        state.recent.append((start_ms, smoothed))
        if state.start_ms is None:
            high = [(at, value) for at, value in state.recent if value >= rule.on]
            if len(high) < rule.needed or smoothed < rule.on:
                return None
            state.start_ms, state.score, state.below = high[0][0], max(value for _, value in high), 0
            state.end_ms = start_ms + PATCH_MS
            return SoundEvent(label, state.score, state.start_ms, state.end_ms, False)
        if smoothed >= rule.off:
            state.below, state.end_ms = 0, start_ms + PATCH_MS
            state.score = max(state.score, smoothed)
            return None
        state.below += 1
        if state.below < rule.hold:
            return None
        ended = SoundEvent(label, state.score, state.start_ms, state.end_ms, True)
        state.start_ms = None
        state.recent.clear()
        return ended
