"""Trains the sound network and writes its .tflite: `python -m minerva_tools.sounds.training`.

Needs JAX (models/training/requirements.txt), which nothing else of Minerva does. First in floating point with
normalisation by batches, which is then folded into the weights; then with weights and activations rounded as
the 8-bit integers will be. Backgrounds and levels are varied anew each time that a patch is shown.
"""

from __future__ import annotations

import hashlib
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import typer
from minerva_hub.acoustic.labels import BACKGROUND, LABELS

from minerva_tools.sounds.corpus import CLIPS, Corpus, load_or_make
from minerva_tools.sounds.export import LOGIT_SCALE, tflite
from minerva_tools.sounds.network import (
    BANDS,
    INPUT_SCALE,
    LAYERS,
    OUTPUTS,
    POOL_BANDS,
    products,
    weights,
)

Parameters = dict[str, Any]

SEED: Final = 11
BATCH: Final = 64
LOG_STEPS: Final = 250
RATE: Final = 3e-3
RATE_ROUNDED: Final = 5e-4
OFFSET: Final = 0.001  # of minerva-mel64
BIAS: Final = 7.0
MIXED: Final = tuple(LABELS.index(name) for name in ("noise", "noise", "noise", "music", "speech"))
FOREGROUND: Final = np.array([label not in BACKGROUND for label in LABELS], np.float32)
MODEL: Final = Path(__file__).parents[3] / "models" / "minerva-sounds.tflite"


def fresh(rng: np.random.Generator) -> Parameters:
    """Weights to begin with, and the normalisation's."""
    out: Parameters = {}
    inputs = 1
    for n, layer in enumerate(LAYERS):
        k = layer.kernel
        shape = (k * k * inputs, layer.outputs) if layer.kind == "full" else (k * k, layer.outputs)
        fan = shape[0]
        out[f"w{n}"] = (rng.standard_normal(shape) * (2 / fan) ** 0.5).astype(np.float32)
        out[f"b{n}"] = np.zeros(layer.outputs, np.float32)
        out[f"g{n}"] = np.ones(layer.outputs, np.float32)
        inputs = layer.outputs
    out["w_out"] = (rng.standard_normal((POOL_BANDS * inputs, OUTPUTS)) * 0.02).astype(np.float32)
    out["b_out"] = np.full(OUTPUTS, -2.0, np.float32)
    return out


def _taps(x: Any, kernel: int, stride: int) -> list[Any]:
    """The input as each of the kernel's taps sees it, under SAME padding."""
    n, height, width, channels = x.shape
    if kernel == stride and height % kernel == 0 and width % kernel == 0:  # tiles: no copies for the gradient
        tiles = x.reshape(n, height // kernel, kernel, width // kernel, kernel, channels)
        return [tiles[:, :, i, :, j] for i in range(kernel) for j in range(kernel)]
    out_h, out_w = -(-height // stride), -(-width // stride)
    pads = []
    for size, out in ((height, out_h), (width, out_w)):
        total = max((out - 1) * stride + kernel - size, 0)
        pads.append((total // 2, total - total // 2))
    padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    return [
        padded[:, i : i + (out_h - 1) * stride + 1 : stride, j : j + (out_w - 1) * stride + 1 : stride]
        for i in range(kernel)
        for j in range(kernel)
    ]


def _rounded(x: Any, step: Any, low: float, high: float) -> Any:
    """As an integer times `step`; the gradient passes through, but not where it is cut off."""
    inside = jnp.clip(x, low * step, high * step)
    return inside + jax.lax.stop_gradient(jnp.round(inside / step) * step - inside)


def _rounded_weights(w: Any) -> Any:
    step = jax.lax.stop_gradient(jnp.maximum(jnp.abs(w).max(axis=0), 1e-6) / 127)
    return w + jax.lax.stop_gradient(jnp.round(w / step) * step - w)


def convolved(layer: Any, w: Any, x: Any) -> Any:
    """One layer's sums, without its bias."""
    taps = [x] if layer.kernel == 1 else _taps(x, layer.kernel, layer.stride)
    if layer.kind == "depth":
        return sum(tap * w[n] for n, tap in enumerate(taps))
    return (taps[0] if layer.kernel == 1 else jnp.concatenate(taps, axis=-1)) @ w


def forward(p: Parameters, x: Any) -> tuple[Any, list[tuple[Any, Any]]]:
    """Floating point, normalised by the batch: -> logits and each layer's mean and variance."""
    seen = []
    for n, layer in enumerate(LAYERS):
        z = convolved(layer, p[f"w{n}"], x)
        mean, variance = z.mean((0, 1, 2)), z.var((0, 1, 2))
        seen.append((mean, variance))
        x = jax.nn.relu((z - mean) * (p[f"g{n}"] / jnp.sqrt(variance + 1e-3)) + p[f"b{n}"])
    return _logits(p, x), seen


def folded_forward(p: Parameters, x: Any, tops: Any | None) -> tuple[Any, list[Any]]:
    """With the normalisation in the weights -> logits, largest activations; with `tops` all is rounded."""
    largest = []
    for n, layer in enumerate(LAYERS):
        w = p[f"w{n}"] if tops is None else _rounded_weights(p[f"w{n}"])
        x = jax.nn.relu(convolved(layer, w, x) + p[f"b{n}"])
        largest.append(
            jnp.quantile(x.reshape(-1)[:: max(1, x.size // 100_000)], 0.9995) if tops is None else x.max()
        )
        if tops is not None:
            x = _rounded(x, tops[n] / 255, 0, 255)
    if tops is None:
        return _logits(p, x), largest
    mean = x.mean(1)
    mean = mean + jax.lax.stop_gradient(jnp.round(mean / (tops[-1] / 255)) * (tops[-1] / 255) - mean)
    w = _rounded_weights(p["w_out"])
    logits = mean.reshape(len(x), -1) @ w + p["b_out"]
    return _rounded(logits, LOGIT_SCALE, -128, 127), largest


def _logits(p: Parameters, x: Any) -> Any:
    return x.mean(1).reshape(len(x), -1) @ p["w_out"] + p["b_out"]


def folded(p: Parameters, means: list[Any], variances: list[Any]) -> Parameters:
    """The normalisation as part of weights and biases."""
    out: Parameters = {"w_out": p["w_out"], "b_out": p["b_out"]}
    for n in range(len(LAYERS)):
        gain = p[f"g{n}"] / jnp.sqrt(variances[n] + 1e-3)
        out[f"w{n}"] = p[f"w{n}"] * gain
        out[f"b{n}"] = p[f"b{n}"] - means[n] * gain
    return out


def varied(key: Any, a: Any, wanted: Any, counts: Any, b: Any, wanted_b: Any) -> tuple[Any, Any, Any]:
    """Patches uint8 (n,96,64) at other levels, tilts and backgrounds -> inputs, what is wanted, what counts.

    `b` are noises, music and speech to be mixed in, up to 3 dB below the loudest hop of `a`.
    """
    keys = jax.random.split(key, 5)
    n = len(a)

    def magnitude(u8: Any) -> Any:
        return jnp.maximum(jnp.exp(u8.astype(jnp.float32) * INPUT_SCALE - BIAS) - OFFSET, 0)

    ma, mb = magnitude(a), magnitude(b)
    loud_a, loud_b = (jnp.sqrt((m**2).sum(2).max(1)) + 1e-6 for m in (ma, mb))
    under_db = jax.random.uniform(keys[0], (n,), minval=0, maxval=36)
    silence, noise = LABELS.index("silence"), LABELS.index("noise")
    mixed = (jax.random.uniform(keys[1], (n,)) < 0.6) & (wanted[:, silence] == 0)
    is_noise = wanted_b[:, noise] > 0
    mixed &= is_noise | (wanted[:, noise] == 0)
    under_db = jnp.where(is_noise, jnp.maximum(under_db, 3), under_db)
    ratio = jnp.where(mixed, loud_a / loud_b * 10 ** (-under_db / 20), 0)
    m = jnp.sqrt(ma**2 + (mb * ratio[:, None, None]) ** 2)
    foreground = jnp.asarray(FOREGROUND)
    audible = (mixed & (under_db < 10))[:, None] * wanted_b * foreground
    unsure = (mixed & (under_db >= 10) & (under_db < 26))[:, None] * wanted_b * foreground
    out = jnp.maximum(wanted, audible)
    any_heard = (out * foreground).max(1, keepdims=True)
    out = jnp.where(foreground > 0, out, out * (1 - any_heard))
    doubtful = jnp.where(foreground > 0, unsure * (1 - out), unsure.max(1, keepdims=True) * (1 - any_heard))
    counts = counts * (1 - doubtful)
    level_db = jax.random.uniform(keys[2], (n, 1, 1), minval=-5, maxval=5)
    level_db = jnp.where(wanted[:, silence, None, None] > 0, jnp.minimum(level_db, 0), level_db)
    tilt_db = jax.random.normal(keys[3], (n, 1, 1)) * 3 * jnp.linspace(-1, 1, BANDS)
    bend_db = jax.random.normal(keys[4], (n, 1, 3)) @ jnp.sin(
        jnp.pi * jnp.arange(1, 4)[:, None] * jnp.linspace(0, 1, BANDS)
    )
    gain = 10 ** ((level_db + tilt_db + 2 * bend_db) / 20)
    logs = jnp.log(m * gain + OFFSET) + BIAS
    x = jnp.clip(jnp.round(logs / INPUT_SCALE), 0, 255) * INPUT_SCALE
    return x[..., None], out, counts


def _loss(logits: Any, wanted: Any, counts: Any) -> Any:
    soft = wanted * 0.98 + 0.01
    each = jnp.logaddexp(0, logits) - soft * logits
    return (each * counts * (1 + wanted)).sum() / len(logits)


def _adam(p: Parameters, g: Parameters, first: Parameters, second: Parameters, step: Any, rate: Any) -> Any:
    first = jax.tree.map(lambda m, x: 0.9 * m + 0.1 * x, first, g)
    second = jax.tree.map(lambda v, x: 0.99 * v + 0.01 * x**2, second, g)

    def moved(w: Any, m: Any, v: Any) -> Any:
        change = m / (1 - 0.9**step) / (jnp.sqrt(v / (1 - 0.99**step)) + 1e-7)
        return w - rate * (change + 1e-4 * w)

    return jax.tree.map(moved, p, first, second), first, second


class Sampler:
    """Batches in which every label is about as frequent, each patch with something to mix in."""

    def __init__(self, corpus: Corpus, rng: np.random.Generator) -> None:
        self._corpus, self._rng = corpus, rng
        kind = np.where(corpus.wanted.any(1), corpus.wanted.argmax(1), OUTPUTS)
        sizes = np.bincount(kind, minlength=OUTPUTS + 1)
        share = sizes[kind] ** -0.6
        self._share = np.cumsum(share / share.sum())
        self._behind = {n: np.flatnonzero(corpus.wanted[:, n] > 0) for n in set(MIXED)}

    def batch(self) -> tuple[Any, ...]:
        """Patches, what is wanted of them, what counts; patches to mix in, and what those are."""
        c, rng = self._corpus, self._rng
        chosen = np.searchsorted(self._share, rng.random(BATCH)).clip(max=len(c.patches) - 1)
        behind = np.array([rng.choice(self._behind[MIXED[k]]) for k in rng.integers(len(MIXED), size=BATCH)])
        return c.patches[chosen], c.wanted[chosen], c.counts[chosen], c.patches[behind], c.wanted[behind]


@partial(jax.jit, donate_argnums=(0, 1, 2))
def _step(p: Any, first: Any, second: Any, step: Any, rate: Any, key: Any, batch: Any) -> Any:
    x, wanted, counts = varied(key, *batch)

    def loss(p: Parameters) -> Any:
        logits, seen = forward(p, x)
        return _loss(logits, wanted, counts), seen

    (value, seen), g = jax.value_and_grad(loss, has_aux=True)(p)
    return *_adam(p, g, first, second, step, rate), value, seen


@partial(jax.jit, donate_argnums=(0, 1, 2))
def _step_rounded(
    p: Any, first: Any, second: Any, step: Any, rate: Any, key: Any, batch: Any, tops: Any
) -> Any:
    x, wanted, counts = varied(key, *batch)

    def loss(p: Parameters) -> Any:
        return _loss(folded_forward(p, x, tops)[0], wanted, counts)

    value, g = jax.value_and_grad(loss)(p)
    return *_adam(p, g, first, second, step, rate), value


def fit(corpus: Corpus, steps: int, steps_rounded: int) -> tuple[Parameters, Any]:
    """Train -> folded weights and each layer's largest activation."""
    sampler = Sampler(corpus, np.random.default_rng(SEED))
    p = jax.tree.map(jnp.asarray, fresh(np.random.default_rng(SEED)))
    zeros = partial(jax.tree.map, jnp.zeros_like)
    first, second = zeros(p), zeros(p)
    means: list[Any] = []
    variances: list[Any] = []
    began, total = time.monotonic(), 0.0
    key = jax.random.key(SEED)
    for step in range(1, steps + 1):
        rate = RATE * (min(1.0, step / 200) * 0.5 * (1 + np.cos(np.pi * step / steps)) + 0.003)
        key, own = jax.random.split(key)
        p, first, second, value, seen = _step(p, first, second, step, rate, own, sampler.batch())
        if not means:
            means, variances = [m for m, _ in seen], [v for _, v in seen]
        means = [0.99 * m + 0.01 * s[0] for m, s in zip(means, seen, strict=True)]
        variances = [0.99 * v + 0.01 * s[1] for v, s in zip(variances, seen, strict=True)]
        total += float(value)
        if step % LOG_STEPS == 0:
            print(
                f"step {step} of {steps}: loss {total / LOG_STEPS:.4f}, {time.monotonic() - began:.0f} s",
                flush=True,
            )
            total = 0.0
    p = folded(p, means, variances)
    tops = jnp.zeros(len(LAYERS))
    measure = jax.jit(lambda p, x: jnp.stack(folded_forward(p, x, None)[1]))
    for _ in range(40):
        key, own = jax.random.split(key)
        tops = jnp.maximum(tops, measure(p, varied(own, *sampler.batch())[0]))
    first, second = zeros(p), zeros(p)
    for step in range(1, steps_rounded + 1):
        rate = RATE_ROUNDED * (0.5 * (1 + np.cos(np.pi * step / steps_rounded)) + 0.003)
        key, own = jax.random.split(key)
        p, first, second, value = _step_rounded(p, first, second, step, rate, own, sampler.batch(), tops)
        total += float(value)
        if step % LOG_STEPS == 0:
            print(f"rounded, step {step} of {steps_rounded}: loss {total / LOG_STEPS:.4f}", flush=True)
            total = 0.0
    return p, tops


def for_export(p: Parameters) -> dict[str, Any]:
    """From inputs to outputs, as trained, to outputs first, as in the file."""
    out = {name: np.asarray(value, np.float64) for name, value in p.items()}
    for n, layer in enumerate(LAYERS):
        if layer.kind == "full":
            out[f"w{n}"] = out[f"w{n}"].T
    out["w_out"] = out["w_out"].T
    return out


def main(
    clips: Annotated[int, typer.Option(help="clips of each label")] = CLIPS,
    steps: Annotated[int, typer.Option(help="batches in floating point")] = 3000,
    steps_rounded: Annotated[int, typer.Option(help="batches as integers")] = 400,
    workers: Annotated[int, typer.Option(help="processes that make clips")] = 2,
    cache: Annotated[Path | None, typer.Option(help="keep the corpus here, and take it from here")] = None,
    out: Annotated[Path, typer.Option(help="where the network goes")] = MODEL,
) -> None:
    """Make the corpus, train, write the network."""
    corpus = load_or_make(cache, clips, workers)
    print(f"{len(corpus.patches)} patches; {weights()} weights, {products()} products a patch", flush=True)
    for label, found in zip(LABELS, corpus.wanted.sum(0), strict=True):
        print(f"  {label}: {found:.0f}")
    p, tops = fit(corpus, steps, steps_rounded)
    out.write_bytes(tflite(for_export(p), np.asarray(tops)))
    content = out.read_bytes()
    print(f"{out}: size = {len(content)}, sha256 = {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    typer.run(main)
