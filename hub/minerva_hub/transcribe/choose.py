"""Which engine writes down the words, and why."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from minerva_hub.config import TranscribeConfig
from minerva_hub.errors import EngineUnavailableError
from minerva_hub.models import Found, find_whisper
from minerva_hub.transcribe.base import Engine
from minerva_hub.transcribe.sphinx import SphinxEngine
from minerva_hub.transcribe.whisper import WhisperEngine

ENGLISH: Final = ("en", "auto")


def choose_engine(config: TranscribeConfig, models: Path | None = None) -> Engine:
    """The engine for these settings; looks at the disk only, loads nothing, asks no network.

    `models` is the folder of pulled models ([models] path); a model's files are hashed when they changed.

    EngineUnavailableError when the engine that was asked for lacks its model, or knows another language.
    """
    if config.engine == "pocketsphinx":
        return _sphinx(config, "Asked for in the settings: offline recogniser, expect mistakes.")
    model = find_whisper(config.model, models=models)
    if isinstance(model, Found):
        why = "Asked for in the settings." if config.engine == "faster-whisper" else "Whisper model on disk."
        return WhisperEngine(model, config, why)
    if config.engine == "faster-whisper":
        raise EngineUnavailableError(
            f"[transcribe] engine faster-whisper: no usable model: {model.reason}. Pull one with "
            "`minerva models pull`, or name its folder in [transcribe] model; engine auto works without one"
        )
    if model.damaged:
        return _sphinx(config, f"Offline recogniser, expect mistakes: {model.reason}.")
    return _sphinx(config, "No Whisper model on disk: offline recogniser, expect mistakes.")


def _sphinx(config: TranscribeConfig, reason: str) -> Engine:
    if config.language not in ENGLISH:
        raise EngineUnavailableError(
            f"[transcribe] language {config.language!r}: the offline recogniser knows English only "
            "(en, auto); other languages need a Whisper model: minerva models pull base"
        )
    if find_spec("pocketsphinx") is None:
        raise EngineUnavailableError(
            "pocketsphinx is not installed: pip install pocketsphinx, or name a Whisper model's folder in "
            "[transcribe] model"
        )
    if config.vocabulary.strip():
        reason += " [transcribe] vocabulary has no effect on it: it knows the words of its dictionary only."
    return SphinxEngine(reason)
