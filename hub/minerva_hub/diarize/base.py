"""What diarization is: who speaks when in a segment, and which of a session's speakers that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from minerva_hub.events import EngineInfo

Pcm = NDArray[np.int16]
MULTIPLE: Final = "Multiple"  # three or more at once
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)
V_contra = TypeVar("V_contra", contravariant=True)


class Timed(Protocol):
    """Something said, with its times in seconds from the segment's first sample."""

    @property
    def start_s(self) -> float: ...  # noqa: D102 - described above

    @property
    def end_s(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Turn(Generic[V_co]):
    """A stretch of a segment by one speaker, seconds from its first sample; `voice` is the engine's own."""

    start_s: float
    end_s: float
    voice: V_co


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many speakers a session has: `least` and `most`, the same where the owner knows it."""

    least: int = 1
    most: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most <= 26:
            raise ValueError(f"{self.least} to {self.most} speakers: allowed are 1 to 26, the least first")


@dataclass(frozen=True, slots=True)
class Assignment:
    """Labels of the new keys, and of older keys whose label is another one now."""

    labels: Mapping[int, str]
    changed: Mapping[int, str] = field(default_factory=dict)


class SpeakerBook(Protocol[V_contra]):
    """The speakers of one session, in memory only; it dies with the session."""

    def add(self, voices: Sequence[tuple[int, V_contra, float]]) -> Assignment:
        """Label turns: (key, voice, duration_s) in order of time, keys unused so far (else ValueError)."""
        ...

    def bound(self, bounds: Bounds) -> None:
        """The owner says how many speakers there are."""
        ...

    def settle(self, before: Mapping[int, str] | None = None) -> dict[int, str]:
        """The session is over: the label of every key, clustered anew from all of it. Blocks.

        `before` has the labels that people changed meanwhile, or all of them; names that they gave survive.
        """
        ...


class Diarizer(Protocol[V]):
    """An engine; its voices may be given to books of its own only."""

    @property
    def info(self) -> EngineInfo:
        """Name, and the reason of the choice."""
        ...

    def split(self, pcm: Pcm, words: Sequence[Timed] = ()) -> list[Turn[V]]:
        """pcm: int16 (n,), 16 kHz mono, one segment; `words` as transcribed. Blocks; the same gives the same.

        The turns are in order of time, lie within the segment and fit tightly around what is heard; there is
        at least one where the segment has samples. Where people speak at once they overlap; a voice of None
        stands for three or more.
        """
        ...

    def open_book(self) -> SpeakerBook[V]:
        """A new session's memory of speakers."""
        ...


def label(number: int) -> str:
    """The name of a session's speaker, counted from 0: Speaker A to Speaker Z."""
    if not 0 <= number < 26:
        raise ValueError(f"speaker number {number}: there are 26 labels")
    return f"Speaker {chr(ord('A') + number)}"
