"""Writes sounds.bin: patches, each with what LiteRT's reference kernels make of it.

One after another: a patch, uint8 (96, 64), and its scores, int8 (14,), which a device must equal to the bit.
First a patch of each label in turn, from the held-out list, then some that no sound gives. `--check` compares
with what is there; patches may differ by a step, as sines do between machines.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from minerva_hub.acoustic.labels import LABELS
from minerva_hub.acoustic.own import FILE
from minerva_hub.audio.mel64 import log_mel, quantise
from minerva_hub.models import shipped
from minerva_tools.sounds import clips, judging
from minerva_tools.sounds.families import HELD

VECTORS = Path(__file__).with_name("sounds.bin")
SEED = 5
TRIES = 6  # clips of each label, of which the clearest patch is taken
SNR_DB = 20.0


def reference(patches: np.ndarray) -> np.ndarray:
    """uint8 (n, 96, 64) -> int8 (n, labels) by the reference kernels."""
    kernels = OpResolverType.BUILTIN_REF
    one = Interpreter(str(shipped(FILE)), num_threads=1, experimental_op_resolver_type=kernels)
    one.allocate_tensors()
    source, target = one.get_input_details()[0]["index"], one.get_output_details()[0]["index"]
    out = []
    for patch in patches:
        one.set_tensor(source, (patch ^ 0x80).view(np.int8)[None, :, :, None])
        one.invoke()
        out.append(one.get_tensor(target).reshape(-1).copy())
    return np.stack(out)


def clearest(label: str) -> np.ndarray:
    """The patch that the network is surest of, of some clips of the label."""
    best, most = None, -1000
    for number in range(TRIES):
        rng = np.random.default_rng([SEED, number])
        clip = clips.make(label, HELD[label][number % len(HELD[label])], "held", rng, SNR_DB)
        found = judging.patches(quantise(log_mel(clip.pcm)))
        scores = reference(found).astype(int)
        mine = scores[:, LABELS.index(label)]
        margin = 2 * mine - np.delete(scores, LABELS.index(label), axis=1).max(1)
        if margin.max() > most:
            best, most = found[margin.argmax()], margin.max()
    assert best is not None
    return best


def odd() -> list[np.ndarray]:
    """Patches at the ends of what a patch can be."""
    rng = np.random.default_rng(SEED)
    ramp = np.add.outer(np.arange(96) * 2, np.arange(64)).astype(np.uint8)
    checks = np.where(np.indices((96, 64)).sum(0) % 2, 255, 0).astype(np.uint8)
    noise = [rng.integers(0, top, (96, 64)).astype(np.uint8) for top in (256, 64, 8)]
    return [np.zeros((96, 64), np.uint8), np.full((96, 64), 255, np.uint8), ramp, checks, *noise]


def load() -> tuple[np.ndarray, np.ndarray]:
    """What is there: patches (n, 96, 64) and scores (n, 14)."""
    rows = np.frombuffer(VECTORS.read_bytes(), np.uint8).reshape(-1, 96 * 64 + len(LABELS))
    return rows[:, : 96 * 64].reshape(-1, 96, 64), rows[:, 96 * 64 :].view(np.int8)


def main(arguments: list[str]) -> int:
    """Write, or compare."""
    patches = np.stack([*map(clearest, LABELS), *odd()])
    if "--check" not in arguments:
        scores = reference(patches).view(np.uint8)
        VECTORS.write_bytes(np.hstack([patches.reshape(len(patches), -1), scores]).tobytes())
        return 0
    kept, scores = load()
    steps = np.abs(patches.astype(int) - kept).max()
    same = np.array_equal(reference(kept), scores)
    if steps > 1 or not same:
        told = f"patches differ by {steps} steps, scores {'agree' if same else 'differ'}"
        print(f"{VECTORS.name}: {told}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
