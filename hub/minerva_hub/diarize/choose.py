"""Which engine tells speakers apart, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minerva_hub.config import DiarizeConfig
from minerva_hub.diarize.base import Assignment, Diarizer, Pcm, Timed, Turn, label
from minerva_hub.diarize.builtin import BuiltinDiarizer
from minerva_hub.events import EngineInfo


def choose_diarizer(config: DiarizeConfig) -> Diarizer[Any]:
    """The engine for these settings; loads nothing."""
    if config.engine == "off":
        return OneSpeaker()
    why = "Asked for in the settings" if config.engine == "builtin" else "No speaker model on disk"
    return BuiltinDiarizer(config.max_speakers, f"{why}: voices are told apart by pitch and timbre, roughly.")


class OneSpeaker:
    """Diarization switched off: everybody is Speaker A."""

    def __init__(self) -> None:
        self.info = EngineInfo(
            stage="diarize", name="off", state="off", reason="Switched off: everybody is Speaker A."
        )

    def split(self, pcm: Pcm, words: Sequence[Timed] = ()) -> list[Turn[None]]:
        """The whole segment as one turn."""
        return [Turn(0.0, len(pcm) / 16000, None)] if len(pcm) else []

    def open_book(self) -> OneSpeakerBook:
        """A book with one label."""
        return OneSpeakerBook()


class OneSpeakerBook:
    """Knows one speaker."""

    def add(self, voices: Sequence[tuple[int, None, float]]) -> Assignment:
        """Speaker A for every key."""
        return Assignment({key: label(0) for key, _, _ in voices})
