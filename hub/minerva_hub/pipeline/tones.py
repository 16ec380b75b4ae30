"""Tone in the pipeline: measured with the words, told once it is known whose utterance it is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from minerva_hub.errors import EngineError
from minerva_hub.events import Prosody, Tone
from minerva_hub.tone import EmotionReader, Reading, measure, tone_of
from minerva_hub.tone.prosody import VoiceFrames

MAX_KEPT: Final = (
    2048  # utterances of a session, half a megabyte: hours of talk; then the oldest are forgotten
)

_log = logging.getLogger(__name__)


class Sounding(msgspec.Struct, frozen=True):
    """How a stretch sounded; `why_none` says why there is no `reading`, where there is none."""

    prosody: Prosody
    reading: Reading | None
    why_none: str


class ToneMeter:
    """Listens to what one voice said; any thread may use it."""

    def __init__(self, reader: EmotionReader) -> None:
        self._reader = reader

    def listen(self, pcm: NDArray[np.int16], frames: VoiceFrames) -> Sounding | None:
        """pcm: int16 (n,), 16 kHz mono, with its frames; None where it is too soft or short to tell. Blocks.

        A model that fails costs the affect of this utterance, never its words.
        """
        prosody = measure(pcm, frames)
        if prosody is None:
            return None
        try:
            reading = self._reader.read(pcm)
        except EngineError as problem:
            _log.warning("tone: %s", problem)
            return Sounding(prosody, None, f"The emotion model failed: {problem}")
        why = "" if reading is not None else self._reader.info.reason
        return Sounding(prosody, reading, why)


class Tones:
    """What is known of how each speaker of one session sounds; dies with the session."""

    def __init__(self) -> None:
        self._heard: dict[int, tuple[str, Prosody]] = {}  # key -> speaker, prosody; in order of time

    def relabel(self, changed: Mapping[int, str]) -> None:
        """Utterances turned out to be by others."""
        for key, speaker in changed.items():
            if key in self._heard:
                self._heard[key] = (speaker, self._heard[key][1])

    def tone(self, key: int, speaker: str, sounding: Sounding | None) -> Tone | None:
        """The tone of a new utterance, against what the same speaker said before."""
        if sounding is None:
            return None
        self._heard[key] = (speaker, sounding.prosody)
        if len(self._heard) > MAX_KEPT:
            del self._heard[next(iter(self._heard))]
        said = [prosody for whose, prosody in self._heard.values() if whose == speaker]
        return tone_of(said, sounding.reading, sounding.why_none)
