"""What the hub and the offline recogniser's process say to each other.

Requests: a little-endian u32 count of bytes, then that many bytes of pcm (s16le, 16 kHz mono). Answers: a u32
count, then JSON of `Answer`. The first answer, empty and unasked, says that the model is loaded.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from minerva_hub.transcribe.base import MAX_SECONDS, RATE

HEADER: Final = struct.Struct("<I")
MAX_REQUEST: Final = MAX_SECONDS * RATE * 2
MAX_ANSWER: Final = 1 << 20  # words of MAX_SECONDS of speech are some 50 kB


class Heard(msgspec.Struct, frozen=True):
    """A word as the recogniser writes it; times in seconds from the first sample of the request."""

    text: str
    start_s: float
    end_s: float
    probability: float


class Answer(msgspec.Struct, frozen=True):
    """What was heard, or what went wrong."""

    words: tuple[Heard, ...] = ()
    error: str | None = None
