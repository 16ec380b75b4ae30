from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from minerva_hub.config import TranscribeConfig
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.transcribe import choose_engine
from minerva_hub.transcribe.sphinx import SphinxEngine, SphinxTranscriber
from minerva_tools.conversation import load_demo


@pytest.fixture(scope="module")
def transcriber() -> Iterator[SphinxTranscriber]:
    transcriber = SphinxEngine("").open()
    yield transcriber
    transcriber.close()


@pytest.fixture(scope="module")
def lines() -> list[tuple[str, np.ndarray]]:
    """Three lines of the bundled conversation at the level at which devices send speech, -36 dBFS."""
    demo = load_demo()
    kitchen = demo.reference.rooms[0]
    cut = []
    for turn in kitchen.turns[:3]:
        sound = demo.sound["Kitchen"][int((turn.start_s - 0.2) * 16000) : int((turn.end_s + 0.3) * 16000)]
        cut.append((turn.text, np.round(sound * 5.6).astype(np.int16)))
    return cut


def test_it_hears_the_bundled_conversation(
    transcriber: SphinxTranscriber, lines: list[tuple[str, np.ndarray]]
) -> None:
    text, pcm = lines[2]
    heard = transcriber.transcribe(pcm)
    assert text == "We need to buy some bread and milk today."
    assert heard.text == "we need to buy some bread and milk today"
    assert heard.language == "en"
    assert " ".join(w.text for w in heard.words) == heard.text
    times = [t for w in heard.words for t in (w.start_s, w.end_s)]
    assert times == sorted(times)
    assert 0.05 < times[0] < 0.35 and 0.1 < len(pcm) / 16000 - times[-1] < 0.5  # silence around, as cut
    assert all(0 <= w.confidence <= 1 for w in heard.words)


def test_the_same_samples_give_the_same_words_whatever_came_before(
    transcriber: SphinxTranscriber, lines: list[tuple[str, np.ndarray]]
) -> None:
    first = [transcriber.transcribe(pcm) for _, pcm in lines]
    assert [transcriber.transcribe(pcm) for _, pcm in reversed(lines)] == first[::-1]
    fresh = SphinxEngine("").open()
    try:
        assert fresh.transcribe(lines[1][1]) == first[1]
    finally:
        fresh.close()


def test_the_level_does_not_matter(
    transcriber: SphinxTranscriber, lines: list[tuple[str, np.ndarray]]
) -> None:
    _, pcm = lines[2]
    assert transcriber.transcribe((pcm * 8).astype(np.int16)).text == transcriber.transcribe(pcm).text


@pytest.mark.parametrize("samples", [0, 1, 300, 1600])
def test_next_to_nothing_is_empty(transcriber: SphinxTranscriber, samples: int) -> None:
    assert transcriber.transcribe(np.zeros(samples, np.int16)).text == ""


def test_a_recogniser_that_dies_is_started_anew(lines: list[tuple[str, np.ndarray]]) -> None:
    transcriber = SphinxEngine("").open()
    try:
        before = transcriber.transcribe(lines[2][1])
        os.kill(transcriber._process.pid, signal.SIGKILL)
        assert transcriber.transcribe(lines[2][1]) == before
    finally:
        transcriber.close()
        transcriber.close()


def test_closing_while_it_works_leaves_no_process(lines: list[tuple[str, np.ndarray]]) -> None:
    transcriber = SphinxEngine("").open()
    problems: list[str] = []

    def work() -> None:
        try:
            transcriber.transcribe(np.concatenate([sound for _, sound in lines]))
        except EngineError as problem:
            problems.append(str(problem))

    thread = threading.Thread(target=work)
    thread.start()
    while not transcriber._asking.locked():
        time.sleep(0.01)
    transcriber.close()
    thread.join(20)
    assert problems == ["pocketsphinx was closed while it worked"]
    assert transcriber._process.returncode is not None


def test_the_process_ends_with_the_hub_and_ignores_its_interrupt() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "minerva_hub.transcribe.sphinx_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert worker.stdin and worker.stdout
    with worker:
        worker.stdout.read(4)  # loaded
        worker.send_signal(signal.SIGINT)
        worker.stdin.close()
        assert worker.wait(timeout=20) == 0


def test_the_hubs_process_stays_free_while_it_decodes(
    transcriber: SphinxTranscriber, lines: list[tuple[str, np.ndarray]]
) -> None:
    """Decoding in this process would hold Python's lock: this thread would not get to count."""
    done = threading.Event()
    pcm = np.concatenate([pcm for _, pcm in lines])

    def work() -> None:
        transcriber.transcribe(pcm)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while not done.is_set():
        time.sleep(0.001)
        turns += 1
    thread.join()
    assert turns > 20


@pytest.mark.parametrize("engine", ["auto", "pocketsphinx"])
def test_without_a_model_the_offline_recogniser_is_taken_and_says_that_it_is_rough(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    info = choose_engine(TranscribeConfig(engine=engine)).info  # type: ignore[arg-type]
    assert (info.stage, info.name, info.state) == ("transcribe", "pocketsphinx", "rough")
    assert "expect mistakes" in info.reason
    assert ("No Whisper model on disk" in info.reason) == (engine == "auto")


def test_the_offline_recogniser_knows_english_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match="'de': the offline recogniser knows English only"):
        choose_engine(TranscribeConfig(language="de"))


def test_choosing_imports_no_engine() -> None:
    code = (
        "import sys; from minerva_hub.config import TranscribeConfig as C; "
        "from minerva_hub.transcribe import choose_engine; choose_engine(C()); "
        "print([m for m in ('pocketsphinx', 'faster_whisper', 'ctranslate2') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
