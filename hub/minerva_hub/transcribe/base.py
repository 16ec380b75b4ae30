"""What a transcription engine is: the seam between the pipeline's workers and the recognisers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from minerva_hub.events import EngineInfo

RATE: Final = 16_000
MAX_SECONDS: Final = 120  # four times the longest segment that settings allow

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word, its times in seconds from the first sample, and the engine's confidence, 0 to 1."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said; `words` in order of time, empty together with `text` where nothing was.

    `encoder_frames`: how many frames of 10 ms the engine's encoder was given for it, padding included; 0 for
    engines that have none.
    """

    text: str
    words: tuple[TimedWord, ...]
    language: str
    encoder_frames: int = 0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The words of speech that goes on, without times; `encoder_frames` as in Transcript."""

    words: tuple[str, ...]
    encoder_frames: int = 0


class Transcriber(Protocol):
    """A loaded engine; one worker thread owns it."""

    def transcribe(self, pcm: Pcm) -> Transcript:
        """pcm: int16 (n,), 16 kHz mono, up to MAX_SECONDS. Blocks; the same samples give the same words.

        ValueError for other samples, EngineError when the engine failed on them.
        """
        ...

    def hypothesis(self, pcm: Pcm) -> Hypothesis:
        """As `transcribe`, of speech that goes on after the last sample: its words only, and quickly."""
        ...

    def close(self) -> None:
        """Free what the transcriber holds; a second call does nothing.

        Called from another thread while it works, it ends that work where it can.
        """
        ...


class Engine(Protocol):
    """A way to transcribe, chosen but not loaded."""

    @property
    def info(self) -> EngineInfo:
        """Name, model, and the reason of the choice."""
        ...

    def open(self) -> Transcriber:
        """Load it for one worker. Blocks; EngineUnavailableError says what it lacks."""
        ...


def checked(pcm: Pcm) -> Pcm:
    """The samples, contiguous; ValueError unless they are int16 (n,) of at most MAX_SECONDS."""
    if pcm.dtype != np.int16 or pcm.ndim != 1:
        raise ValueError(f"samples are {pcm.dtype} {pcm.shape}, expected int16 (n,)")
    if len(pcm) > MAX_SECONDS * RATE:
        raise ValueError(f"{len(pcm) / RATE:.1f} s of samples exceed the {MAX_SECONDS} s limit")
    return np.ascontiguousarray(pcm)


def sound_of(word: str) -> str:
    """A word without its case and marks, to compare what was said; marks alone stay as they are."""
    return "".join(letter for letter in word.casefold() if letter.isalnum()) or word
