"""Labels that outlive a clustering anew: groups take over the labels that their stretches had, by vote."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from minerva_hub.diarize.base import MULTIPLE, label

_LABELS: Final = tuple(label(number) for number in range(26))


def carry_over(
    groups: Sequence[Collection[int]],
    before: Mapping[int, str],
    seconds: Mapping[int, float],
    *,
    fixed: Collection[int] = (),
) -> dict[int, str]:
    """The label of every key in `groups`: each group takes over one label, each label goes to one group.

    Labels go where most of what they stood for is, in seconds; where that is equal, a name that a person gave
    goes before a label that Minerva made up. A name that no group takes over stays with the keys that had it:
    what a person said is not undone. Keys in `fixed` keep what they have too. A group that takes over nothing
    gets the first label that stood for nobody. ValueError: a key in two groups, or too many groups.
    """
    keys = [key for members in groups for key in members]
    if len(set(keys)) != len(keys):
        raise ValueError("a stretch is in two groups")
    taken = _matched(groups, before, seconds)
    free = iter(name for name in _LABELS if name not in taken.values() and name not in before.values())
    # Labels that stood for something and went nowhere come last: they would seem to say who it is.
    spare = iter(name for name in _LABELS if name not in taken.values() and name in before.values())
    after: dict[int, str] = {}
    for number, members in enumerate(groups):
        name = taken.get(number) or next(free, None) or next(spare, None)
        if name is None:
            raise ValueError(f"{len(groups)} groups: there are {len(_LABELS)} labels")
        after.update(dict.fromkeys(members, name))
    lost = {name for name in before.values() if not is_made_up(name)} - set(taken.values())
    kept = {key for key in after if before.get(key) in lost or key in fixed}
    after.update({key: before[key] for key in kept if key in before})
    return after


def is_made_up(name: str) -> bool:
    """Whether Minerva gave this label, rather than a person."""
    return name in _LABELS or name == MULTIPLE


def _matched(
    groups: Sequence[Collection[int]], before: Mapping[int, str], seconds: Mapping[int, float]
) -> dict[int, str]:
    """Group number -> label, where they have anything in common."""
    names = sorted({before[key] for members in groups for key in members if key in before} - {MULTIPLE})
    if not groups or not names:
        return {}
    votes = np.zeros((len(groups), len(names)))
    column = {name: index for index, name in enumerate(names)}
    for number, members in enumerate(groups):
        for key in members:
            if before.get(key) in column:
                votes[number, column[before[key]]] += max(seconds.get(key, 0.0), 1e-3)
    names_first = np.array([0.0 if is_made_up(name) else 1e-4 for name in names])
    rows, columns = linear_sum_assignment(-(votes + (votes > 0) * names_first))
    return {
        int(row): names[int(column_)]
        for row, column_ in zip(rows, columns, strict=True)
        if votes[int(row), int(column_)] > 0
    }
