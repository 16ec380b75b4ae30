"""Diarization by pyannote.audio 4, from a folder on this disk; an extra, as it brings torch.

Its pipeline is given a segment at a time, says who speaks when in it, two at once included, and gives each
speaker's embedding; who that is in the session, the book finds out.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from minerva_hub.diarize.base import Bounds, Pcm, Timed, Turn
from minerva_hub.diarize.book import SessionBook
from minerva_hub.diarize.cosine import CosineSpace, placed
from minerva_hub.diarize.features import RATE, Floats
from minerva_hub.diarize.overlap import untangled
from minerva_hub.diarize.space import Rules, Voice
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo

# Cosines of its embeddings (WeSpeaker's ResNet34). Set by what is published of them, not by a run of ours.
RULES: Final = Rules(same=0.45, founds_s=0.6, sure_s=2.0, doubt=0.25, neighbour=0.1, known=0.6, apart=0.1)


class PyannoteDiarizer:
    """Threads may share it; one segment at a time goes through the pipeline.

    EngineUnavailableError when the library or what is in the folder cannot be used.
    """

    def __init__(self, folder: Path, bounds: Bounds, reason: str) -> None:
        if not (folder / "config.yaml").is_file():
            raise EngineUnavailableError(f"{folder} has no config.yaml: it is no pipeline of pyannote.audio")
        try:
            import torch
            from pyannote.audio import Pipeline

            self._tensor = torch.from_numpy
            self._pipeline = Pipeline.from_pretrained(folder)
        except Exception as problem:  # whatever torch, its files or the folder's are wrong with
            raise EngineUnavailableError(f"pyannote.audio cannot load {folder}: {problem}") from problem
        if self._pipeline is None:  # how it says that it was given no pipeline
            raise EngineUnavailableError(f"pyannote.audio found no pipeline in {folder}")
        self._lock = threading.Lock()
        self._bounds = bounds
        self.space = CosineSpace(f"pyannote.audio/{folder.name}", RULES)
        self.info = EngineInfo(
            stage="diarize", name="pyannote.audio", model=folder.name, state="ready", reason=reason
        )

    def split(self, pcm: Pcm, words: Sequence[Timed] = ()) -> list[Turn[Voice | None]]:
        """See Diarizer. EngineError when the library fails."""
        if not len(pcm):
            return []
        end_s = len(pcm) / RATE
        sound = self._tensor(pcm.astype(np.float32)[None] / np.float32(32768))
        try:
            with self._lock:
                output = self._pipeline(
                    {"waveform": sound, "sample_rate": RATE}, max_speakers=self._bounds.most
                )
            stretches, places = _read(output, end_s)
        except Exception as problem:  # torch has no class of errors of its own
            raise EngineError(f"pyannote.audio: {problem}") from problem
        if not stretches:
            return [Turn(0.0, end_s, placed(np.zeros(1), end_s))]
        return [
            Turn(start_s, stop_s, None if who is None else placed(places[who], stop_s - start_s))
            for start_s, stop_s, who in untangled(stretches)
        ]

    def open_book(self) -> SessionBook:
        """A new session's memory of speakers."""
        return SessionBook(self.space, self._bounds)


def available() -> bool:
    """Whether the library is installed: pyannote.metrics, which has no torch, shares its first name."""
    return find_spec("torch") is not None and find_spec("pyannote.audio") is not None


def _read(output: Any, end_s: float) -> tuple[list[tuple[float, float, int]], list[Floats]]:
    """The pipeline's answer: (start_s, end_s, speaker's number), and each speaker's place."""
    annotation = output.speaker_diarization
    numbers = {label: number for number, label in enumerate(annotation.labels())}
    stretches = [
        (max(0.0, segment.start), min(end_s, segment.end), numbers[label])
        for segment, _, label in annotation.itertracks(yield_label=True)
        if segment.start < min(end_s, segment.end)
    ]
    if output.speaker_embeddings is None:
        raise EngineError("this pipeline gives no embeddings of speakers")
    places = [np.asarray(place, np.float64) for place in output.speaker_embeddings]
    if len(places) < len(numbers):
        raise EngineError(f"{len(numbers)} speakers and {len(places)} embeddings")
    return stretches, places
