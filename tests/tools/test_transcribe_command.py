"""`minerva transcribe`: files in, texts out, wherever they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from minerva_hub.config import HubConfig
from minerva_hub.errors import AudioFileError
from minerva_hub.events import EngineInfo, Session, Utterance
from minerva_hub.pipeline import files

Minerva = Callable[..., tuple[int, str, str]]
DEMO = Path(__file__).parents[2] / "tools" / "minerva_tools" / "data" / "demo"


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that hears its file's name; `bad…` is not audio, `cut…` breaks off."""

    def transcribe_file(path: Path, config: HubConfig, progress: Callable[..., None]) -> SimpleNamespace:
        if path.name.startswith("bad"):
            raise AudioFileError(f"{path}: not audio")
        progress(1.0, None)
        progress(2.0, 2.0)
        said = Utterance(
            id=1,
            session_id=1,
            device="file",
            room=path.stem,
            speaker="Speaker A",
            start_ms=1_000,
            end_ms=2_000,
            text=path.stem,
        )
        session = Session(id=1, device="file", room=path.stem, start_ms=0, end_ms=2_000)
        problem = f"{path}: breaks off at 2.0 s" if path.name.startswith("cut") else None
        return SimpleNamespace(session=session, utterances=(said,), problem=problem, engine=info(path))

    monkeypatch.setattr(files, "transcribe_file", transcribe_file)


def info(path: Path) -> EngineInfo:
    """`rough…` is heard by the offline recogniser."""
    state = "rough" if path.name.startswith("rough") else "ready"
    return EngineInfo(stage="transcribe", name="an engine", state=state, reason="Expect mistakes.")


@pytest.mark.usefixtures("heard")
def test_to_standard_output(minerva: Minerva) -> None:
    assert minerva("transcribe", "one.wav", "two.wav") == (
        0,
        "one\n\n[00:00:01] Speaker A: one\ntwo\n\n[00:00:01] Speaker A: two\n",
        "",
    )
    code, out, _ = minerva("transcribe", "one.wav", "--format", "srt")
    assert code == 0 and out.startswith("1\n00:00:01,000 --> ")


@pytest.mark.usefixtures("heard")
def test_a_rough_engine_is_said_once(minerva: Minerva) -> None:
    code, out, err = minerva("transcribe", "rough.wav", "rough2.wav", "--format", "rttm")
    assert (code, out.count("\n"), err) == (0, 2, "an engine: Expect mistakes.\n")


@pytest.mark.usefixtures("heard")
def test_to_a_file_and_to_a_folder(minerva: Minerva, tmp_path: Path) -> None:
    assert minerva("transcribe", "one.wav", "--output", "new/text.vtt", "--format", "vtt")[:2] == (0, "")
    assert (tmp_path / "new" / "text.vtt").read_text().startswith("WEBVTT")
    assert minerva("transcribe", "one.wav", "b/two.wav", "--output", "out", "--format", "rttm")[:2] == (0, "")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["one.rttm", "two.rttm"]


@pytest.mark.usefixtures("heard")
def test_one_bad_file_does_not_stop_the_others(minerva: Minerva) -> None:
    code, out, err = minerva("transcribe", "bad.wav", "cut.wav", "one.wav", "--format", "rttm")
    assert code == 1
    assert err == "minerva: bad.wav: not audio\nminerva: cut.wav: breaks off at 2.0 s\n"
    assert [line.split()[1] for line in out.splitlines()] == ["cut", "one"]


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["one.wav", "--format", "doc"], "--format doc: allowed is txt, srt, vtt, json, rttm"),
        (["one.wav", "two.wav", "--format", "vtt"], "give --output FOLDER"),
        (["one.wav", "b/one.mp3", "--output", "out"], "both be written to out/one.txt"),
        (["one.wav", "--output", "one.wav"], "would overwrite the audio"),
        (["one.wav", "--output", "/dev/null/x"], "/dev/null/x cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(minerva: Minerva, arguments: list[str], words: str) -> None:
    code, out, err = minerva("transcribe", *arguments)
    assert (code, out) == (1, "") and words in err
    assert err.count("\n") == 1


def test_a_file_that_is_missing(minerva: Minerva) -> None:
    code, out, err = minerva("transcribe", "none.wav", "--transcribe-engine", "pocketsphinx")
    assert (code, out) == (1, "") and "none.wav" in err and "Traceback" not in err


def test_the_bundled_conversation_through_the_whole_pipeline(minerva: Minerva) -> None:
    code, out, _ = minerva("transcribe", str(DEMO / "study.flac"), "--transcribe-engine", "pocketsphinx")
    assert code == 0
    title, blank, *lines = out.splitlines()
    assert (title, blank) == ("study", "") and lines
    assert all(line.startswith("[00:0") and ": " in line for line in lines)
