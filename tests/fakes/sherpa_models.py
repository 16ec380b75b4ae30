"""Small ONNX models with the interface that sherpa-onnx checks, so that its code runs without a download.

`python -m tests.fakes.sherpa_models FOLDER` writes both. Tones stand for voices: the segmentation hears one
speaker at LOW_HZ, another at HIGH_HZ, and both at once; the embedding is where in the spectrum the sound is.
Weights are made by rule; neither model knows anything of people.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE: Final = 16_000
LOW_HZ: Final = 400.0
HIGH_HZ: Final = 1800.0
WINDOW: Final = 10 * RATE  # of the segmentation, as pyannote's
SHIFT: Final = 270  # samples a frame, as pyannote's
FIELD: Final = 991
BANDS: Final = 80  # of the features that the embedding gets
LOUD: Final = 1e-4  # mean square above which a tone is heard

SEGMENTATION: Final = {
    "model_type": "pyannote-segmentation-3.0",
    "version": "1",
    "sample_rate": RATE,
    "window_size": WINDOW,
    "receptive_field_size": FIELD,
    "receptive_field_shift": SHIFT,
    "num_speakers": 3,
    "powerset_max_classes": 2,
    "num_classes": 7,
}
EMBEDDING: Final = {
    "framework": "wespeaker",
    "language": "English",
    "sample_rate": RATE,
    "output_dim": BANDS,
    "normalize_samples": 1,
    "feature_normalize_type": "",
    "model_type": "tones",
}


def segmentation(**changed: object) -> bytes:
    """x float32 (n, 1, samples) -> y (n, frames, 7): nobody, one, two of three. None: no such key."""
    time_s = np.arange(FIELD) / RATE
    window = np.hanning(FIELD)
    filters = np.stack(
        [
            window * wave(2 * np.pi * hertz * time_s)
            for hertz in (LOW_HZ, HIGH_HZ)
            for wave in (np.cos, np.sin)
        ]
    ).astype(np.float32)[:, None]
    filters *= np.sqrt(2) / window.sum()
    # Per frame: is each tone there, 0 or 1; then a score for each class that is highest for the right one.
    pairs = np.zeros((2, 4, 1), np.float32)
    pairs[0, :2], pairs[1, 2:] = 1, 1
    scores = np.zeros((7, 2, 1), np.float32)
    scores[0], scores[1], scores[2], scores[4] = [[-1], [-1]], [[1], [-1]], [[-1], [1]], [[1.6], [1.6]]
    bias = np.array([0.5, 0, 0, -4, -1.5, -4, -4], np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "filters"], ["tones"], strides=[SHIFT]),
        helper.make_node("Mul", ["tones", "tones"], ["squares"]),
        helper.make_node("Conv", ["squares", "pairs"], ["power"]),
        helper.make_node("Greater", ["power", "loud"], ["heard"]),
        helper.make_node("Cast", ["heard"], ["there"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["there", "scores", "bias"], ["classes"]),
        helper.make_node("Transpose", ["classes"], ["y"], perm=[0, 2, 1]),
    ]
    constants = {"filters": filters, "pairs": pairs, "scores": scores, "bias": bias, "loud": np.float32(LOUD)}
    return _model(
        nodes, ("x", ["n", 1, "samples"]), ("y", ["n", "frames", 7]), constants, SEGMENTATION | changed
    )


def embedding(**changed: object) -> bytes:
    """feats float32 (n, frames, 80), log-mel -> embs (n, 80): the share of each band in the sound."""
    nodes = [
        helper.make_node("ReduceMean", ["feats"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Softmax", ["mean"], ["embs"], axis=1),
    ]
    return _model(nodes, ("feats", ["n", "frames", BANDS]), ("embs", ["n", BANDS]), {}, EMBEDDING | changed)


def write(folder: Path) -> tuple[Path, Path]:
    """Both models' files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "segmentation.onnx", folder / "embedding.onnx"
    for file, model in zip(files, (segmentation(), embedding()), strict=True):
        file.write_bytes(model)
    return files


def _model(
    nodes: list[onnx.NodeProto],
    given: tuple[str, list[int | str]],
    gives: tuple[str, list[int | str]],
    constants: dict[str, object],
    metadata: dict[str, object],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tones",
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(gives[0], TensorProto.FLOAT, gives[1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {key: str(value) for key, value in metadata.items() if value is not None})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
