"""The sound network's shape: what training, export and the device's kernels all go by.

An input of 96 hops by 64 bands; convolutions that halve time and frequency; the mean over time, so that where
in the spectrum something is stays known; a logit for each label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from minerva_hub.acoustic.labels import LABELS

HOPS: Final = 96
BANDS: Final = 64
INPUT_SCALE: Final = 1 / 21.25  # of an input step, so that the input is ln(mel) + 7
INPUT_ZERO: Final = -128


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution: `full` over all channels, `depth` within each. Padding is TensorFlow's SAME."""

    kind: Literal["full", "depth"]
    kernel: int
    stride: int
    outputs: int


LAYERS: Final = (
    Layer("full", 4, 4, 24),
    Layer("depth", 3, 2, 24),
    Layer("full", 1, 1, 48),
    Layer("depth", 3, 1, 48),
    Layer("full", 1, 1, 64),
    Layer("depth", 3, 2, 64),
    Layer("full", 1, 1, 96),
    Layer("depth", 3, 1, 96),
    Layer("full", 1, 1, 128),
)
STRIDE: Final = 16  # of all layers together
POOL_HOPS: Final = HOPS // STRIDE
POOL_BANDS: Final = BANDS // STRIDE
OUTPUTS: Final = len(LABELS)


def kernel_shape(layer: Layer, inputs: int) -> tuple[int, int, int, int]:
    """Of the weights in the file: (outputs, k, k, inputs), or (1, k, k, outputs) within channels."""
    k = layer.kernel
    return (layer.outputs, k, k, inputs) if layer.kind == "full" else (1, k, k, layer.outputs)


def products() -> int:
    """Multiplications for a patch."""
    total, inputs, height, width = 0, 1, HOPS, BANDS
    for layer in LAYERS:
        height, width = -(-height // layer.stride), -(-width // layer.stride)
        each = layer.kernel**2 * (inputs if layer.kind == "full" else 1)
        total += height * width * layer.outputs * each
        inputs = layer.outputs
    return total + POOL_BANDS * inputs * OUTPUTS


def weights() -> int:
    """How many weights there are, biases apart."""
    total, inputs = 0, 1
    for layer in LAYERS:
        a, b, c, d = kernel_shape(layer, inputs)
        total += a * b * c * d
        inputs = layer.outputs
    return total + POOL_BANDS * inputs * OUTPUTS
