"""Sound engines: what they make of known patches and samples, and of files that are not theirs."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from minerva_hub.acoustic.base import MAX_BATCH, Batch
from minerva_hub.acoustic.choose import choose_sounds
from minerva_hub.acoustic.labels import ALARMS, BACKGROUND, LABELS
from minerva_hub.acoustic.own import FILE, OwnEngine
from minerva_hub.acoustic.yamnet import CLASSES, MAPPING, YamnetEngine, _read_back, to_labels
from minerva_hub.audio.mel64 import read_back
from minerva_hub.config import SoundsConfig
from minerva_hub.errors import EngineUnavailableError
from minerva_hub.models import Found, Missing, own_models, shipped

from tests.fakes import yamnet_shaped

VECTORS = Path(__file__).parents[1] / "vectors" / "sounds.bin"
SMOKE = LABELS.index("smoke_alarm")


@pytest.fixture(scope="module")
def own() -> OwnEngine:
    return OwnEngine(shipped(FILE), "test")


@pytest.fixture
def known() -> dict[str, np.ndarray]:
    rows = np.frombuffer(VECTORS.read_bytes(), np.uint8).reshape(-1, 96 * 64 + len(LABELS))
    patches, scores = rows[:, : 96 * 64], rows[:, 96 * 64 :]
    return {"patches": patches.reshape(-1, 96, 64), "scores": scores.view(np.int8)}


def test_the_own_network_names_what_it_should(own: OwnEngine, known: dict[str, np.ndarray]) -> None:
    scores = own.scores(Batch(known["patches"][: len(LABELS)]))
    assert scores.shape == (len(LABELS), len(LABELS))
    assert [LABELS[n] for n in scores.argmax(1)] == list(LABELS)
    assert scores.diagonal().min() > 0.5


def test_a_batch_is_its_patches_one_by_one(own: OwnEngine, known: dict[str, np.ndarray]) -> None:
    one_by_one = [own.scores(Batch(patch[None]))[0] for patch in known["patches"]]
    assert np.array_equal(own.scores(Batch(known["patches"])), np.stack(one_by_one))
    assert own.scores(Batch(known["patches"][:0])).shape == (0, len(LABELS))


def test_the_hub_agrees_with_the_reference(own: OwnEngine, known: dict[str, np.ndarray]) -> None:
    """On x86-64 to the bit; elsewhere LiteRT's kernels may round a step otherwise."""
    reference = (known["scores"].astype(np.float32) + 128) / 256
    assert np.abs(own.scores(Batch(known["patches"])) - reference).max() <= 2 / 256


@pytest.mark.parametrize(
    ("patches", "told"),
    [
        (np.zeros((1, 96, 64), np.float32), "float32"),
        (np.zeros((1, 95, 64), np.uint8), "(1, 95, 64)"),
        (np.zeros((96, 64), np.uint8), "(96, 64)"),
        (np.zeros((MAX_BATCH + 1, 96, 64), np.uint8), f"{MAX_BATCH}"),
    ],
)
def test_other_patches_are_refused(own: OwnEngine, patches: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        own.scores(Batch(patches))


def test_the_file_is_the_one_that_the_list_states() -> None:
    (listed,) = [one for one in own_models() if one.file == FILE]
    content = shipped(FILE).read_bytes()
    assert (listed.size, listed.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert len(content) <= 100_000
    assert listed.stage == "sounds"
    assert shipped(listed.card).is_file()


def test_labels_are_the_same_in_code_file_and_card() -> None:
    (listed,) = [one for one in own_models() if one.file == FILE]
    card = shipped(listed.card).read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\| `([a-z_]+)` \|", card, re.MULTILINE)) == LABELS
    assert ", ".join(LABELS).encode() in shipped(FILE).read_bytes()
    assert set(MAPPING) <= set(LABELS)
    assert set(ALARMS) | set(BACKGROUND) <= set(LABELS)
    assert "life-safety" in card


def _damaged(tmp_path: Path, content: bytes, name: str = "own.tflite") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("engine", [OwnEngine, YamnetEngine])
def test_files_that_are_no_model(tmp_path: Path, engine: type[OwnEngine] | type[YamnetEngine]) -> None:
    whole = shipped(FILE).read_bytes()
    with pytest.raises(EngineUnavailableError, match=r"missing.tflite cannot be read: No such file"):
        engine(tmp_path / "missing.tflite", "")
    with pytest.raises(EngineUnavailableError, match=r"cannot be read: Is a directory"):
        engine(tmp_path, "")
    with pytest.raises(EngineUnavailableError, match=r"own.tflite is no .tflite file"):
        engine(_damaged(tmp_path, b"<html>not found</html>"), "")
    with pytest.raises(EngineUnavailableError, match=r"own.tflite is no .tflite file"):
        engine(_damaged(tmp_path, b""), "")
    for length in (12, 1000, len(whole) // 2, len(whole) - 1):
        with pytest.raises(EngineUnavailableError, match=rf"own.tflite \({length} bytes\) is truncated"):
            engine(_damaged(tmp_path, whole[:length]), "")


def test_models_of_another_kind(tmp_path: Path) -> None:
    shaped = _damaged(tmp_path, yamnet_shaped.write(), "yamnet.tflite")
    with pytest.raises(EngineUnavailableError, match=r"another network than Minerva's: its input is float32"):
        OwnEngine(shaped, "")
    with pytest.raises(EngineUnavailableError, match=r"is no YAMNet: its input is int8"):
        YamnetEngine(shipped(FILE), "")
    other = _damaged(tmp_path, yamnet_shaped.write(classes=10), "other.tflite")
    with pytest.raises(EngineUnavailableError, match=r"is no YAMNet: its outputs are \(1, 10\)"):
        YamnetEngine(other, "")


@pytest.mark.parametrize(("shape", "any_length"), [((15600,), False), ((1, 15600), False), ((15600,), True)])
def test_yamnet_takes_samples(tmp_path: Path, shape: tuple[int, ...], any_length: bool) -> None:
    engine = YamnetEngine(_damaged(tmp_path, yamnet_shaped.write(shape, any_length=any_length)), "")
    assert engine.needs_samples
    tone = np.round(yamnet_shaped.tone() * 32000).astype(np.int16)
    batch = Batch(np.zeros((2, 96, 64), np.uint8), np.stack([tone, np.zeros_like(tone)]))
    scores = engine.scores(batch)
    assert scores[0, SMOKE] > 0.99
    assert scores[1].max() < 0.01
    assert np.delete(scores[0], SMOKE).max() < 0.01
    with pytest.raises(ValueError, match="features alone"):
        engine.scores(Batch(batch.patches))


def test_a_yamnet_core_takes_patches(tmp_path: Path) -> None:
    engine = YamnetEngine(_damaged(tmp_path, yamnet_shaped.write((1, 96, 64, 1))), "")
    assert not engine.needs_samples
    loud, quiet = np.full((96, 64), 255, np.uint8), np.zeros((96, 64), np.uint8)
    scores = engine.scores(Batch(np.stack([loud, quiet])))
    assert scores[0, SMOKE] > 0.99
    assert scores[1, SMOKE] < 0.01


def test_patches_are_read_back_as_the_features_are() -> None:
    rows = np.arange(256, dtype=np.uint8).reshape(4, 64)
    assert np.array_equal(_read_back(rows), read_back(rows))


def test_the_classes_of_yamnet_are_in_its_order() -> None:
    classes = np.zeros((CLASSES, CLASSES))
    np.fill_diagonal(classes, 1.0)
    scores = to_labels(classes)
    for label, numbers in MAPPING.items():
        assert sorted(np.flatnonzero(scores[:, LABELS.index(label)])) == sorted(numbers)


def test_auto_takes_yamnet_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(engine: str, found: Found | Missing) -> str:
        monkeypatch.setattr("minerva_hub.acoustic.choose.find_yamnet", lambda models: found)
        config = SoundsConfig(engine=engine)  # type: ignore[arg-type]
        one = choose_sounds(config, tmp_path)
        return "off" if one is None else f"{one.info.name}: {one.info.reason}"

    _damaged(tmp_path, yamnet_shaped.write(), "yamnet.tflite")
    there, missing = Found("yamnet", tmp_path, "yamnet.tflite"), Missing("yamnet", "yamnet is not in models")
    broken = Found("yamnet", tmp_path, "broken.tflite")
    assert chosen("auto", there) == "yamnet: YAMNet on disk."
    assert chosen("yamnet", there) == "yamnet: Asked for in the settings."
    assert chosen("own", there).startswith("own: Asked for in the settings. ")
    assert chosen("auto", missing).startswith("own: No YAMNet on disk")
    assert "broken.tflite cannot be read" in chosen("auto", broken)
    assert chosen("off", there) == "off"
    with pytest.raises(EngineUnavailableError, match="yamnet is not in models"):
        chosen("yamnet", missing)
    with pytest.raises(EngineUnavailableError, match=r"broken.tflite cannot be read"):
        chosen("yamnet", broken)


def test_beside_yamnet_features_alone_are_judged_by_the_own_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: OwnEngine, known: dict[str, np.ndarray]
) -> None:
    _damaged(tmp_path, yamnet_shaped.write(), "yamnet.tflite")
    found = Found("yamnet", tmp_path, "yamnet.tflite")
    monkeypatch.setattr("minerva_hub.acoustic.choose.find_yamnet", lambda models: found)
    engine = choose_sounds(SoundsConfig(), tmp_path)
    assert engine is not None
    assert np.array_equal(engine.scores(Batch(known["patches"])), own.scores(Batch(known["patches"])))
    tone = np.round(yamnet_shaped.tone() * 32000).astype(np.int16)[None]
    assert engine.scores(Batch(known["patches"][:1], tone))[0, SMOKE] > 0.99


def test_a_shipped_network_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = bytearray(shipped(FILE).read_bytes())
    changed[len(changed) // 2] ^= 1
    path = _damaged(tmp_path, bytes(changed), FILE)
    monkeypatch.setattr("minerva_hub.acoustic.choose.shipped", lambda name: path)
    with pytest.raises(EngineUnavailableError, match="has the SHA-256"):
        choose_sounds(SoundsConfig(engine="own"), tmp_path)
