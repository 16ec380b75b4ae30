"""Affect by a wav2vec2 classifier through transformers, which come with the extra `minerva-hub[emotion]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import Affect, EngineInfo
from minerva_hub.tone.base import Pcm, Reading

RATE: Final = 16_000
MIN_SECONDS: Final = 0.5  # the network's first layers want some frames, and a shorter cry tells it nothing
MAX_SECONDS: Final = 15.0  # its memory grows with the square of the length; the loudest part is as telling

# What published classifiers call their classes, in this product's words. Where no word of the vocabulary
# fits (sad, fearful), nothing is claimed.
WORDS: Final[dict[str, Affect]] = {
    "ang": "frustrated",
    "angry": "frustrated",
    "anger": "frustrated",
    "calm": "neutral",
    "disgust": "dismissive",
    "hap": "warm",
    "happy": "warm",
    "happiness": "warm",
    "neu": "neutral",
    "neutral": "neutral",
    "fear": "neutral",
    "fearful": "neutral",
    "sad": "neutral",
    "sadness": "neutral",
    "surprise": "neutral",
    "surprised": "neutral",
}


class Wav2Vec2Reader:
    """A sequence classifier in a folder on this disk."""

    def __init__(self, folder: Path, reason: str) -> None:
        """Load it; EngineUnavailableError says what it lacks."""
        self.info = EngineInfo(stage="tone", name="wav2vec2", model=folder.name, state="ready", reason=reason)
        try:
            import torch
            from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
        except ImportError as missing:
            raise EngineUnavailableError(
                "[tone] engine wav2vec2 needs transformers and torch: "
                f"pip install minerva-hub[emotion] ({missing})"
            ) from missing
        try:
            self._extract = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
            self._model = AutoModelForAudioClassification.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineUnavailableError(
                f"the emotion model in {folder} cannot be loaded: {error}"
            ) from error
        self._model.eval()
        self._torch: Any = torch
        self._words = tuple(_word(name, folder) for _, name in sorted(self._model.config.id2label.items()))

    def read(self, pcm: Pcm) -> Reading | None:
        """pcm: int16 (n,), 16 kHz mono -> the likeliest word; None when it is shorter than half a second."""
        if len(pcm) < MIN_SECONDS * RATE:
            return None
        samples = _loudest(pcm, round(MAX_SECONDS * RATE)).astype(np.float32) / 32768
        try:
            batch = self._extract(samples, sampling_rate=RATE, return_tensors="pt")
            with self._torch.inference_mode():
                logits = self._model(**batch).logits[0].numpy().astype(np.float64)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"wav2vec2 failed on {len(pcm) / RATE:.1f} s: {error}") from error
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        weights: dict[Affect, float] = {}
        for word, share in zip(self._words, shares.tolist(), strict=True):
            weights[word] = weights.get(word, 0.0) + share
        affect = max(weights, key=lambda word: weights[word])
        return Reading(affect, weights[affect])


def _word(name: str, folder: Path) -> Affect:
    word = WORDS.get(name.lower())
    if word is None:
        known = ", ".join(sorted(WORDS))
        raise EngineUnavailableError(f"the model in {folder} knows a class {name!r}; Minerva knows {known}")
    return word


def _loudest(pcm: Pcm, size: int) -> Pcm:
    """The stretch of `size` samples with the most energy, to a tenth of a second."""
    if len(pcm) <= size:
        return pcm
    step = RATE // 10
    blocks = pcm[: len(pcm) // step * step].reshape(-1, step).astype(np.float64)
    total = np.cumsum(np.concatenate([[0.0], (blocks**2).sum(axis=1)]))
    width = size // step
    best = int(np.argmax(total[width:] - total[:-width])) * step
    return pcm[best : best + size]
