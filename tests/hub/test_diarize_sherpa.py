"""The engine with sherpa-onnx's real code, and models of tones that tests/fakes/sherpa_models.py makes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from minerva_hub.config import DiarizeConfig
from minerva_hub.diarize import choose_diarizer, sherpa
from minerva_hub.diarize.base import Bounds
from minerva_hub.errors import EngineUnavailableError

from tests.fakes import sherpa_models as models

pytestmark = pytest.mark.skipif(
    not sherpa.available(), reason="sherpa-onnx is not installed: the extra `speakers`"
)

LOW, HIGH = models.LOW_HZ, models.HIGH_HZ


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return models.write(tmp_path_factory.mktemp("sherpa"))


@pytest.fixture(scope="module")
def engine(files: tuple[Path, Path]) -> sherpa.SherpaDiarizer:
    return sherpa.SherpaDiarizer(*files, Bounds(), "for a test")


def named(files: tuple[Path, Path], engine: Literal["auto", "sherpa-onnx"] = "auto") -> DiarizeConfig:
    return DiarizeConfig(engine=engine, segmentation=str(files[0]), embedding=str(files[1]))


def sound(*parts: tuple[float, ...]) -> np.ndarray:
    """(seconds, hertz...) one after the other, in a little noise: int16."""
    out = []
    for seconds, *tones in parts:
        time_s = np.arange(round(seconds * 16000)) / 16000
        out.append(sum((0.2 * np.sin(2 * np.pi * hertz * time_s) for hertz in tones), np.zeros(len(time_s))))
    noise = np.random.default_rng(1).normal(0, 0.001, sum(len(part) for part in out))
    return np.round((np.concatenate(out) + noise) * 32767).astype(np.int16)


def test_turns_are_where_voices_are_and_overlap_is_kept(engine: sherpa.SherpaDiarizer) -> None:
    turns = engine.split(sound((0.5,), (2, LOW), (0.7,), (2, HIGH), (1.5, LOW, HIGH), (1.5, LOW), (0.5,)))
    times = [(turn.start_s, turn.end_s) for turn in turns]
    assert times == [pytest.approx(t, abs=0.1) for t in ((0.5, 2.5), (3.2, 6.7), (5.2, 8.2))]
    book = engine.open_book()
    labels = book.add([(k, turn.voice, turn.end_s - turn.start_s) for k, turn in enumerate(turns)]).labels
    assert labels == {0: "Speaker A", 1: "Speaker B", 2: "Speaker A"}
    assert book.settle() == labels


def test_a_voice_is_the_same_in_another_segment(engine: sherpa.SherpaDiarizer) -> None:
    book = engine.open_book()
    said = [sound((0.3,), (1.5, hertz), (0.3,)) for hertz in (LOW, HIGH, LOW)]
    labels = {}
    for key, pcm in enumerate(said):
        (turn,) = engine.split(pcm)
        labels |= book.add([(key, turn.voice, turn.end_s - turn.start_s)]).labels
    assert labels == {0: "Speaker A", 1: "Speaker B", 2: "Speaker A"}


@pytest.mark.parametrize("samples", [0, 1, 100, 1600, 16000])
def test_silence_and_next_to_nothing_do_no_harm(engine: sherpa.SherpaDiarizer, samples: int) -> None:
    turns = engine.split(np.zeros(samples, np.int16))
    assert len(turns) == (samples > 0)
    assert all(0 <= t.start_s < t.end_s <= samples / 16000 for t in turns)
    assert all(t.voice is not None and np.isfinite(t.voice.place).all() for t in turns)


def test_threads_share_it(engine: sherpa.SherpaDiarizer) -> None:
    pcm = sound((0.3,), (1.5, LOW), (0.4,), (1.5, HIGH), (0.3,))
    expected = [(t.start_s, t.end_s) for t in engine.split(pcm)]
    found: list[list[tuple[float, float]]] = []
    threads = [
        threading.Thread(target=lambda: found.append([(t.start_s, t.end_s) for t in engine.split(pcm)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_auto_takes_it_when_its_models_are_named(files: tuple[Path, Path]) -> None:
    info = choose_diarizer(named(files)).info
    assert (info.name, info.model, info.state) == ("sherpa-onnx", "embedding", "ready")
    assert info.reason == "Speaker models on disk."


# Which file, what is in it instead (None: there is none), and what is said.
SPOILT: list[tuple[int, bytes | None, str]] = [
    (0, None, "there is no "),
    (1, None, "there is no "),
    (0, models.segmentation()[:400], "speaker segmentation model .* cannot be loaded"),
    (1, models.embedding()[:100], "speaker embedding model .* cannot be loaded"),
    (1, b"", "cannot be loaded"),
    (0, b"<html>404</html>", "cannot be loaded"),
    (0, models.embedding(), "is no speaker segmentation model .* lacks window_size"),
    (1, models.segmentation(), "is no speaker embedding model .* lacks output_dim"),
    (0, models.segmentation(sample_rate=8000), "is for 8000 Hz"),
    (0, models.segmentation(powerset_max_classes=3), "powerset_max_classes is 3"),
    (1, models.embedding(framework="tensorflow"), "framework is 'tensorflow'"),
    (1, models.embedding(output_dim=512), "gives 80 numbers, and says 512"),
    (1, models.embedding(output_dim="many"), "output_dim is 'many'"),
    (1, models.embedding(framework="nemo"), "lacks feat_dim"),
]


@pytest.mark.parametrize(("which", "instead", "why"), SPOILT)
def test_a_model_that_cannot_be_used_is_named_and_auto_goes_on_without(
    tmp_path: Path, which: int, instead: bytes | None, why: str
) -> None:
    files = models.write(tmp_path)
    if instead is None:
        files[which].unlink()
    else:
        files[which].write_bytes(instead)
    info = choose_diarizer(named(files)).info
    assert (info.name, info.state) == ("builtin", "rough")
    with pytest.raises(EngineUnavailableError, match=f"(?s){why}") as said:
        choose_diarizer(named(files, "sherpa-onnx"))
    assert str(files[which]) in str(said.value) and str(said.value) in info.reason


@pytest.mark.parametrize("key", sherpa.SEGMENTATION_KEYS)
def test_a_segmentation_without_what_the_library_would_die_for(tmp_path: Path, key: str) -> None:
    files = models.write(tmp_path)
    files[0].write_bytes(models.segmentation(**{key: None}))
    with pytest.raises(EngineUnavailableError, match=f"lacks {key}$"):
        sherpa.check_models(*files)


@pytest.mark.parametrize("key", (*sherpa.EMBEDDING_KEYS, *sherpa.OTHER_KEYS))
def test_an_embedding_without_what_the_library_would_die_for(tmp_path: Path, key: str) -> None:
    files = models.write(tmp_path)
    files[1].write_bytes(models.embedding(**{key: None}))
    with pytest.raises(EngineUnavailableError, match=f"lacks {key}$"):
        sherpa.check_models(*files)


def test_without_the_library_auto_says_so(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sherpa, "available", lambda: False)
    assert "minerva-hub[speakers]" in choose_diarizer(named(files)).info.reason
    with pytest.raises(EngineUnavailableError, match="not installed"):
        choose_diarizer(
            DiarizeConfig(engine="sherpa-onnx", segmentation=str(files[0]), embedding=str(files[1]))
        )


def test_without_pulled_models_auto_says_what_to_pull(tmp_path: Path) -> None:
    reason = choose_diarizer(DiarizeConfig(), tmp_path).info.reason
    assert "No speaker model on disk" in reason and "minerva models pull" in reason
