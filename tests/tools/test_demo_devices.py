"""The ids under which `minerva demo` registers its devices."""

from __future__ import annotations

import re

import numpy as np
import pytest
from minerva_tools.conversation import Conversation, Reference
from minerva_tools.demo import _device_ids


@pytest.mark.parametrize(
    ("rooms", "ids"),
    [
        (["Kitchen", "Living Room"], ["kitchen", "living-room"]),
        (["Living Room", "living-room", "LIVING ROOM"], ["living-room", "living-room-2", "living-room-3"]),
        (["Hall", "Hall 2", "hall"], ["hall", "hall-2", "hall-3"]),
        (["厨房", "书房", "Room"], ["room", "room-2", "room-3"]),
        (["x" * 40, "X" * 40], ["x" * 32, "x" * 30 + "-2"]),
        (["a" * 31 + " b"], ["a" * 31]),
    ],
)
def test_every_room_has_a_device_id_of_its_own(rooms: list[str], ids: list[str]) -> None:
    silence = {room: np.zeros(1, np.int16) for room in rooms}
    made = _device_ids(Conversation(sound=silence, reference=Reference(duration_s=1, seed=0, rooms=())))
    assert made == dict(zip(rooms, ids, strict=True))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", id_) for id_ in made.values())
