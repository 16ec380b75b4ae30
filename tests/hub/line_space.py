"""A space of voices that is a line, so that tests can say by a number who is like whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from minerva_hub.diarize.space import Rules, Voice

RULES = Rules(same=0.0, founds_s=0.5, sure_s=1.2, doubt=3.0, neighbour=1.0, known=0.5, apart=1.0)


@dataclass(frozen=True)
class Line:
    """Voices on a line: alike by how near they are, 0 at a distance of 1."""

    id: str = "line"
    rules: Rules = RULES

    def weights(self, voiced_s: np.ndarray) -> np.ndarray:
        return voiced_s

    def alike(self, left, left_weight, right, right_weight) -> np.ndarray:  # type: ignore[no-untyped-def]
        return 1 - np.abs(left[:, None, 0] - right[None, :, 0])


def voice(place: float, seconds: float = 2.0) -> Voice:
    return Voice(np.array([place]), seconds)
