from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from minerva_hub.config import TranscribeConfig
from minerva_hub.errors import EngineUnavailableError
from minerva_hub.models import Found, Missing, find_whisper
from minerva_hub.transcribe import Hypothesis, choose_engine
from minerva_tools.scripted_whisper import write_scripted_whisper

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


def test_unfinished_speech_gives_its_words_and_encodes_one_window(model: Path) -> None:
    transcriber = choose_engine(TranscribeConfig(model=str(model))).open()
    heard = transcriber.hypothesis(noise(0.5))
    assert heard.words == ("hello", "world", "this", "is", "a", "test.")
    assert heard.encoder_frames == 3000
    assert transcriber.transcribe(noise(2.5)).encoder_frames == 3000
    assert transcriber.hypothesis(noise(0.05)) == Hypothesis(())


@pytest.mark.parametrize(("seconds", "frames"), [(0.5, 100), (2.5, 250), (29.99, 3000)])
def test_short_windows_encode_what_there_is(model: Path, seconds: float, frames: int) -> None:
    config = TranscribeConfig(model=str(model), short_windows=True)
    transcriber = choose_engine(config).open()
    heard = transcriber.hypothesis(noise(seconds))
    assert (heard.words[:2], heard.encoder_frames) == (("hello", "world"), frames)
    assert transcriber.transcribe(noise(2.5)).encoder_frames == 3000  # finals are not cut


def test_the_language_is_looked_for_among_those_that_are_spoken_here(model: Path) -> None:
    for languages, expected in (("", "en"), ("de, fr", ("de", "fr")), ("fr, en", "en")):
        config = TranscribeConfig(model=str(model), language="auto", languages=languages)
        heard = choose_engine(config).open().transcribe(noise(2.5))
        assert heard.language in expected
        assert heard.encoder_frames == 6000  # a window to find the language, another for the words


def test_a_vocabulary_reaches_the_model_by_language(model: Path) -> None:
    config = TranscribeConfig(model=str(model), vocabulary="Minerva, Ada; de: Kessel", language="auto")
    transcriber = choose_engine(config).open()
    told: list[str | None] = []
    ask = transcriber._model.get_prompt
    transcriber._model.get_prompt = lambda *args, hotwords=None, **more: (
        told.append(hotwords) or ask(*args, hotwords=hotwords, **more)
    )
    transcriber.hypothesis(noise(1))
    assert transcriber.transcribe(noise(1)).words
    assert told == ["Minerva, Ada"] * 2
    transcriber._language = "de"
    transcriber.hypothesis(noise(1))
    assert told[2:] == ["Minerva, Ada, Kessel"]


def test_a_vocabulary_for_which_the_model_has_no_room_is_refused(model: Path) -> None:
    config = TranscribeConfig(model=str(model), vocabulary="x, " * 190)
    with pytest.raises(EngineUnavailableError, match=r"vocabulary is \d+ tokens .* room for 223"):
        choose_engine(config).open()


def test_the_offline_recogniser_says_that_a_vocabulary_has_no_effect() -> None:
    info = choose_engine(TranscribeConfig(engine="pocketsphinx", vocabulary="Ada")).info
    assert "vocabulary has no effect" in info.reason


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
