"""A session's speakers, for any engine whose voices are places in a space; in memory only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from minerva_hub.diarize.base import MULTIPLE, Assignment, Bounds
from minerva_hub.diarize.carry import carry_over
from minerva_hub.diarize.cluster import group
from minerva_hub.diarize.space import Space, Voice, pooled

MAX_TURNS: Final = 256  # compared with each other; older ones of the same speaker are pooled


@dataclass(slots=True)
class _Entry:
    """One turn, or old ones of one speaker pooled."""

    keys: list[int]
    voice: Voice


class SessionBook:
    """All turns are clustered anew as each one comes; labels follow by vote. Nothing is written to disk.

    Of a long session the newest MAX_TURNS voices are kept one by one, the older ones pooled by speaker; a key
    takes a number and a label, some 100 bytes. A voice of None is of three or more at once.
    """

    def __init__(self, space: Space, bounds: Bounds) -> None:
        self._space = space
        self._bounds = bounds
        self._entries: list[_Entry] = []
        self._labels: dict[int, str] = {}
        self._seconds: dict[int, float] = {}

    def bound(self, bounds: Bounds) -> None:
        """The owner says how many speakers there are; heeded from the next turn on, and at the end."""
        self._bounds = bounds

    def add(self, voices: Sequence[tuple[int, Voice | None, float]]) -> Assignment:
        """Label turns: (key, voice, duration_s) in order of time; ValueError for a key that was used."""
        for key, voice, duration_s in voices:
            if key in self._labels:
                raise ValueError(f"key {key} was added before")
            self._labels[key] = MULTIPLE
            self._seconds[key] = duration_s
            if voice is not None:
                self._entries.append(_Entry([key], voice))
        new = {key for key, _, _ in voices}
        groups = self._groups()
        before = {key: name for key, name in self._labels.items() if key not in new}
        after = carry_over(self._keys(groups), before, self._seconds)
        changed = {key: name for key, name in after.items() if key not in new and self._labels[key] != name}
        self._labels.update(after)
        self._fold(groups)
        return Assignment({key: self._labels[key] for key, _, _ in voices}, changed)

    def settle(self, before: Mapping[int, str] | None = None) -> dict[int, str]:
        """The session is over: the label of every key, from all that was heard.

        `before` has labels that people changed meanwhile, or all; names in it survive as `carry_over` says.
        """
        had = self._labels | dict(before or {})
        return self._labels | had | carry_over(self._keys(self._groups()), had, self._seconds)

    def voices(self) -> dict[str, Voice]:
        """Each label's voice, for enrolment; Multiple has none."""
        found: dict[str, list[Voice]] = {}
        for entry in self._entries:
            found.setdefault(self._labels[entry.keys[0]], []).append(entry.voice)
        return {name: pooled(self._space, heard) for name, heard in found.items()}

    def _groups(self) -> list[list[int]]:
        return group(self._space, [entry.voice for entry in self._entries], self._bounds)

    def _keys(self, groups: Sequence[Sequence[int]]) -> list[list[int]]:
        return [[key for index in members for key in self._entries[index].keys] for members in groups]

    def _fold(self, groups: Sequence[Sequence[int]]) -> None:
        """Pool the two oldest turns of one speaker until no more than MAX_TURNS are left."""
        owner = {member: number for number, members in enumerate(groups) for member in members}
        owners = [owner[index] for index in range(len(self._entries))]
        while len(self._entries) > MAX_TURNS:
            seen: dict[int, int] = {}
            for index, number in enumerate(owners):
                first = seen.setdefault(number, index)
                if first != index:
                    break
            old, other = self._entries[first], self._entries[index]
            self._entries[first] = _Entry(
                old.keys + other.keys, pooled(self._space, [old.voice, other.voice])
            )
            del self._entries[index], owners[index]
