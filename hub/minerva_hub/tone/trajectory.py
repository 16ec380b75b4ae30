"""A speaker's tone against their own baseline: what is unusual for them now, and where it is going.

Nothing here compares people with each other, and nothing says what somebody means or whether it is true:
louder, faster, higher than this person was a moment ago is all that prosody shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from statistics import median
from typing import Final

import numpy as np

from minerva_hub.events import Prosody, Shift, ToneFlag

BASELINE: Final = 3  # utterances that make a speaker's baseline
WINDOW: Final = 5  # utterances that make a trajectory

# One unit of arousal each: what people do when they mean to be heard or begin to get upset is a few of them.
LEVEL_DB: Final = 6.0
PITCH_ST: Final = 3.0
RANGE_ST: Final = 4.0
RATE_SHARE: Final = 0.35
SHIFT: Final = 0.75  # of change over the window that counts as going somewhere
FULL_SHIFT: Final = 2.0  # of change that is told as 1.0

LOUDER_DB: Final = 4.0
HIGHER_ST: Final = 2.0
FASTER_SHARE: Final = 0.2
FLAT_ST: Final = 2.5
FLAT_SHARE: Final = 0.6
HESITANT_SHARE: Final = 0.35
HESITANT_MORE: Final = 0.15


class Relative:
    """How the last of a speaker's utterances compares with the first ones; `known` once there is a baseline.

    `arousal_delta` is in units of about one clear step (6 dB, 3 semitones, a third faster), 0: as usual.
    """

    def __init__(self, said: Sequence[Prosody]) -> None:
        """`said`: a speaker's utterances in order of time, the one to judge last; ValueError without any."""
        if not said:
            raise ValueError("the trajectory of no utterance")
        self.known = len(said) > BASELINE
        self.flags: tuple[ToneFlag, ...] = ()
        self.arousal_delta = 0.0
        self.shift: Shift = "stable"
        self.magnitude = 0.0
        if not self.known:
            return
        usual = _Usual(said[:BASELINE])
        deltas = [usual.arousal(one) for one in said[-WINDOW:]]
        self.arousal_delta = round(deltas[-1], 3)
        self.flags = usual.flags(said[-1])
        change = float(np.polyfit(np.arange(len(deltas)), deltas, 1)[0]) * (len(deltas) - 1)
        if abs(change) >= SHIFT:
            self.shift = "escalating" if change > 0 else "de-escalating"
        self.magnitude = round(min(1.0, abs(change) / FULL_SHIFT), 3)


class _Usual:
    """The middle of a speaker's first utterances."""

    def __init__(self, first: Sequence[Prosody]) -> None:
        self.level_db = median(one.level_db for one in first)
        self.rate_hz = median(one.rate_hz for one in first)
        self.pause_share = median(one.pause_share for one in first)
        pitches = [one.pitch_hz for one in first if one.pitch_hz is not None]
        ranges = [one.pitch_range_st for one in first if one.pitch_range_st is not None]
        self.pitch_hz = median(pitches) if pitches else None
        self.range_st = median(ranges) if ranges else None

    def higher_st(self, one: Prosody) -> float:
        """Semitones above the usual pitch; 0 where either is not known."""
        if one.pitch_hz is None or self.pitch_hz is None:
            return 0.0
        return 12 * log2(one.pitch_hz / self.pitch_hz)

    def wider_st(self, one: Prosody) -> float:
        if one.pitch_range_st is None or self.range_st is None:
            return 0.0
        return one.pitch_range_st - self.range_st

    def arousal(self, one: Prosody) -> float:
        """The mean of what rose, each in its unit, none counting for more than three."""
        steps = (
            (one.level_db - self.level_db) / LEVEL_DB,
            self.higher_st(one) / PITCH_ST,
            self.wider_st(one) / RANGE_ST,
            (one.rate_hz / self.rate_hz - 1) / RATE_SHARE,
        )
        return sum(min(3.0, max(-3.0, step)) for step in steps) / len(steps)

    def flags(self, one: Prosody) -> tuple[ToneFlag, ...]:
        """What a listener would notice, the clearest kinds first."""
        found: list[ToneFlag] = []
        louder_db = one.level_db - self.level_db
        if abs(louder_db) >= LOUDER_DB:
            found.append("louder" if louder_db > 0 else "quieter")
        faster = one.rate_hz / self.rate_hz - 1
        if abs(faster) >= FASTER_SHARE:
            found.append("faster" if faster > 0 else "slower")
        higher_st = self.higher_st(one)
        if abs(higher_st) >= HIGHER_ST:
            found.append("higher" if higher_st > 0 else "lower")
        narrow = one.pitch_range_st is not None and self.range_st is not None
        if narrow and one.pitch_range_st < min(FLAT_ST, FLAT_SHARE * self.range_st):  # type: ignore[operator]
            found.append("flat")
        if one.pause_share >= max(HESITANT_SHARE, self.pause_share + HESITANT_MORE):
            found.append("hesitant")
        return tuple(found)
