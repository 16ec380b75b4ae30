"""Who is speaking, and who waits for their words: what the page's dots show."""

from __future__ import annotations

import time
from typing import Literal

from minerva_hub.bus import Bus
from minerva_hub.events import Speaking
from minerva_hub.pipeline.stream import Stream


class Talk:
    """The devices on which something is said or being written down; each change is published."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._going_on: dict[str, Speaking] = {}

    def __len__(self) -> int:
        return len(self._going_on)

    def __contains__(self, device: str) -> bool:
        return device in self._going_on

    def set(self, stream: Stream, state: Literal["speaking", "transcribing"], since_ms: int) -> None:
        """Somebody speaks, or what they said is written down."""
        event = Speaking(device=stream.device, room=stream.room, state=state, since_ms=since_ms)
        self._going_on[stream.device] = event
        if not stream.guest:
            self._bus.publish(event)

    def end(self, stream: Stream) -> None:
        """It was nothing, or is over."""
        if self._going_on.pop(stream.device, None) is not None and not stream.guest:
            now_ms = time.time_ns() // 1_000_000
            self._bus.publish(Speaking(device=stream.device, room=stream.room, state="idle", since_ms=now_ms))

    def written(self, stream: Stream) -> None:
        """No text of this stream is to come: the dots go, unless somebody speaks again."""
        event = self._going_on.get(stream.device)
        if event is not None and event.state == "transcribing":
            self.end(stream)
