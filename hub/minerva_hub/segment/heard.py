"""What an ear tells: speech began, a segment ended, how far a stream is settled. Times are UTC in ms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]


class Packet(NamedTuple):
    """A packet in an ear: int16 (n,) at 16 kHz, the time of its first sample, the gate's flags."""

    pcm: Samples
    start_ms: int
    seq: int
    begins: bool
    ends: bool


class Elsewhere(NamedTuple):
    """A packet of the stream that holds no audio, in an ear: how many samples long it lasts."""

    size: int
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A stretch that was judged to be speech, with its pre-roll; it ends with packet `last_seq`."""

    pcm: Samples
    start_ms: int
    end_ms: int
    last_seq: int


@dataclass(frozen=True, slots=True, eq=False)
class SoFar:
    """The sound of speech that goes on, with its pre-roll, up to the newest packet; int16 (n,).

    `certain`: the segment that it becomes will hold all of it; else it may be cut before its end.
    """

    pcm: Samples
    end_ms: int
    certain: bool


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Somebody seems to speak; a SegmentEnded or a SpeechDropped follows."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechDropped:
    """What began was too short to be speech."""


@dataclass(frozen=True, slots=True)
class SegmentEnded:
    """A segment is complete. Once it is stored, everything up to `segment.last_seq` is settled."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Settled:
    """Up to and including packet `seq` there is no speech beyond the segments told before."""

    seq: int


EarEvent = SpeechBegan | SpeechDropped | SegmentEnded | Settled
