"""From trained weights to 8-bit integers: scales per channel, biases, the .tflite file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from minerva_hub.acoustic.labels import LABELS
from numpy.typing import NDArray

from minerva_tools.sounds.network import (
    BANDS,
    HOPS,
    INPUT_SCALE,
    INPUT_ZERO,
    LAYERS,
    OUTPUTS,
    POOL_BANDS,
    POOL_HOPS,
    kernel_shape,
)
from minerva_tools.sounds.tflite import Writer

Floats = NDArray[np.floating[Any]]
LOGIT_SCALE: Final = 1 / 10  # logits from -12.8 to 12.7
SCORE_SCALE: Final = 1 / 256  # what LOGISTIC gives by its definition
LOWEST: Final = -128


def weight_scales(weights: Floats, axis: int) -> Floats:
    """The step of each output's weights, so that the largest is 127."""
    other = tuple(n for n in range(weights.ndim) if n != axis)
    steps: Floats = np.maximum(np.abs(weights).max(axis=other), 1e-6) / 127
    return steps


def tflite(parameters: Mapping[str, Floats], tops: Floats) -> bytes:
    """Weights `w0`, `b0`, ... and `w_out`, `b_out`; each layer's largest activation -> the file."""
    writer = Writer(f"Minerva sounds: {', '.join(LABELS)}")
    scale, height, width, inputs = INPUT_SCALE, HOPS, BANDS, 1
    source = first = writer.tensor("patch", (1, height, width, 1), np.int8, scale=[scale], zero=INPUT_ZERO)
    for n, layer in enumerate(LAYERS):
        depth = layer.kind == "depth"
        weights = np.asarray(parameters[f"w{n}"], np.float64).reshape(kernel_shape(layer, inputs))
        steps = weight_scales(weights, 3 if depth else 0)
        height, width, inputs = -(-height // layer.stride), -(-width // layer.stride), layer.outputs
        top = float(tops[n]) / 255
        output = writer.tensor(f"layer{n}", (1, height, width, inputs), np.int8, scale=[top], zero=LOWEST)
        tensors = _weights(writer, f"layer{n}", weights, np.asarray(parameters[f"b{n}"]), steps, scale, depth)
        writer.convolution([source, *tensors], output, layer.stride, depth=depth)
        source, scale = output, top
    mean = writer.tensor("mean", (1, 1, POOL_BANDS, inputs), np.int8, scale=[scale], zero=LOWEST)
    writer.mean_over(source, mean, POOL_HOPS, 1)
    weights = np.asarray(parameters["w_out"], np.float64).reshape(OUTPUTS, 1, POOL_BANDS, inputs)
    steps = weight_scales(weights, 0)
    logits = writer.tensor("logits", (1, 1, 1, OUTPUTS), np.int8, scale=[LOGIT_SCALE], zero=0)
    tensors = _weights(writer, "out", weights, np.asarray(parameters["b_out"]), steps, scale, False)
    writer.convolution([mean, *tensors], logits, 1, same=False, relu=False)
    scores = writer.tensor("scores", (1, 1, 1, OUTPUTS), np.int8, scale=[SCORE_SCALE], zero=LOWEST)
    writer.logistic(logits, scores)
    return writer.finish([first], [scores])


def _weights(
    writer: Writer, name: str, weights: Floats, bias: Floats, steps: Floats, scale: float, depth: bool
) -> tuple[int, int]:
    shape = (1, 1, 1, -1) if depth else (-1, 1, 1, 1)
    whole = np.clip(np.round(weights / steps.reshape(shape)), -127, 127).astype(np.int8)
    axis = 3 if depth else 0
    kernel = writer.tensor(f"{name}_weights", whole.shape, np.int8, data=whole, scale=list(steps), axis=axis)
    units = scale * steps
    sums = np.round(bias / units).astype(np.int32)
    return kernel, writer.tensor(f"{name}_bias", sums.shape, np.int32, data=sums, scale=list(units))
