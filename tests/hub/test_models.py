"""The list of models, what is recorded of files, and what is found for engines and what never is."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from minerva_hub.config import TranscribeConfig
from minerva_hub.errors import ConflictError, EngineUnavailableError, UnknownItemError, UserError
from minerva_hub.models import (
    Found,
    Missing,
    checking,
    find_embedding,
    find_model,
    find_pyannote,
    find_segmentation,
    find_wav2vec2,
    find_whisper,
    find_yamnet,
    listing,
    records,
)
from minerva_hub.transcribe import choose_engine
from minerva_tools.scripted_whisper import write_scripted_whisper

from tests.fakes import model_list
from tests.fakes.model_list import listed

WHISPERS = ("tiny", "base", "small", "medium", "large-v3", "large-v3-turbo")


@pytest.fixture(autouse=True)
def _no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no-cache"))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def table(name: str, *files: str, kind: str = "whisper") -> str:
    return model_list.table(name, f"https://example.org/{name}", *files, kind=kind)


def put(folder: Path, name: str, **files: bytes) -> Path:
    home = folder / name
    home.mkdir(parents=True)
    for file, data in files.items():
        (home / file).write_bytes(data)
    return home


def test_the_list_names_what_engines_need() -> None:
    kinds = {model.name: model.kind for model in listing.catalogue()}
    assert [name for name in WHISPERS if kinds.get(name) != "whisper"] == []
    assert set(kinds.values()) == set(listing.STAGES)
    assert find_model("turbo").name == "large-v3-turbo"
    for model in listing.catalogue():
        assert model.licence and model.input, model.name
        assert bool(model.file) != model.gated, model.name
        urls = [model.source, *(model.url_of(file) for file in model.file)]
        urls += [model.archive.url] if model.archive else []
        assert [url for url in urls if not url.startswith("https://")] == []
        stated = model.archive.size if model.archive else sum(file.size or 0 for file in model.file)
        assert (stated or 0) <= model.size_mb * 1_000_000, model.name


def test_every_whisper_has_what_the_engine_refuses_to_be_without() -> None:
    for model in listing.catalogue():
        if model.kind == "whisper":
            names = {file.name for file in model.file}
            assert {"model.bin", "config.json", "tokenizer.json"} <= names, model.name
            assert names & {"vocabulary.txt", "vocabulary.json"}, model.name


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (table("a") + table("a"), "two models are called a"),
        (table("../up"), "name"),
        (table("a", 'name = "../up"'), "name"),
        (table("a", 'name = ".hidden"'), "name"),
        (table("a", 'name = "x", sha256 = "beef"'), "sha256"),
        (table("a", 'name = "x", size = 0'), "size"),
        (table("a", kind="magic"), "kind"),
        (table("a") + "colour = 1\n", "colour"),
    ],
)
def test_a_list_that_is_wrong_is_refused(broken: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        listing.read(broken)


def test_an_unknown_model_is_told_with_what_was_meant() -> None:
    with pytest.raises(UnknownItemError, match=r"'tinny' \(did you mean tiny\?\)"):
        find_model("tinny")


def test_what_was_put_there_by_hand_is_hashed_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(
        monkeypatch,
        table("ours", f'name = "a.onnx", sha256 = "{sha(b"good")}"', kind="sherpa-embedding"),
        table("other", 'name = "b.onnx"', kind="sherpa-embedding"),
    )
    put(tmp_path, "ours", **{"a.onnx": b"evil"})
    put(tmp_path, "other", **{"b.onnx": b"whatever"})
    damaged = find_embedding(tmp_path, "ours")
    assert isinstance(damaged, Missing) and damaged.damaged
    assert damaged.reason == (
        "the model ours is damaged: a.onnx has another hash than was recorded; minerva models pull ours "
        "puts it right"
    )
    assert find_embedding(tmp_path) == Found("other", tmp_path / "other", "b.onnx")  # the next that is good
    assert find_embedding(tmp_path).path == tmp_path / "other" / "b.onnx"
    kept = records.load(tmp_path)
    assert kept["other"].files["b.onnx"].trust == "recorded"
    assert kept["ours"].files["a.onnx"].trust == "stated"


def test_a_file_that_changes_is_never_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, table("net", 'name = "net.tflite"', kind="yamnet"))
    home = put(tmp_path, "net", **{"net.tflite": b"12345678"})
    assert find_yamnet(tmp_path) == Found("net", home, "net.tflite")
    model = find_model("net")
    assert checking.status(tmp_path, model).state == "ready"

    (home / "net.tflite").write_bytes(b"12345679")  # of the same size
    assert checking.status(tmp_path, model).state == "unverified"
    found = find_yamnet(tmp_path)
    assert isinstance(found, Missing) and "another hash" in found.reason
    assert checking.status(tmp_path, model).state == "damaged"  # noted: no second look is needed

    (home / "net.tflite").write_bytes(b"12345678")
    assert checking.verify(tmp_path, model).state == "ready"
    os.utime(home / "net.tflite", ns=(1, 1))  # copied, say, and the same
    assert isinstance(find_yamnet(tmp_path), Found)
    assert checking.status(tmp_path, model).state == "ready"

    (home / "net.tflite").write_bytes(b"1234")
    truncated = checking.status(tmp_path, model)
    assert (truncated.state, truncated.reason) == ("damaged", "net.tflite has 4 bytes, 8 were recorded")
    assert isinstance(find_yamnet(tmp_path), Missing)
    assert checking.verify(tmp_path, model).state == "damaged"


def test_a_change_that_keeps_size_and_time_is_found_by_verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(monkeypatch, table("net", 'name = "net.tflite"', kind="yamnet"))
    file = put(tmp_path, "net", **{"net.tflite": b"12345678"}) / "net.tflite"
    model = find_model("net")
    assert checking.verify(tmp_path, model).state == "ready"
    before = file.stat()
    file.write_bytes(b"x2345678")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    told: list[tuple[str, int, int | None]] = []
    assert checking.verify(tmp_path, model, lambda *args: told.append(args)).state == "damaged"
    assert told == [("net.tflite", 8, 8)]
    assert isinstance(find_yamnet(tmp_path), Missing)


def test_removed_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, table("net", 'name = "net.tflite"', kind="yamnet"))
    model = find_model("net")
    assert not checking.remove(tmp_path, model)
    put(tmp_path, "net", **{"net.tflite": b"one"})
    checking.verify(tmp_path, model)
    assert checking.remove(tmp_path, model)
    assert checking.status(tmp_path, model).state == "absent"
    put(tmp_path, "net", **{"net.tflite": b"two"})  # the recorded hash outlived the file
    assert isinstance(find_yamnet(tmp_path), Missing)
    assert checking.remove(tmp_path, model, forget=True)
    put(tmp_path, "net", **{"net.tflite": b"two"})
    assert isinstance(find_yamnet(tmp_path), Found)
    with records.busy(tmp_path), pytest.raises(ConflictError, match="another process is busy"):
        checking.remove(tmp_path, model)


def test_what_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    for found in (find_segmentation(tmp_path), find_embedding(tmp_path), find_yamnet(tmp_path)):
        assert isinstance(found, Missing) and not found.damaged
        assert f"(minerva models pull {found.name})" in found.reason
    with pytest.raises(UserError, match="minerva models pull yamnet"):
        checking.verify(tmp_path, find_model("yamnet"))
    asked = find_pyannote(tmp_path)
    assert isinstance(asked, Missing) and "docs/models.md" in asked.reason
    home = put(tmp_path, "pyannote-community-1", **{"config.yaml": b"pipeline:"})
    assert find_pyannote(tmp_path) == Found("pyannote-community-1", home)


def test_wav2vec2_is_also_found_where_hugging_faces_tools_keep_it(tmp_path: Path) -> None:
    assert isinstance(find_wav2vec2(tmp_path), Missing)
    home = tmp_path / "no-cache" / "models--superb--wav2vec2-base-superb-er"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abc")
    put(home / "snapshots", "abc", **{"config.json": b"{}", "preprocessor_config.json": b"{}"})
    assert isinstance(find_wav2vec2(tmp_path), Missing)
    (home / "snapshots" / "abc" / "pytorch_model.bin").write_bytes(b"weights")
    assert find_wav2vec2(tmp_path) == Found("wav2vec2-emotion", home / "snapshots" / "abc")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"version": 2}', '{"models": {"a": 1}}', " " * (1 << 20) + "{}"]
)
def test_a_damaged_lock_file_is_told_and_nothing_is_loaded(tmp_path: Path, text: str) -> None:
    (tmp_path / records.FILE).write_text(text)
    found = find_yamnet(tmp_path)
    assert isinstance(found, Missing) and found.damaged
    assert f"{tmp_path / records.FILE} is damaged" in found.reason


def test_auto_takes_a_pulled_whisper_by_its_name_and_no_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("model.bin", "config.json", "tokenizer.json", "vocabulary.json")
    listed(monkeypatch, table("tiny", *(f'name = "{name}"' for name in names)))
    write_scripted_whisper(tmp_path / "tiny", (" hello",))
    config = TranscribeConfig(model="tiny")
    assert choose_engine(config, tmp_path).info.name == "faster-whisper"
    assert find_whisper("tiny", models=tmp_path) == Found("tiny", tmp_path / "tiny")
    with (tmp_path / "tiny" / "model.bin").open("r+b") as file:
        file.write(b"XXXX")
    rough = choose_engine(config, tmp_path).info
    assert rough.name == "pocketsphinx"
    assert "the model tiny is damaged: model.bin has another hash" in rough.reason
    with pytest.raises(EngineUnavailableError, match="the model tiny is damaged"):
        choose_engine(TranscribeConfig(model="tiny", engine="faster-whisper"), tmp_path)
