"""Diarization: who speaks when in a segment, and which of a session's speakers that is."""

from minerva_hub.diarize.base import Assignment, Diarizer, SpeakerBook, Turn
from minerva_hub.diarize.choose import choose_diarizer

__all__ = ["Assignment", "Diarizer", "SpeakerBook", "Turn", "choose_diarizer"]
