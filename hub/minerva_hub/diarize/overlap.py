"""Several at once: two are kept as two turns that overlap, three or more become one stretch of nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

MANY: Final = 3  # at once, from which on nobody is told from the others
SHORT_S: Final = 0.1  # what is left of a stretch and shorter is no turn

Stretch = tuple[float, float, int]
Untangled = tuple[float, float, int | None]


def untangled(stretches: Iterable[Stretch]) -> list[Untangled]:
    """(start_s, end_s, speaker) in any order -> by time, with None as the speaker where MANY or more speak.

    A speaker's own stretches that touch or overlap become one; the rest of a stretch that is shorter than
    SHORT_S goes, unless nothing else is left of it.
    """
    own = _joined(stretches)
    edges = sorted({edge for start_s, end_s, _ in own for edge in (start_s, end_s)})
    crowded = [
        (start_s, end_s)
        for start_s, end_s in pairwise(edges)
        if sum(a <= start_s and end_s <= b for a, b, _ in own) >= MANY
    ]
    many = _merged(crowded)
    found: list[Untangled] = [(start_s, end_s, None) for start_s, end_s in many]
    for start_s, end_s, speaker in own:
        left = _without(start_s, end_s, many)
        long = [piece for piece in left if piece[1] - piece[0] >= SHORT_S]
        whole = left if left == [(start_s, end_s)] else long
        found += [(a, b, speaker) for a, b in whole]
    return sorted(found, key=lambda one: (one[0], one[1], -1 if one[2] is None else one[2]))


def alone(stretches: Sequence[Stretch], speaker: int) -> list[tuple[float, float]]:
    """Where a speaker speaks and nobody else does."""
    others = _merged(sorted((a, b) for a, b, other in stretches if other != speaker))
    mine = [one for one in _joined(stretches) if one[2] == speaker]
    return [piece for start_s, end_s, _ in mine for piece in _without(start_s, end_s, others)]


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    by_speaker: dict[int, list[tuple[float, float]]] = {}
    for start_s, end_s, speaker in stretches:
        if end_s > start_s:
            by_speaker.setdefault(speaker, []).append((start_s, end_s))
    return [(a, b, speaker) for speaker, pieces in by_speaker.items() for a, b in _merged(sorted(pieces))]


def _merged(pieces: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Pieces in order of time, those that touch joined."""
    out: list[tuple[float, float]] = []
    for start_s, end_s in pieces:
        if out and start_s <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end_s))
        else:
            out.append((start_s, end_s))
    return out


def _without(start_s: float, end_s: float, holes: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What is left of a stretch."""
    left: list[tuple[float, float]] = []
    at_s = start_s
    for a, b in holes:
        if b <= start_s or a >= end_s:
            continue
        if a > at_s:
            left.append((at_s, a))
        at_s = max(at_s, b)
    if at_s < end_s:
        left.append((at_s, end_s))
    return left
