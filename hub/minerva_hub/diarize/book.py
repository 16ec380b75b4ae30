"""The built-in engine's memory of a session's speakers: all turns are clustered anew as each one comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from minerva_hub.diarize.base import Assignment, label
from minerva_hub.diarize.features import Floats
from minerva_hub.diarize.voice import Voice, likeness, pooled

MAX_TURNS: Final = 256  # compared with each other; older ones of the same speaker are pooled
FOUNDS_S: Final = 0.5  # voiced seconds, below which a turn joins others rather than be somebody new
NEIGHBOUR: Final = 1.0  # how much more likely the speaker before is, for a short turn
SURE_S: Final = 1.2  # voiced seconds, below which somebody new must differ by DOUBT more
DOUBT: Final = 1.5
SAME: Final = -0.5  # likeness above which two clusters are one speaker


@dataclass(slots=True)
class _Entry:
    """One turn, or old ones of one speaker pooled."""

    keys: list[int]
    voice: Voice


class BuiltinBook:
    """Labels by order of first appearance, at most `max_speakers` of them; nothing is written to disk."""

    def __init__(self, max_speakers: int) -> None:
        self._max = max_speakers
        self._entries: list[_Entry] = []
        self._labels: dict[int, str] = {}
        self._likeness = np.zeros((0, 0))

    def add(self, voices: Sequence[tuple[int, Voice, float]]) -> Assignment:
        """Label turns: (key, voice, duration_s) in order of time; ValueError for a key that was used."""
        for key, voice, _ in voices:
            if key in self._labels:
                raise ValueError(f"key {key} was added before")
            self._labels[key] = ""
            self._append(_Entry([key], voice))
        if not voices:
            return Assignment({})
        groups = self._groups()
        changed: dict[int, str] = {}
        for number, group in enumerate(groups):
            for index in group:
                for key in self._entries[index].keys:
                    if self._labels[key] != label(number):
                        changed[key] = self._labels[key] = label(number)
        new = {key: changed.pop(key) for key, _, _ in voices}
        self._fold(groups)
        return Assignment(new, changed)

    def _append(self, entry: _Entry) -> None:
        self._entries.append(entry)
        row = likeness([entry.voice], [e.voice for e in self._entries])[0]
        self._likeness = np.pad(self._likeness, (0, 1))
        self._likeness[-1] = self._likeness[:, -1] = row

    def _groups(self) -> list[list[int]]:
        """The entries of each speaker: long turns clustered, short ones joined, by first appearance."""
        seconds = np.array([entry.voice.voiced_s for entry in self._entries])
        long = np.flatnonzero(seconds >= FOUNDS_S)
        if not len(long):
            return [list(range(len(self._entries)))]
        clusters = cluster(self._likeness[np.ix_(long, long)], self._max)
        groups = [[int(long[member]) for member in members] for members in clusters]
        founded = [group for group in groups if self._stands(group, groups, float(seconds[group].sum()))]
        founded = founded or groups[:1]
        joined = [list(group) for group in founded]
        for index in sorted(set(range(len(self._entries))).difference(*founded)):
            scores = [float(self._likeness[index, group].mean()) for group in founded]
            if seconds[index] < FOUNDS_S:
                scores[self._before(index, founded)] += NEIGHBOUR
            joined[int(np.argmax(scores))].append(index)
        return sorted((sorted(group) for group in joined), key=lambda group: group[0])

    def _stands(self, group: list[int], groups: list[list[int]], seconds: float) -> bool:
        """Whether a group with little voice is unlike all others beyond doubt."""
        if seconds >= SURE_S:
            return True
        others = [other for other in groups if other is not group]
        best = max((float(self._likeness[np.ix_(group, other)].mean()) for other in others), default=-np.inf)
        return best <= SAME - DOUBT

    def _before(self, index: int, groups: list[list[int]]) -> int:
        """The group that speaks last before this turn, or else first after it."""
        owner = {member: number for number, group in enumerate(groups) for member in group}
        before = [member for member in owner if member < index]
        return owner[max(before) if before else min(owner)]

    def _fold(self, groups: list[list[int]]) -> None:
        """Pool the two oldest turns of one speaker until no more than MAX_TURNS are left."""
        owner = {member: number for number, group in enumerate(groups) for member in group}
        while len(self._entries) > MAX_TURNS:
            seen: dict[int, int] = {}
            for index in range(len(self._entries)):
                first = seen.setdefault(owner[index], index)
                if first != index:
                    break
            old, other = self._entries[first], self._entries[index]
            self._entries[first] = _Entry(old.keys + other.keys, pooled([old.voice, other.voice]))
            del self._entries[index]
            self._likeness = np.delete(np.delete(self._likeness, index, 0), index, 1)
            row = likeness([self._entries[first].voice], [e.voice for e in self._entries])[0]
            self._likeness[first] = self._likeness[:, first] = row
            owner = {i: owner[i if i < index else i + 1] for i in range(len(self._entries))}


def cluster(alike: Floats, most: int) -> list[list[int]]:
    """Join the most alike groups (mean likeness, (n, n)) while above SAME or more than `most` are left."""
    groups = [[index] for index in range(len(alike))]
    total = alike.astype(float).copy()
    np.fill_diagonal(total, -np.inf)
    sizes = np.ones(len(groups))
    while len(groups) > 1:
        mean = total / np.outer(sizes, sizes)
        first, second = divmod(int(np.argmax(mean)), len(groups))
        if mean[first, second] <= SAME and len(groups) <= most:
            break
        first, second = min(first, second), max(first, second)
        groups[first] += groups.pop(second)
        total[first] += total[second]
        total[:, first] = total[first]
        total[first, first] = -np.inf
        sizes[first] += sizes[second]
        sizes = np.delete(sizes, second)
        total = np.delete(np.delete(total, second, 0), second, 1)
    return groups
