"""When speech begins and ends: a state machine over the speech probabilities of successive windows.

    state   window is        then
    QUIET   loud             ONSET, Began
    QUIET   soft, long so    Lull (a good place to begin anew)
    ONSET   voiced enough    SPEECH
    ONSET   soft, hangover   QUIET, Dropped
    SPEECH  soft, hangover   Ended
    any     too long         Full

A window is loud from `threshold` on and soft below `release`; between them it goes on with what was. Ended,
Full and Lull end the run: the owner of the machine calls `restart` and begins again with window 0.
"""

from __future__ import annotations

from enum import Enum
from math import ceil
from typing import Final

from minerva_hub.config import SegmentConfig

WINDOW: Final = 512  # samples
RATE: Final = 16_000
WINDOW_MS: Final = 1000 * WINDOW // RATE

_LULL: Final = 3000 // WINDOW_MS  # windows without speech: a device without PSRAM can resend 5 s
_CALM: Final = 512 // WINDOW_MS  # the last windows of a lull, all soft, so that no onset is torn


class State(Enum):
    """Where the machine stands."""

    QUIET = "quiet"
    ONSET = "onset"
    SPEECH = "speech"


class Verdict(Enum):
    """What a window changed."""

    BEGAN = "began"
    DROPPED = "dropped"
    ENDED = "ended"
    FULL = "full"
    LULL = "lull"


class Segmenter:
    """The machine of one stream.

    `begin` is the index of the window that began the speech going on, `voiced_end` the index after its last
    window that was not soft, `longest` the number of windows after which speech is Full.
    """

    __slots__ = (
        "_hangover", "_min_voiced", "_release", "_soft", "_threshold", "_voiced", "_window",
        "_without", "begin", "longest", "state", "voiced_end",
    )  # fmt: skip

    def __init__(self, config: SegmentConfig) -> None:
        self._threshold = config.threshold
        self._release = config.release
        self._min_voiced = ceil(config.min_speech_ms / WINDOW_MS)
        self._hangover = ceil(config.hangover_ms / WINDOW_MS)
        # One window less, as the packet that holds the last window may go on beyond it; at least a second.
        self.longest = max(int(1000 * config.max_segment_s - config.pre_roll_ms) // WINDOW_MS, 32) - 1
        self.restart()

    def restart(self) -> None:
        """Begin a new run: the next window is number 0."""
        self.state = State.QUIET
        self.begin = 0
        self.voiced_end = 0
        self._window = 0
        self._voiced = 0
        self._soft = 0
        self._without = 0

    def push(self, probability: float) -> Verdict | None:
        """Take the next window's speech probability; what it changed, if anything."""
        window = self._window
        self._window = window + 1
        if probability < self._release:
            self._soft += 1
        else:
            self._soft = 0
        if self.state is State.QUIET:
            return self._quiet(window, probability)
        if self._soft == 0:
            self.voiced_end = window + 1
            self._voiced += 1
            if self._voiced >= self._min_voiced:
                self.state = State.SPEECH
        elif self._soft >= self._hangover:
            if self.state is State.SPEECH:
                return Verdict.ENDED
            self.state = State.QUIET
            self._without = 0
            return Verdict.DROPPED
        if window + 1 - self.begin >= self.longest:
            return Verdict.FULL
        return None

    def _quiet(self, window: int, probability: float) -> Verdict | None:
        if probability >= self._threshold:
            self.begin = window
            self.voiced_end = window + 1
            self._voiced = 1
            self.state = State.ONSET if self._min_voiced > 1 else State.SPEECH
            return Verdict.BEGAN
        self._without += 1
        if self._without >= _LULL and self._soft >= _CALM:
            self._without = 0
            return Verdict.LULL
        return None
