"""The events of one session for one reader: bounded, and never in anybody's way."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Generic, TypeVar

from minerva_hub.cf_voice.events import Event

E = TypeVar("E", bound=Event)

QUEUE: Final = 256  # events: some minutes of talk; Linnet's page itself keeps 200


class Feed(Generic[E]):
    """Events that wait for a reader; a full one loses its oldest, counted in `dropped`."""

    def __init__(self, maxsize: int = QUEUE) -> None:
        self.dropped = 0
        self.closed = False
        self._maxsize = maxsize
        self._events: deque[E] = deque()
        self._wake = asyncio.Event()

    def put(self, event: E) -> None:
        """Queue an event; never blocks."""
        self._events.append(event)
        if len(self._events) > self._maxsize:
            self._events.popleft()
            self.dropped += 1
        self._wake.set()

    def close(self) -> None:
        """No more come; what waits is still given."""
        self.closed = True
        self._wake.set()

    def drain(self) -> list[E]:
        """Everything that waits, at once."""
        found = list(self._events)
        self._events.clear()
        return found

    async def wait(self, timeout_s: float) -> bool:
        """Wait for an event or the end; False when neither came."""
        if not self._events and not self.closed:
            self._wake.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()
            except TimeoutError:
                return False
        return True
