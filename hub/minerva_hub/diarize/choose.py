"""Which engine tells speakers apart, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minerva_hub.config import DiarizeConfig
from minerva_hub.diarize import pyannote, sherpa
from minerva_hub.diarize.base import Assignment, Bounds, Diarizer, Pcm, Timed, Turn, label
from minerva_hub.diarize.builtin import BuiltinDiarizer
from minerva_hub.errors import ConfigError, EngineUnavailableError
from minerva_hub.events import EngineInfo
from minerva_hub.models import Found, find_embedding, find_pyannote, find_segmentation

ROUGHLY = "voices are told apart by pitch and timbre, roughly."


def choose_diarizer(config: DiarizeConfig, models: Path | None = None) -> Diarizer[Any]:
    """The engine for these settings; loads its models, asks no network. Blocks.

    `models` is the folder of pulled models ([models] path). ConfigError when the settings contradict each
    other, EngineUnavailableError when an engine that was asked for cannot be used.
    """
    allowed = bounds(config)
    if config.engine == "off":
        return OneSpeaker()
    if config.engine == "pyannote":
        return _pyannote(config, models, allowed)
    if config.engine == "sherpa-onnx":
        return _sherpa(config, models, allowed, "Asked for in the settings.")
    if config.engine == "builtin":
        return BuiltinDiarizer(allowed, f"Asked for in the settings: {ROUGHLY}")
    try:
        return _sherpa(config, models, allowed, "Speaker models on disk.")
    except EngineUnavailableError as problem:
        return BuiltinDiarizer(allowed, f"{problem}: {ROUGHLY}")


def bounds(config: DiarizeConfig) -> Bounds:
    """How many speakers the settings allow; ConfigError when they contradict each other."""
    if config.speakers:
        return Bounds(config.speakers, config.speakers)
    if config.min_speakers > config.max_speakers:
        raise ConfigError(
            f"[diarize] min_speakers {config.min_speakers} is more than max_speakers {config.max_speakers}"
        )
    return Bounds(config.min_speakers, config.max_speakers)


def _sherpa(config: DiarizeConfig, models: Path | None, allowed: Bounds, reason: str) -> Diarizer[Any]:
    segmentation = _file("segmentation", config.segmentation)
    embedding = _file("embedding", config.embedding)
    if segmentation is None:
        segmentation = _found(None if models is None else find_segmentation(models))
    if embedding is None:
        embedding = _found(None if models is None else find_embedding(models, config.embedding))
    if not sherpa.available():
        raise EngineUnavailableError('sherpa-onnx is not installed (pip install "minerva-hub[speakers]")')
    return sherpa.SherpaDiarizer(segmentation, embedding, allowed, reason)


def _pyannote(config: DiarizeConfig, models: Path | None, allowed: Bounds) -> Diarizer[Any]:
    if not pyannote.available():
        raise EngineUnavailableError(
            '[diarize] engine pyannote: pyannote.audio is not installed (pip install "minerva-hub[pyannote]")'
        )
    folder = _file("pipeline", config.pipeline) or _found(None if models is None else find_pyannote(models))
    return pyannote.PyannoteDiarizer(folder, allowed, "Asked for in the settings.")


def _file(setting: str, value: str) -> Path | None:
    """What a setting names on the disk; None for nothing, or for a name that is no path."""
    if not value:
        return None
    path = Path(value).expanduser()
    if path.exists():
        return path
    if path.is_absolute() or value.startswith(("~", ".")) or path.suffix == ".onnx" or setting != "embedding":
        raise EngineUnavailableError(f"[diarize] {setting}: there is no {value}")
    return None


def _found(what: object) -> Path:
    if isinstance(what, Found):
        return what.path
    reason = getattr(what, "reason", "")
    raise EngineUnavailableError(f"No speaker model on disk{f' ({reason})' if reason else ''}")


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

    def bound(self, bounds: Bounds) -> None:
        """Nothing to find out."""

    def settle(self, before: Mapping[int, str] | None = None) -> dict[int, str]:
        """What it was."""
        return dict(before or {})
