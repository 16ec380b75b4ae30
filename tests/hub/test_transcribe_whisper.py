from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from minerva_hub.config import TranscribeConfig
from minerva_hub.errors import EngineUnavailableError
from minerva_hub.models import Found, Missing, find_whisper
from minerva_hub.transcribe import choose_engine

from tests.fakes.scripted_whisper import write_scripted_whisper

SCRIPT = (" hello", " world", " this", " is", " a", " test", ".")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whisper")
    write_scripted_whisper(folder, SCRIPT)
    return folder


def noise(seconds: float) -> np.ndarray:
    return (np.random.default_rng(3).standard_normal(int(seconds * 16000)) * 500).astype(np.int16)


def cached(model: Path, cache: Path, repository: str) -> Path:
    """The model as Hugging Face's tools keep it."""
    home = cache / f"models--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abc123")
    (home / "snapshots").mkdir()
    (home / "snapshots" / "abc123").symlink_to(model, target_is_directory=True)
    return home / "snapshots" / "abc123"


@pytest.mark.parametrize(("language", "beam"), [("en", 1), ("auto", 1), ("en", 5)])
def test_the_words_come_out_exactly_with_times_in_order(model: Path, language: str, beam: int) -> None:
    engine = choose_engine(TranscribeConfig(model=str(model), language=language, beam=beam))
    heard = engine.open().transcribe(noise(2.5))
    assert heard.text == "hello world this is a test."
    assert heard.language == "en"
    assert [w.text for w in heard.words] == ["hello", "world", "this", "is", "a", "test."]
    times = [t for w in heard.words for t in (w.start_s, w.end_s)]
    assert times == sorted(times)
    assert times[0] >= 0 and 0 < times[-1] <= 2.5
    assert all(0 < w.confidence <= 1 for w in heard.words)


def test_auto_takes_a_model_folder_and_says_why(model: Path) -> None:
    info = choose_engine(TranscribeConfig(model=str(model))).info
    assert (info.stage, info.name, info.state) == ("transcribe", "faster-whisper", "ready")
    assert info.reason == "Whisper model on disk."


def test_a_name_is_looked_up_in_the_usual_cache(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = cached(model, tmp_path, "Systran/faster-whisper-tiny")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert find_whisper("tiny") == Found("tiny", snapshot)
    engine = choose_engine(TranscribeConfig(model="tiny"))
    assert engine.info.model == "tiny"
    assert engine.open().transcribe(noise(1)).text == "hello world this is a test."


def test_two_workers_share_one_model(model: Path) -> None:
    engine = choose_engine(TranscribeConfig(model=str(model), workers=2))
    texts: list[str] = []

    def work() -> None:
        transcriber = engine.open()
        texts.extend(transcriber.transcribe(noise(s)).text for s in (1.0, 2.0))
        transcriber.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["hello world this is a test."] * 4


def test_text_that_repeats_itself_is_dropped(tmp_path: Path) -> None:
    loop = tuple(" " + "la" * n for n in range(30, 36))  # compresses well, as invented text does
    write_scripted_whisper(tmp_path, loop)
    heard = choose_engine(TranscribeConfig(model=str(tmp_path))).open().transcribe(noise(2))
    assert (heard.text, heard.words) == ("", ())


def test_too_short_to_be_speech_is_empty_and_wrong_samples_are_refused(model: Path) -> None:
    transcriber = choose_engine(TranscribeConfig(model=str(model))).open()
    assert transcriber.transcribe(np.zeros(100, np.int16)).text == ""
    with pytest.raises(ValueError, match=r"float64 \(9,\), expected int16"):
        transcriber.transcribe(np.zeros(9))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="120 s limit"):
        transcriber.transcribe(np.zeros(121 * 16000, np.int16))


@pytest.mark.parametrize("lacking", ["model.bin", "tokenizer.json", "vocabulary.json"])
def test_an_incomplete_model_is_not_taken(model: Path, tmp_path: Path, lacking: str) -> None:
    for file in model.iterdir():
        if file.name != lacking:
            (tmp_path / file.name).symlink_to(file)
    found = find_whisper(str(tmp_path))
    assert isinstance(found, Missing) and found.reason == f"{tmp_path} lacks {lacking}"


def test_a_damaged_model_says_so_when_it_is_opened(model: Path, tmp_path: Path) -> None:
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:2000])
    engine = choose_engine(TranscribeConfig(engine="faster-whisper", model=str(tmp_path)))
    with pytest.raises(EngineUnavailableError, match="cannot be loaded"):
        engine.open()


@pytest.mark.parametrize("model", ["base", "/nowhere/model", "gigantic", "~/none", " ", "Somebody/else"])
def test_asking_for_whisper_without_a_model_says_what_to_do(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match=r"name its folder in \[transcribe\] model"):
        choose_engine(TranscribeConfig(engine="faster-whisper", model=model))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HF_HUB_CACHE": "/a"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({"HOME": "/d"}, "/d/.cache/huggingface/hub"),
    ],
)
def test_where_the_cache_is(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from minerva_hub.models import hugging_face_cache

    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert hugging_face_cache() == Path(expected)
