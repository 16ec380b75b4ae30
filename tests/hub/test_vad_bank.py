"""The rebuilt network against the original, stream by stream, and other files instead of it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from minerva_hub.errors import EngineUnavailableError
from minerva_hub.segment import VadBank, silero
from onnx import numpy_helper
from synthetic_voice import voice


def windows_of(sound: np.ndarray) -> np.ndarray:
    padded = np.concatenate([np.zeros(64, np.float32), sound])
    return np.lib.stride_tricks.sliding_window_view(padded, 576)[::512]


@pytest.fixture(scope="module")
def original():
    return silero.open_session(str(silero.model_path()))


def test_interleaved_streams_equal_the_original_network(original):
    streams = [windows_of(voice(seed, 90)) for seed in range(5)]
    streams.append(windows_of((0.1 * np.random.default_rng(9).standard_normal(90 * 512)).astype(np.float32)))
    expected = [silero.run_sequence(original, s) for s in streams]
    assert max(e.max() for e in expected) > 0.8, "the signal is speech-like enough to move the network"
    assert min(e.min() for e in expected) < 0.1

    bank = VadBank()
    slots = [bank.open() for _ in streams]
    got: list[list[float]] = [[] for _ in streams]
    rng = np.random.default_rng(1)
    while any(len(g) < 90 for g in got):
        turn = [i for i in rng.permutation(len(streams)) if len(got[i]) < 90 and rng.random() < 0.6]
        if turn:
            rows = np.stack([streams[i][len(got[i])] for i in turn])
            for i, p in zip(turn, bank.infer(np.array([slots[i] for i in turn]), rows), strict=True):
                got[i].append(float(p))
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert bank.windows == 90 * len(streams)


def test_many_slots_in_several_calls(original):
    bank = VadBank()
    slots = np.array([bank.open() for _ in range(300)])
    assert sorted(slots) == list(range(300))
    first, second = windows_of(voice(3, 2))
    bank.infer(slots, np.tile(first, (300, 1)))
    got = bank.infer(slots, np.tile(second, (300, 1)))
    np.testing.assert_allclose(got, silero.run_sequence(original, np.stack([first, second]))[1], atol=1e-4)


def test_reset_and_reused_slots_begin_anew():
    bank = VadBank()
    slot = bank.open()
    first, second = windows_of(voice(4, 2))
    fresh = bank.infer(np.array([slot]), first[None])
    bank.infer(np.array([slot]), second[None])
    bank.reset(slot)
    assert bank.infer(np.array([slot]), first[None]) == fresh
    bank.close(slot)
    assert bank.open() == slot
    assert bank.infer(np.array([slot]), first[None]) == fresh


def test_no_faster_whisper(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(silero, "find_spec", lambda name: None)
    with pytest.raises(EngineUnavailableError, match="no faster-whisper is installed"):
        VadBank()


def test_not_a_model(tmp_path: Path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(EngineUnavailableError, match=r"m\.onnx: not the Silero VAD network known here"):
        VadBank(path)


def changed(path: Path, name: str, change) -> Path:
    model = onnx.load(silero.model_path())
    tensor = next(i for i in model.graph.initializer if i.name == name)
    tensor.CopyFrom(change(tensor))
    onnx.save(model, path)
    return path


def test_another_shape_is_named(tmp_path: Path):
    path = changed(
        tmp_path / "m.onnx",
        "decoder.conv1d.weight",
        lambda t: numpy_helper.from_array(np.zeros((1, 64, 1), np.float32), t.name),
    )
    with pytest.raises(EngineUnavailableError, match=r"conv1d\.weight is of shape \(1, 64, 1\), it should"):
        VadBank(path)


def test_the_same_names_with_another_meaning_are_noticed(tmp_path: Path):
    """A node that changes what the weights mean: only the comparison of outputs can see it."""
    model = onnx.load(silero.model_path())
    node = next(n for n in model.graph.node if n.op_type == "Sqrt")
    node.op_type = "Identity"
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    with pytest.raises(EngineUnavailableError, match="probabilities differ by"):
        VadBank(path)
