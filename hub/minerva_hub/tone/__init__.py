"""The tone of an utterance: prosody against the speaker's own baseline, and affect where a model tells it."""

from minerva_hub.tone.base import EmotionReader, NoModel, Reading, tone_of
from minerva_hub.tone.choose import choose_reader
from minerva_hub.tone.prosody import measure
from minerva_hub.tone.trajectory import BASELINE, WINDOW, Relative

__all__ = [
    "BASELINE",
    "WINDOW",
    "EmotionReader",
    "NoModel",
    "Reading",
    "Relative",
    "choose_reader",
    "measure",
    "tone_of",
]
