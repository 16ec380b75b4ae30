"""Which stretches are by one speaker, and how many speakers there are: pure functions.

Groups are joined, the most alike first, by the means of their voices, until those that are left differ. Then
a group with too little evidence is given up, and every stretch goes to the speaker it is most like, a few
times over, so that early joins are put right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from minerva_hub.diarize.base import Bounds
from minerva_hub.diarize.features import Floats
from minerva_hub.diarize.space import Space, Voice, stacked

ROUNDS: Final = 4  # of putting right: later ones change next to nothing
SHARE: Final = 0.15  # of all that was said, which is enough to be somebody while little was said
Labels = NDArray[np.int64]


def group(space: Space, voices: Sequence[Voice], bounds: Bounds) -> list[list[int]]:
    """Stretches in order of time -> the indices of each speaker's, by first appearance; none is left out."""
    if not voices:
        return []
    places, weights = stacked(space, voices)
    seconds = np.array([voice.voiced_s for voice in voices])
    founding = np.flatnonzero(seconds >= space.rules.founds_s)
    if len(founding) < bounds.least:
        founding = np.sort(np.argsort(-seconds, kind="stable")[: bounds.least])
    joined = join(space, places[founding], weights[founding], bounds)
    groups = [founding[members] for members in joined]
    means, mass = _means(places, weights, groups)
    kept = _with_evidence(space, means, mass, [float(seconds[g].sum()) for g in groups], bounds.least)
    owner = _settled(space, places, weights, seconds, means[kept], mass[kept])
    found = [np.flatnonzero(owner == number).tolist() for number in range(len(kept))]
    return sorted((members for members in found if members), key=lambda members: members[0])


def join(space: Space, places: Floats, weights: Floats, bounds: Bounds) -> list[list[int]]:
    """Join the most alike groups until those left differ and are `least` to `most`."""
    groups = [[index] for index in range(len(places))]
    means, mass = places.astype(float).copy(), weights.astype(float).copy()
    scores = space.alike(means, mass, means, mass)
    np.fill_diagonal(scores, -np.inf)
    while len(groups) > bounds.least:
        first, second = sorted(divmod(int(np.argmax(scores)), len(groups)))
        if scores[first, second] < space.rules.same and len(groups) <= bounds.most:
            break
        both = mass[first] + mass[second]
        means[first] = (means[first] * mass[first] + means[second] * mass[second]) / both
        mass[first] = both
        groups[first] += groups.pop(second)
        means, mass = np.delete(means, second, 0), np.delete(mass, second)
        scores = np.delete(np.delete(scores, second, 0), second, 1)
        row = space.alike(means[first : first + 1], mass[first : first + 1], means, mass)[0]
        row[first] = -np.inf
        scores[first] = scores[:, first] = row
    return groups


def _means(places: Floats, weights: Floats, groups: Sequence[NDArray[np.int64]]) -> tuple[Floats, Floats]:
    mass = np.array([weights[members].sum() for members in groups])
    means = np.stack([weights[members] @ places[members] for members in groups]) / mass[:, None]
    return means, mass


def _with_evidence(
    space: Space, means: Floats, mass: Floats, seconds: Sequence[float], least: int
) -> list[int]:
    """The groups with enough voice, or unlike all others beyond doubt; at least the `least` longest."""
    scores = space.alike(means, mass, means, mass)
    np.fill_diagonal(scores, -np.inf)
    rules = space.rules
    sure_s = min(rules.sure_s, SHARE * sum(seconds))
    longest = np.argsort(-np.array(seconds), kind="stable")[:least].tolist()
    return [
        number
        for number, length in enumerate(seconds)
        if length >= sure_s or scores[number].max() < rules.same - rules.doubt or number in longest
    ]


def _settled(
    space: Space, places: Floats, weights: Floats, seconds: Floats, means: Floats, mass: Floats
) -> Labels:
    """The speaker of each stretch, (n,); a speaker that loses all of them keeps its last mean."""
    owner = np.full(len(places), -1)
    lean = (seconds < space.rules.founds_s).tolist()
    means, mass = means.copy(), mass.copy()
    for _ in range(ROUNDS):
        scores = space.alike(places, weights, means, mass)
        best = scores.argmax(axis=1)
        for index, leans in enumerate(lean):
            if leans and index > 0:  # a short stretch leans on the speaker before
                scores[index, best[index - 1]] += space.rules.neighbour
                best[index] = scores[index].argmax()
        if (best == owner).all():
            break
        owner = best
        for number in range(len(means)):
            mine = owner == number
            if mine.any():
                mass[number] = weights[mine].sum()
                means[number] = weights[mine] @ places[mine] / mass[number]
    return owner
