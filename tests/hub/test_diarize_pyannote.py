"""The adapter of pyannote.audio, against a small stand-in of what its documentation says.

The real library brings torch and its model wants an account, so neither is here: what is checked is that the
adapter calls what is documented and reads what is documented to come back.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from minerva_hub.config import DiarizeConfig
from minerva_hub.diarize import choose_diarizer, pyannote
from minerva_hub.diarize.base import Bounds
from minerva_hub.errors import EngineError, EngineUnavailableError
from pyannote.core import Annotation, Segment


@dataclass
class Output:
    """What version 4 gives."""

    speaker_diarization: Annotation
    exclusive_speaker_diarization: Annotation
    speaker_embeddings: np.ndarray | None = None


class Pipeline:
    loaded: Path | None = None
    answer: Any = None
    given: Any = None

    @classmethod
    def from_pretrained(cls, checkpoint: Path) -> Pipeline | None:
        text = (Path(checkpoint) / "config.yaml").read_text()
        if text.startswith("broken"):
            raise ValueError("mapping values are not allowed here")
        cls.loaded = checkpoint
        return None if text.startswith("none") else cls()

    def __call__(self, file: dict[str, Any], **options: int) -> Output:
        Pipeline.given = file, options
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch, audio = ModuleType("torch"), ModuleType("pyannote.audio")
    torch.from_numpy = lambda array: array  # type: ignore[attr-defined]
    audio.Pipeline = Pipeline  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "pyannote.audio", audio)
    (tmp_path / "config.yaml").write_text("version: 4.0.0\n")
    return tmp_path


def output(embeddings: Any, *stretches: tuple[float, float, str]) -> Output:
    annotation = Annotation()
    for track, (start_s, end_s, speaker) in enumerate(stretches):
        annotation[Segment(start_s, end_s), track] = speaker
    return Output(annotation, annotation, embeddings)


PCM = np.full(16000 * 6, 16384, np.int16)
TWO = np.array([[3.0, 0.0], [0.0, 2.0]])


def test_turns_and_voices_are_what_the_pipeline_says(folder: Path) -> None:
    engine = pyannote.PyannoteDiarizer(folder, Bounds(1, 4), "for a test")
    Pipeline.answer = output(
        TWO, (-0.1, 2.0, "SPEAKER_00"), (1.5, 4.0, "SPEAKER_01"), (4.5, 6.2, "SPEAKER_00")
    )
    turns = engine.split(PCM)
    assert [(t.start_s, t.end_s) for t in turns] == [(0.0, 2.0), (1.5, 4.0), (4.5, 6.0)]
    assert [t.voice.place.tolist() for t in turns if t.voice] == [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    labels = engine.open_book().add([(k, t.voice, t.end_s - t.start_s) for k, t in enumerate(turns)]).labels
    assert labels == {0: "Speaker A", 1: "Speaker B", 2: "Speaker A"}
    file, options = Pipeline.given
    assert (file["waveform"].shape, file["waveform"].dtype, file["sample_rate"]) == (
        (1, 96000),
        np.float32,
        16000,
    )
    assert file["waveform"][0, 0] == 0.5 and options == {"max_speakers": 4}
    assert (engine.info.name, engine.info.model, engine.info.state) == (
        "pyannote.audio",
        folder.name,
        "ready",
    )


def test_three_at_once_and_nobody_at_all(folder: Path) -> None:
    engine = pyannote.PyannoteDiarizer(folder, Bounds(), "")
    Pipeline.answer = output(np.eye(3), (0, 4, "a"), (1, 3, "b"), (2, 6, "c"))
    assert [(t.start_s, t.end_s, t.voice is None) for t in engine.split(PCM)] == [
        *((0, 2, False), (1, 2, False), (2, 3, True), (3, 4, False), (3, 6, False)),
    ]
    Pipeline.answer = output(np.zeros((0, 2)))
    (turn,) = engine.split(PCM)
    assert (turn.start_s, turn.end_s) == (0.0, 6.0)
    assert engine.split(PCM[:0]) == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (RuntimeError("out of memory"), "out of memory"),
        (output(None, (0, 1, "a")), "gives no embeddings"),
        (output(np.zeros((1, 2)), (0, 1, "a"), (1, 2, "b")), "2 speakers and 1 embeddings"),
    ],
)
def test_what_goes_wrong_is_told(folder: Path, answer: Any, why: str) -> None:
    engine = pyannote.PyannoteDiarizer(folder, Bounds(), "")
    Pipeline.answer = answer
    with pytest.raises(EngineError, match=f"pyannote.audio: .*{why}"):
        engine.split(PCM)


@pytest.mark.parametrize(("text", "why"), [("broken", "mapping values"), ("none", "found no pipeline")])
def test_a_folder_that_is_no_pipeline(folder: Path, text: str, why: str) -> None:
    (folder / "config.yaml").write_text(text)
    with pytest.raises(EngineUnavailableError, match=why):
        pyannote.PyannoteDiarizer(folder, Bounds(), "")
    (folder / "config.yaml").unlink()
    with pytest.raises(EngineUnavailableError, match=r"has no config\.yaml"):
        pyannote.PyannoteDiarizer(folder, Bounds(), "")


def test_asked_for_and_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyannote, "available", lambda: False)
    with pytest.raises(EngineUnavailableError, match=r"pip install \"minerva-hub\[pyannote\]\""):
        choose_diarizer(DiarizeConfig(engine="pyannote"))


def test_asked_for_with_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyannote, "available", lambda: True)
    info = choose_diarizer(DiarizeConfig(engine="pyannote", pipeline=str(folder))).info
    assert info.name == "pyannote.audio" and Pipeline.loaded == folder
    with pytest.raises(EngineUnavailableError, match=r"\[diarize\] pipeline: there is no /nowhere"):
        choose_diarizer(DiarizeConfig(engine="pyannote", pipeline="/nowhere"))


def test_the_hub_switches_the_librarys_reporting_and_downloads_off() -> None:
    assert os.environ["PYANNOTE_METRICS_ENABLED"] == "false"
    assert os.environ["HF_HUB_OFFLINE"] == "1"


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None or not pyannote.available(),
    reason="pyannote.audio is not installed: the extra `pyannote`",
)
def test_the_real_library_has_what_the_adapter_calls() -> None:
    from pyannote.audio import Pipeline as RealPipeline
    from pyannote.audio.pipelines.speaker_diarization import DiarizeOutput

    assert callable(RealPipeline.from_pretrained)
    assert {"speaker_diarization", "speaker_embeddings"} <= set(DiarizeOutput.__dataclass_fields__)
