"""The gate's network: inputs and scores in integers, as the Rust gate computes them, for whole recordings.

The weights are kept in data/gate_network.json; `python -m minerva_tools.gate.network` writes the Rust gate's
constants from them, `--check` says whether they agree.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

BANDS: Final = 64
CHANNELS: Final = 16
DILATIONS: Final = (1, 2, 4, 8, 16, 32)
LOGIT: Final = 1024
WEIGHTS: Final = Path(__file__).parents[1] / "data" / "gate_network.json"
RUST: Final = Path(__file__).parents[3] / "firmware_rs/crates/dsp/src/gate/weights.rs"

_FLOOR_UP: Final = 4
_FLOOR_DOWN_SHIFT: Final = 3
_MEAN_SHIFT: Final = 6
TONE_FRAMES: Final = 4
_TONE_OVER_FLOOR: Final = 28
_TONE_OVER_MEAN: Final = 20

Ints = NDArray[np.int64]
Network = Mapping[str, Ints]
"""dense (16,128), dense_bias (16,), now and before (6,16,16) as [layer, to, from], bias (6,16), out (7,16),
out_bias ()."""


def inputs(hops: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Hops uint8 (..., n,2,64) -> (inputs int8 (..., n,128), frames that a band has stood out (..., n))."""
    twice = np.moveaxis(hops.sum(-2, dtype=np.int32), -2, 0)  # (n, ..., 64)
    level = twice << 4
    floor, mean = level[0].copy(), level[0].copy()
    standing = np.zeros(level.shape[1:], np.int32)
    out = np.zeros((*twice.shape[:-1], 2 * BANDS), np.int8)
    longest = np.zeros(twice.shape[:-1], np.int32)
    for at, now in enumerate(level):
        rise = now - floor
        floor += np.where(rise < 0, rise >> _FLOOR_DOWN_SHIFT, np.minimum(rise, _FLOOR_UP))
        over_floor = (now - floor) >> 5
        over_mean = now - mean
        mean += over_mean >> _MEAN_SHIFT
        stands = (over_floor >= _TONE_OVER_FLOOR) & (over_mean >> 5 >= _TONE_OVER_MEAN)
        standing = np.where(stands, standing + 1, np.maximum(np.minimum(standing, TONE_FRAMES) - 1, 0))
        longest[at] = standing.max(-1)
        out[at, ..., :BANDS] = np.clip(over_floor, -64, 127)
        whole = twice[at].sum(-1, keepdims=True) >> 6
        out[at, ..., BANDS:] = np.clip((twice[at] - whole) >> 1, -64, 63)
    return np.moveaxis(out, 0, -2), np.moveaxis(longest, 0, -1)


def scores(network: Network, rows: NDArray[np.int8]) -> Ints:
    """Inputs int8 (n,128) from the stream's start -> logits times LOGIT (n,)."""
    now = _activation(rows.astype(np.int64) @ network["dense"].T + network["dense_bias"])
    total: Ints = network["out_bias"] + now @ network["out"][0]
    for layer, back in enumerate(DILATIONS):
        before = np.zeros_like(now)
        before[back:] = now[:-back]
        sums = now @ network["now"][layer].T + before @ network["before"][layer].T + network["bias"][layer]
        now = _activation(sums)
        total = total + now @ network["out"][layer + 1]
    return total


def _activation(sums: Ints) -> Ints:
    activations: Ints = np.clip((sums + 32) >> 6, 0, 127)
    return activations


def load(path: Path = WEIGHTS) -> Network:
    """The weights that were trained."""
    return {name: np.array(values, np.int64) for name, values in json.loads(path.read_text()).items()}


def save(network: Network, path: Path = WEIGHTS) -> None:
    """Keep weights, a line for each array."""
    lines = [f' "{name}": {json.dumps(values.tolist())}' for name, values in network.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def rust(network: Network) -> str:
    """The weights as the Rust gate's constants."""

    def table(what: str, name: str, kind: str, values: Ints) -> str:
        for size in reversed(values.shape):
            kind = f"[{kind}; {size}]"
        text = json.dumps(values.tolist()).replace("], ", "],\n    ")
        return f"/// {what}\n#[rustfmt::skip]\npub(super) static {name}: {kind} =\n    {text};\n"

    return (
        "//! The gate's trained weights, written by `python -m minerva_tools.gate.network`.\n\n"
        + "\n".join(
            (
                table("Inputs to channels.", "DENSE", "i8", _in_fours(network["dense"])),
                table("Of the first layer.", "DENSE_BIAS", "i32", network["dense_bias"]),
                table("Channels to those of the next layer.", "NOW", "i8", _in_fours(network["now"])),
                table(
                    "An earlier frame's to those of the next layer.",
                    "BEFORE",
                    "i8",
                    _in_fours(network["before"]),
                ),
                table("Of the later layers.", "BIAS", "i32", network["bias"]),
                table("Each layer's channels to the score.", "OUT", "i8", network["out"]),
                table("Of the score.", "OUT_BIAS", "i32", network["out_bias"]),
            )
        )
    )


def _in_fours(weights: Ints) -> Ints:
    """(..., to, from) -> (..., to / 4, from, 4): as the Rust gate walks through them."""
    *before, outputs, values = weights.shape
    return np.swapaxes(weights.reshape(*before, outputs // 4, 4, values), -1, -2)


def main(arguments: list[str]) -> int:
    """Write the Rust constants, or compare them."""
    text = rust(load())
    if "--check" not in arguments:
        RUST.write_text(text)
    elif RUST.read_text() != text:
        print(
            f"{RUST} is not what {WEIGHTS} gives: run python -m minerva_tools.gate.network", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
