"""Who an enrolled person is among a session's speakers; whoever is like nobody enough stays unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from minerva_hub.diarize.space import Space, Voice, alike, pooled

ENOUGH_S: Final = 5.0  # voiced seconds to be enrolled by, or to be recognised: less says too little


@dataclass(frozen=True, slots=True)
class Known:
    """A voice of an enrolled person, in the space of the id `space`."""

    name: str
    space: str
    voice: Voice


def recognise(space: Space, speakers: Mapping[str, Voice], known: Sequence[Known]) -> dict[str, str]:
    """Label to name, of the speakers who are surely an enrolled person; each person is one speaker at most.

    A speaker is somebody when the likeness to one of that person's voices reaches the space's `known`, and
    exceeds that to every other person by its `apart`. The nearest alone is never enough: strangers must not
    become family. Voices of another space say nothing, and are passed over.
    """
    mine = [one for one in known if one.space == space.id]
    labels = [label for label, voice in speakers.items() if voice.voiced_s >= ENOUGH_S]
    if not mine or not labels:
        return {}
    names = sorted({one.name for one in mine})
    each = alike(space, [speakers[label] for label in labels], [one.voice for one in mine])
    scores = np.stack(
        [each[:, [one.name == name for one in mine]].max(axis=1) for name in names], axis=1
    )  # (labels, names)
    found: dict[str, str] = {}
    rules = space.rules
    for flat in np.argsort(-scores, axis=None, kind="stable"):
        row, column = divmod(int(flat), len(names))
        if scores[row, column] < rules.known:
            break
        others = np.delete(scores[row], column)
        sure = not len(others) or scores[row, column] - others.max() >= rules.apart
        if sure and labels[row] not in found and names[column] not in found.values():
            found[labels[row]] = names[column]
    return found


def enrolled(space: Space, name: str, voices: Sequence[Voice]) -> Known:
    """A person's voice from what they said; ValueError when that is too little."""
    seconds = sum(voice.voiced_s for voice in voices)
    if seconds < ENOUGH_S:
        raise ValueError(f"{name}: {seconds:.1f} s of voice; to enrol somebody takes {ENOUGH_S:.0f} s")
    return Known(name, space.id, pooled(space, voices))
