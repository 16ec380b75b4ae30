"""Writes .tflite files with the inputs and outputs of YAMNet's, which cannot be downloaded everywhere.

Their one talent: class 393 (smoke detector) goes with how much a second of sound is like a tone of 3 kHz; all
other classes are unlikely.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from minerva_tools.sounds.tflite import Writer

SAMPLES: Final = 15_600
CLASSES: Final = 521
SMOKE: Final = 393
HERTZ: Final = 3000.0
PATCH: Final = (96, 64)


def tone() -> np.ndarray:
    """float32 (15600,): what class 393 listens for."""
    return np.sin(2 * np.pi * HERTZ * np.arange(SAMPLES) / 16_000).astype(np.float32)


def write(shape: tuple[int, ...] = (SAMPLES,), *, any_length: bool = False, classes: int = CLASSES) -> bytes:
    """A file whose input is float32 of that shape; `any_length`: 1 in the file, to be resized."""
    count = int(np.prod(shape))
    template = tone() * 2 / SAMPLES if count == SAMPLES else np.full(count, 1 / count, np.float32)
    writer = Writer("shaped like YAMNet")
    float32 = np.float32
    source = writer.tensor("waveform", (1,) if any_length else shape, float32, any_length=any_length)
    target = writer.tensor("shape", (2,), np.int32, data=np.array([1, count]))
    flat = writer.tensor("flat", (1, count), float32)
    reshape: Any = schema.ReshapeOptionsT()
    reshape.newShape = [1, count]
    writer.operator(
        schema.BuiltinOperator.RESHAPE,
        [source, target],
        [flat],
        schema.BuiltinOptions.ReshapeOptions,
        reshape,
    )
    likeness = _dense(writer, flat, template[None], np.zeros(1), 1)
    slope = np.zeros((classes, 1))
    offset = np.full(classes, -8.0)
    slope[SMOKE % classes], offset[SMOKE % classes] = 20.0, -10.0
    logits = _dense(writer, likeness, slope, offset, classes)
    scores = writer.tensor("scores", (1, classes), float32)
    writer.logistic(logits, scores)
    return writer.finish([source], [scores])


def _dense(writer: Writer, source: int, weights: np.ndarray, bias: np.ndarray, outputs: int) -> int:
    kernel = writer.tensor("weights", weights.shape, np.float32, data=weights)
    offset = writer.tensor("bias", bias.shape, np.float32, data=bias)
    out = writer.tensor("out", (1, outputs), np.float32)
    options: Any = schema.FullyConnectedOptionsT()
    kind = schema.BuiltinOptions.FullyConnectedOptions
    writer.operator(schema.BuiltinOperator.FULLY_CONNECTED, [source, kernel, offset], [out], kind, options)
    return out
