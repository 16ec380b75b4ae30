"""Spaces of trained embeddings: voices are directions, and alike is the cosine of the angle between two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from minerva_hub.diarize.features import Floats
from minerva_hub.diarize.space import Rules, Voice

NOTHING_S: Final = 0.05  # what a voice weighs that could not be measured: it founds no speaker


@dataclass(frozen=True, slots=True)
class CosineSpace:
    """See Space."""

    id: str
    rules: Rules

    def weights(self, voiced_s: Floats) -> Floats:
        """A stretch counts by its length."""
        return np.asarray(voiced_s, float)

    def alike(self, left: Floats, left_weight: Floats, right: Floats, right_weight: Floats) -> Floats:
        """-1 to 1; a place of zeros is as like to everybody as to nobody, 0."""
        return np.asarray(unit(left) @ unit(right).T)


def placed(place: Floats, seconds: float) -> Voice:
    """The voice at a place as a model gave it, (d,); one of zeros, or not finite, could not be told."""
    if not np.isfinite(place).all() or not place.any():
        return Voice(np.zeros(len(place)), NOTHING_S)
    return Voice(unit(place), seconds)


def unit(places: Floats) -> Floats:
    """Places of length 1, (..., d); zeros stay zeros."""
    return np.asarray(places / np.maximum(np.linalg.norm(places, axis=-1, keepdims=True), 1e-12))
