"""Trains the gate's network on generated rooms; `python -m minerva_tools.gate.training` writes the weights.

Backpropagation by hand, so that numpy is all it takes: some ten minutes on two cores. The forward pass of the
second half of the training rounds as the integers will, and passes gradients straight through that.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray

from minerva_tools.gate.network import BANDS, CHANNELS, DILATIONS, LOGIT, Network, inputs, save
from minerva_tools.gate.network import main as write_rust
from minerva_tools.material.scenes import frames_of, training

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Parameters = dict[str, Floats]

SEED: Final = 8
LATE_FRAMES: Final = 8  # 160 ms: what the network may wait to be sure; the pre-roll has 480
_AROUND: Final = 15  # frames after speech that are hardly wrong either way
_BATCH: Final = 16  # scenes
_RATE: Final = 3e-3
_TOP: Final = 127 / 16  # an activation's largest value; its unit is 1/16, that of a weight 1/64
_WEIGHT_TOP: Final = 127 / 64


def scene(seed: int) -> tuple[NDArray[np.uint8], Flags, Flags, Flags]:
    """A room as hops (n,2,64), speech, alarms and unsure frames (n,)."""
    room = training(np.random.default_rng([SEED, seed]))
    return frames_of(room.pcm)[1], room.speech, room.event, room.unsure


def targets(speech: Flags, event: Flags, unsure: Flags) -> tuple[Floats, Floats]:
    """What the score should say and how much each frame counts, both (rooms, n)."""
    late = _later(speech, LATE_FRAMES)
    near = _smeared(speech)
    weight = np.ones(speech.shape, np.float32)
    weight[near & ~late] = 0.1
    weight[_smeared(event) & ~near] = 0.2  # an alarm opens the gate anyway
    weight[unsure] = 0.0
    weight[late] = 1.0
    weight[:, :10] = 0.0
    return late.astype(np.float32), weight


def _later(flags: Flags, frames: int) -> Flags:
    return np.concatenate([np.zeros((len(flags), frames), bool), flags[:, : flags.shape[1] - frames]], axis=1)


def _smeared(flags: Flags) -> Flags:
    out = flags.copy()
    for frames in range(1, _AROUND + LATE_FRAMES + 1):
        out |= _later(flags, frames)
    return out


def fresh(rng: np.random.Generator) -> Parameters:
    """Weights to begin with, from inputs to outputs."""

    def normal(*shape: int, scale: float) -> Floats:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    layers = len(DILATIONS)
    scale = 1.2 * (2 * CHANNELS) ** -0.5
    return {
        "dense": normal(2 * BANDS, CHANNELS, scale=(2 * BANDS) ** -0.5),
        "dense_bias": np.zeros(CHANNELS, np.float32),
        "now": normal(layers, CHANNELS, CHANNELS, scale=scale),
        "before": normal(layers, CHANNELS, CHANNELS, scale=scale),
        "bias": np.zeros((layers, CHANNELS), np.float32),
        "out": normal(layers + 1, CHANNELS, scale=0.1),
        "out_bias": np.zeros((), np.float32),
    }


def forward(p: Parameters, x: Floats, rounded: bool) -> tuple[Floats, list[Floats]]:
    """Inputs (rooms, n, 128) in units of 16 -> logits (rooms, n) and each layer's activations."""

    def activation(z: Floats) -> Floats:
        a: Floats = np.clip(z, 0, _TOP)
        return np.floor(a * 16 + 0.5) / 16 if rounded else a

    a = activation(x @ p["dense"] + p["dense_bias"])
    kept = [a]
    for layer, back in enumerate(DILATIONS):
        z = a @ p["now"][layer] + p["bias"][layer]
        z[:, back:] += a[:, :-back] @ p["before"][layer]
        a = activation(z)
        kept.append(a)
    logits = p["out_bias"] + sum(a @ w for a, w in zip(kept, p["out"], strict=True))
    return logits, kept


def gradients(p: Parameters, x: Floats, kept: list[Floats], error: Floats) -> Parameters:
    """Of the loss by each weight, from its gradient by the logits."""

    def by_weight(a: Floats, z: Floats) -> Floats:
        product: Floats = a.reshape(-1, a.shape[-1]).T @ z.reshape(-1, z.shape[-1])
        return product

    out = {name: np.zeros_like(value) for name, value in p.items()}
    out["out"] = np.stack([(a * error[..., None]).sum((0, 1)) for a in kept])
    out["out_bias"] = error.sum()
    by_a = error[..., None] * p["out"][-1]
    for layer in reversed(range(len(DILATIONS))):
        back, a, source = DILATIONS[layer], kept[layer + 1], kept[layer]
        by_z = by_a * ((a > 0) & (a < _TOP))
        out["now"][layer] = by_weight(source, by_z)
        out["before"][layer] = by_weight(source[:, :-back], by_z[:, back:])
        out["bias"][layer] = by_z.sum((0, 1))
        by_a = by_z @ p["now"][layer].T + error[..., None] * p["out"][layer]
        by_a[:, :-back] += by_z[:, back:] @ p["before"][layer].T
    by_z = by_a * ((kept[0] > 0) & (kept[0] < _TOP))
    out["dense"] = by_weight(x, by_z)
    out["dense_bias"] = by_z.sum((0, 1))
    return out


def rounded(p: Parameters) -> Parameters:
    """The weights as their integers will be."""
    return {name: (v / LOGIT if "bias" in name else v / 64) for name, v in _integers(p).items()}


def _integers(p: Parameters) -> Parameters:
    out = {}
    for name, value in p.items():
        if "bias" in name:
            out[name] = np.round(value * LOGIT)
        else:
            out[name] = np.clip(np.round(value * 64), -127, 127)
    return out


def fit(rows: NDArray[np.int8], wanted: Floats, weight: Floats, epochs: int, seed: int = 0) -> Parameters:
    """Adam over all rooms: rows (rooms, n, 128), what the score should say and its weight (rooms, n)."""
    rng = np.random.default_rng(seed)
    p = fresh(rng)
    first, second = ({name: np.zeros_like(v) for name, v in p.items()} for _ in range(2))
    steps, step = epochs * (len(rows) // _BATCH), 0
    for epoch in range(epochs):
        order, loss = rng.permutation(len(rows)), 0.0
        for at in range(0, len(rows) - _BATCH + 1, _BATCH):
            chosen = order[at : at + _BATCH]
            x = rows[chosen].astype(np.float32) / 16
            y, w = wanted[chosen], weight[chosen] / weight[chosen].sum()
            whole = step >= steps / 2
            used = rounded(p) if whole else p
            logits, kept = forward(used, x, whole)
            loss += float((w * (np.logaddexp(0, logits) - y * logits)).sum())
            error = (w * (1 / (1 + np.exp(-logits)) - y)).astype(np.float32)
            step += 1
            rate = _RATE * 0.5 * (1 + np.cos(np.pi * step / steps)) + 1e-5
            for name, gradient in gradients(used, x, kept, error).items():
                first[name] = 0.9 * first[name] + 0.1 * gradient
                second[name] = 0.99 * second[name] + 0.01 * gradient**2
                unbiased = first[name] / (1 - 0.9**step), second[name] / (1 - 0.99**step)
                change = rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
                p[name] = p[name] - change.astype(np.float32)
                if "bias" not in name:
                    p[name] = np.clip(p[name], -_WEIGHT_TOP, _WEIGHT_TOP)
        print(f"epoch {epoch + 1} of {epochs}: loss {loss / (len(rows) // _BATCH):.4f}", flush=True)
    return p


def integers(p: Parameters) -> Network:
    """The weights as the gate has them, from outputs to inputs."""
    whole = {name: value.astype(np.int64) for name, value in _integers(p).items()}
    turned = {name: np.swapaxes(whole[name], -1, -2) for name in ("dense", "now", "before")}
    return whole | turned


def main(
    scenes: Annotated[int, typer.Option(help="rooms of 20 s each")] = 2000,
    epochs: Annotated[int, typer.Option(help="times that each is shown")] = 20,
    workers: Annotated[int, typer.Option(help="processes that make rooms")] = 2,
    cache: Annotated[Path | None, typer.Option(help="keep the rooms here, and take them from here")] = None,
) -> None:
    """Make rooms, train, write the weights for Python and Rust."""
    if cache and cache.exists():
        loaded = np.load(cache)
        hops, *flags = (loaded[name] for name in ("hops", "speech", "event", "unsure"))
    else:
        with ProcessPoolExecutor(workers) as pool:
            made = list(pool.map(scene, range(scenes), chunksize=8))
        hops, *flags = (np.stack(column) for column in zip(*made, strict=True))
        if cache:
            np.savez(cache, hops=hops, speech=flags[0], event=flags[1], unsure=flags[2])
    wanted, weight = targets(*flags)
    save(integers(fit(inputs(hops[:, 1:])[0], wanted[:, 1:], weight[:, 1:], epochs)))
    write_rust([])


if __name__ == "__main__":
    typer.run(main)
