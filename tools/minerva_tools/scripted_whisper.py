"""Writes a Whisper model (CTranslate2) that always says one known sentence: small, or as large as a real one.

It runs through the whole of faster-whisper: tokenizer, mel features, encoder, language detection, decoding,
word alignment. The encoder's weights are random; the decoder is a chain: every token's embedding is a
direction of its own, and the output layer answers each direction with the token that comes next. Attention
adds nothing (its output weights are zero), so what is heard does not matter, only where the chain stands.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ctranslate2.specs.whisper_spec import WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

MELS = 80
STEP = 40.0  # how much likelier the next token of the chain is than any other, in logits
FIRST = 10.0  # logits of the tokens that Whisper must not choose, so that silence stays unlikely


@dataclass(frozen=True)
class Size:
    """Dimensions of a model; `tokens` counts those of its text."""

    width: int
    layers: int
    heads: int
    tokens: int


SMALLEST = Size(width=32, layers=1, heads=2, tokens=300)
TINY = Size(width=384, layers=4, heads=6, tokens=50257)  # OpenAI's "tiny": the same work for the processor

Array = npt.NDArray[np.float32]


def write_scripted_whisper(
    folder: Path, script: Sequence[str], *, end_s: float = 2.0, size: Size = SMALLEST
) -> None:
    """Write a model that says the tokens of `script` (" hello", ".") between 0 and `end_s` seconds."""
    rng = np.random.default_rng(0)
    said = [token.replace(" ", "Ġ") for token in script]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    text = letters + [token for token in dict.fromkeys(said) if token not in letters]
    unused = len(text)
    text += [f"Ġunused{i}" for i in range(size.tokens - 1 - unused)]
    text.append("")  # its presence tells CTranslate2 that the model knows many languages
    languages = ["en", *(code for code in _LANGUAGE_CODES if code not in ("en", "yue"))]
    tasks = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
    special = [f"<|{name}|>" for name in ("endoftext", "startoftranscript", *languages, *tasks)]
    times = [f"<|{i * 0.02:.2f}|>" for i in range(1501)]
    vocabulary = text + special + times

    spec = _spec(rng, len(vocabulary), size)
    _script_decoder(spec, rng, vocabulary, said, end=f"<|{end_s:.2f}|>", unused=unused, width=size.width)
    spec.register_vocabulary(vocabulary)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [vocabulary.index("<|endoftext|>")]
    spec.config.lang_ids = [vocabulary.index(f"<|{code}|>") for code in languages]
    spec.config.alignment_heads = [[size.layers - 1, head] for head in range(size.heads)]
    spec.validate()
    spec.optimize(quantization="int8")
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))

    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(text)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    features = {
        "feature_size": MELS,
        "sampling_rate": 16000,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(features))


def _spec(rng: np.random.Generator, tokens: int, size: Size) -> WhisperSpec:
    width = size.width

    def random(*shape: int) -> Array:
        return (rng.standard_normal(shape) * 0.1).astype(np.float32)

    def zeros(*shape: int) -> Array:
        return np.zeros(shape, np.float32)

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(width, np.float32), zeros(width)

    def linear(layer: Any, outputs: int, inputs: int, *, silent: bool = False) -> None:
        layer.weight = zeros(outputs, inputs) if silent else random(outputs, inputs)
        layer.bias = zeros(outputs)

    def block(layer: Any, *, cross: bool) -> None:
        norm(layer.self_attention.layer_norm)
        linear(layer.self_attention.linear[0], 3 * width, width)
        linear(layer.self_attention.linear[1], width, width, silent=True)
        if cross:
            norm(layer.attention.layer_norm)
            linear(layer.attention.linear[0], width, width)
            linear(layer.attention.linear[1], 2 * width, width)
            linear(layer.attention.linear[2], width, width, silent=True)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 4 * width, width)
        linear(layer.ffn.linear_1, width, 4 * width, silent=True)

    spec = WhisperSpec(size.layers, size.heads, size.layers, size.heads)
    spec.encoder.conv1.weight, spec.encoder.conv1.bias = random(width, MELS, 3), zeros(width)
    spec.encoder.conv2.weight, spec.encoder.conv2.bias = random(width, width, 3), zeros(width)
    spec.encoder.position_encodings.encodings = random(1500, width)
    spec.decoder.position_encodings.encodings = zeros(448, width)
    for half, cross in ((spec.encoder, False), (spec.decoder, True)):
        norm(half.layer_norm)
        for layer in half.layer:
            block(layer, cross=cross)
    spec.decoder.projection.weight, spec.decoder.projection.bias = zeros(tokens, width), zeros(tokens)
    return spec


def _script_decoder(
    spec: WhisperSpec,
    rng: np.random.Generator,
    vocabulary: list[str],
    said: list[str],
    *,
    end: str,
    unused: int,
    width: int,
) -> None:
    follows = {
        "<|startoftranscript|>": "<|en|>",  # the language that detection finds
        "<|transcribe|>": "<|0.00|>",
        "<|0.00|>": said[0],
        "<|notimestamps|>": said[0],
        **dict(pairwise(said)),
        said[-1]: end,
        end: "<|endoftext|>",
    }
    if len(follows) != len(said) + 5:
        raise ValueError(f"each token of the script may stand in it once: {said}")
    if len(follows) >= width:
        raise ValueError(f"a model of width {width} holds at most {width - 6} tokens, not {len(said)}")
    ids = {token: i for i, token in enumerate(vocabulary)}
    embedding = rng.standard_normal((len(vocabulary), width)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    # Directions that layer normalisation keeps apart: orthogonal to each other and to its mean.
    basis = np.concatenate([np.ones((width, 1)), rng.standard_normal((width, len(follows)))], axis=1)
    directions = np.linalg.qr(basis)[0][:, 1:]
    for column, token in enumerate(follows):
        embedding[ids[token]] = directions[:, column]
    for token, after in follows.items():
        spec.decoder.projection.weight[ids[after]] += STEP / np.sqrt(width) * embedding[ids[token]]
    spec.decoder.projection.bias[unused : unused + 20] = FIRST
    spec.decoder.embeddings.weight = embedding
