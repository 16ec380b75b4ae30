"""Writes the sound network for the firmware in Rust, from models/minerva-sounds.tflite.

`python -m minerva_tools.sounds.rust` writes `weights.bin` and `network.rs` of `crates/sound`; `--check` says
whether they are what the file gives. The table of LOGISTIC is what LiteRT's reference kernel gives.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from minerva_hub.acoustic.labels import LABELS
from minerva_hub.acoustic.own import FILE
from minerva_hub.models import shipped
from numpy.typing import NDArray

from minerva_tools.sounds.export import LOGIT_SCALE, LOWEST, SCORE_SCALE
from minerva_tools.sounds.network import BANDS, HOPS
from minerva_tools.sounds.tflite import Writer

CRATE: Final = Path(__file__).parents[3] / "firmware_rs" / "crates" / "sound" / "src"


class Graph:
    """A .tflite file's one graph, by its tensors."""

    def __init__(self, content: bytes) -> None:
        self._model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
        self.graph: Any = self._model.subgraphs[0]

    def code(self, operator: Any) -> int:
        """The operator's number in the schema."""
        return int(self._model.operatorCodes[operator.opcodeIndex].builtinCode)

    def data(self, tensor: int, kind: type[np.generic]) -> NDArray[Any]:
        """A constant tensor."""
        one = self.graph.tensors[tensor]
        raw = np.asarray(self._model.buffers[one.buffer].data, np.uint8).tobytes()
        return np.frombuffer(raw, kind).reshape([int(n) for n in one.shape])

    def scales(self, tensor: int) -> NDArray[np.float32]:
        """A tensor's scales."""
        return np.asarray(self.graph.tensors[tensor].quantization.scale, np.float32)

    def zero(self, tensor: int) -> int:
        """What zero is in a tensor."""
        return int(self.graph.tensors[tensor].quantization.zeroPoint[0])

    def shape(self, tensor: int) -> tuple[int, ...]:
        """A tensor's shape."""
        return tuple(int(n) for n in self.graph.tensors[tensor].shape)


def factor(real: float) -> tuple[int, int]:
    """A factor as a fraction of 2^31 and a power of two, as LiteRT rounds it."""
    fraction, shift = math.frexp(real)
    whole = math.floor(fraction * (1 << 31) + 0.5)
    if whole == 1 << 31:
        whole, shift = whole // 2, shift + 1
    return (0, 0) if shift < -31 else (whole, shift)


def convolutions(graph: Graph) -> list[dict[str, Any]]:
    """The convolutions in their order, as the fields of the crate's `Layer`."""
    out = []
    for operator in graph.graph.operators:
        code = graph.code(operator)
        if code not in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D):
            continue
        depth = code == schema.BuiltinOperator.DEPTHWISE_CONV_2D
        source, weights, bias = (int(n) for n in operator.inputs)
        target = int(operator.outputs[0])
        if graph.zero(source) != LOWEST:
            raise ValueError(f"the kernels take zero at {LOWEST}, {source} has it at {graph.zero(source)}")
        factors = [
            factor(float(graph.scales(source)[0]) * float(scale) / float(graph.scales(target)[0]))
            for scale in graph.scales(weights)
        ]
        _, height, width, _ = graph.shape(weights)
        options = operator.builtinOptions
        out.append(
            {
                "depth": depth,
                "kernel": (height, width),
                "stride": int(options.strideH),
                "same": options.padding == schema.Padding.SAME,
                "inputs": graph.shape(source)[3],
                "outputs": graph.shape(target)[3],
                "zero": graph.zero(target),
                "weights": graph.data(weights, np.int8),
                "bias": graph.data(bias, np.int32).tolist(),
                "multiplier": [whole for whole, _ in factors],
                "shift": [shift for _, shift in factors],
                "activations": int(np.prod(graph.shape(target))),
                "rows": graph.shape(target)[1],
            }
        )
    return out


def logistic() -> list[int]:
    """int8 logits from -128 on -> int8 scores, by the reference kernel."""
    writer = Writer("logistic")
    source = writer.tensor("logits", (256,), np.int8, scale=[LOGIT_SCALE])
    target = writer.tensor("scores", (256,), np.int8, scale=[SCORE_SCALE], zero=LOWEST)
    writer.logistic(source, target)
    kernels = OpResolverType.BUILTIN_REF
    one = Interpreter(model_content=writer.finish([source], [target]), experimental_op_resolver_type=kernels)
    one.allocate_tensors()
    one.set_tensor(one.get_input_details()[0]["index"], np.arange(-128, 128).astype(np.int8))
    one.invoke()
    table: list[int] = one.get_tensor(one.get_output_details()[0]["index"]).tolist()
    return table


def files(content: bytes) -> Mapping[str, bytes]:
    """The crate's generated files, by name."""
    found = convolutions(Graph(content))
    packed, layers = b"", []
    for layer in found:
        raw = layer["weights"].tobytes()
        layers.append(_layer(layer, len(packed), len(packed) + len(raw)))
        packed += raw
    last = found[-2]
    lines = [
        "//! The network's shape and scales, written by `python -m minerva_tools.sounds.rust`.",
        "",
        "use crate::kernels::Layer;",
        "",
        "static WEIGHTS: &[u8; " + str(len(packed)) + '] = include_bytes!("weights.bin");',
        "",
        "pub(crate) const INPUT_HEIGHT: usize = " + f"{HOPS};",
        "pub(crate) const INPUT_WIDTH: usize = " + f"{BANDS};",
        "",
        "/// The most activations that a layer has, or the input.",
        f"pub(crate) const ACTIVATIONS: usize = {max(HOPS * BANDS, *(one['activations'] for one in found))};",
        "",
        "/// Rows and channels by columns of the last layer but the logits.",
        f"pub(crate) const ROWS: usize = {last['rows']};",
        f"pub(crate) const CHANNELS: usize = {last['activations'] // last['rows']};",
        "",
        "/// The labels, in the order of the scores.",
        "#[rustfmt::skip]",
        f"pub const LABELS: [&str; {len(LABELS)}] = {_list(_quoted(label) for label in LABELS)};",
        "",
        "#[rustfmt::skip]",
        f"pub(crate) static LAYERS: [Layer; {len(layers) - 1}] = [",
        *(f"    {one}," for one in layers[:-1]),
        "];",
        "",
        "#[rustfmt::skip]",
        f"pub(crate) static LOGITS: Layer = {layers[-1]};",
        "",
        "/// Scores of the logits from -128 on.",
        "#[rustfmt::skip]",
        f"pub(crate) static LOGISTIC: [i8; 256] = {_list(logistic())};",
        "",
    ]
    return {"network.rs": "\n".join(lines).encode(), "weights.bin": packed}


def _quoted(text: str) -> str:
    return f'"{text}"'


def _list(values: Any) -> str:
    return f"[{', '.join(str(value) for value in values)}]"


def _layer(layer: Mapping[str, Any], begin: int, end: int) -> str:
    plain = ("kernel", "stride", "inputs", "outputs", "zero")
    told = [f"{name}: {str(layer[name]).lower()}" for name in ("depth", "same")]
    told += [f"{name}: {layer[name]}" for name in plain]
    told.append(f"weights: WEIGHTS.split_at({end}).0.split_at({begin}).1")
    told += [f"{name}: &{_list(layer[name])}" for name in ("bias", "multiplier", "shift")]
    return f"Layer {{ {', '.join(told)} }}"


def main(arguments: list[str]) -> int:
    """Write the files, or compare them."""
    wrong = []
    for name, content in files(shipped(FILE).read_bytes()).items():
        path = CRATE / name
        if "--check" not in arguments:
            path.write_bytes(content)
        elif not path.is_file() or path.read_bytes() != content:
            wrong.append(name)
    if wrong:
        told = f"{', '.join(wrong)} in {CRATE}: not what {FILE} gives"
        print(f"{told}; run python -m minerva_tools.sounds.rust", file=sys.stderr)
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
