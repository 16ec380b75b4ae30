"""Gaps and sounds on their way into the store: bounded for each device, written together, never given up."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress

from minerva_hub.bus import Bus
from minerva_hub.errors import StoreError
from minerva_hub.events import Gap, GapRecorded, NewSound, SoundHeard
from minerva_hub.store import Store

MAX_OF_DEVICE = 100  # notes that wait; a device makes a few an hour, unless it loses every other packet
TOGETHER = 64  # written at once: they share a transaction
RETRY_S = 2.0
DRAIN_S = 2.0

Note = Gap | NewSound


class Notes:
    """What waits to be noted; a device with too many waiting loses its newest, no other device does."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        warn: Callable[[str, str | None], None],
        on_gap: Callable[[Gap], None],
        *,
        retry_s: float = RETRY_S,
    ) -> None:
        self.dropped = 0
        self._store = store
        self._bus = bus
        self._warn = warn
        self._on_gap = on_gap
        self._retry_s = retry_s
        self._waiting: deque[Note] = deque()
        self._of_device: Counter[str] = Counter()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, note: Note) -> None:
        """Queue a note; never blocks. A gap that continues the last one of its device is joined to it."""
        last = self._waiting[-1] if self._waiting else None
        if isinstance(note, Gap) and isinstance(last, Gap) and _continues(last, note):
            self._waiting[-1] = Gap(
                device=note.device,
                start_ms=last.start_ms,
                end_ms=note.end_ms,
                packets=last.packets + note.packets,
                reason=note.reason,
            )
            return
        if self._of_device[note.device] >= MAX_OF_DEVICE:
            self.dropped += 1
            return
        self._of_device[note.device] += 1
        self._waiting.append(note)
        self._wake.set()

    async def run(self) -> None:
        """Write notes for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
                await asyncio.gather(*(self._keep(note) for note in batch))
                self._of_device -= Counter(note.device for note in batch)

    async def drain(self) -> None:
        """The hub stops: write what waits, if that can be done soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self._waiting:
                    await self._keep(self._waiting.popleft())

    async def _keep(self, note: Note) -> None:
        while True:
            try:
                if isinstance(note, Gap):
                    await self._store.add_gap(note)
                    self._on_gap(note)
                    self._bus.publish(GapRecorded(gap=note))
                else:
                    self._bus.publish(SoundHeard(sound=await self._store.add_sound(note)))
            except StoreError as problem:
                self._warn("notes", f"{problem}. Sounds and gaps wait and are tried again")
                await asyncio.sleep(self._retry_s)
            else:
                self._warn("notes", None)
                return


def _continues(last: Gap, gap: Gap) -> bool:
    return (last.device, last.reason, last.end_ms) == (gap.device, gap.reason, gap.start_ms)
