"""Voices as places in a space, and what an engine must say of its space for speakers to be found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from minerva_hub.diarize.features import Floats


@dataclass(frozen=True, slots=True)
class Voice:
    """Where a stretch lies in its engine's space: `place` float64 (d,), heard for `voiced_s` seconds."""

    place: Floats
    voiced_s: float


@dataclass(frozen=True, slots=True)
class Rules:
    """When a group of stretches is a speaker; seconds are voiced ones."""

    same: float  # alikeness from which on two groups are one speaker
    founds_s: float  # a shorter stretch joins others rather than be somebody new
    sure_s: float  # with less voice, once much was said, somebody new must differ by `doubt` more
    doubt: float
    neighbour: float  # how much more alike the speaker before is, for a stretch that founds nobody
    known: float  # alikeness from which on a speaker is an enrolled person, heard another day
    apart: float  # by how much that must exceed the likeness to anybody else who is enrolled


class Space(Protocol):
    """An engine's space. Places of different `id` must not be compared."""

    @property
    def id(self) -> str:
        """Names the engine and its model or matrices."""
        ...

    @property
    def rules(self) -> Rules:
        """What was found best for it."""
        ...

    def weights(self, voiced_s: Floats) -> Floats:
        """How much stretches of these lengths count in their speaker's mean, (n,) -> (n,)."""
        ...

    def alike(self, left: Floats, left_weight: Floats, right: Floats, right_weight: Floats) -> Floats:
        """Means (n, d) with weights (n,), and (m, d), (m,) -> (n, m): the higher, the likelier one voice."""
        ...


def alike(space: Space, left: Sequence[Voice], right: Sequence[Voice]) -> Floats:
    """Each of `left` with each of `right`: (len(left), len(right))."""
    return space.alike(*stacked(space, left), *stacked(space, right))


def pooled(space: Space, voices: Sequence[Voice]) -> Voice:
    """Several stretches of one voice as one."""
    places, weights = stacked(space, voices)
    return Voice(weights @ places / weights.sum(), sum(voice.voiced_s for voice in voices))


def stacked(space: Space, voices: Sequence[Voice]) -> tuple[Floats, Floats]:
    """Places (n, d) and weights (n,)."""
    seconds = np.array([voice.voiced_s for voice in voices])
    return np.stack([voice.place for voice in voices]), space.weights(seconds)
