"""Transcription: samples of a segment in, words with times out."""

from minerva_hub.transcribe.base import RATE, Engine, Hypothesis, TimedWord, Transcriber, Transcript
from minerva_hub.transcribe.choose import choose_engine

__all__ = ["RATE", "Engine", "Hypothesis", "TimedWord", "Transcriber", "Transcript", "choose_engine"]
