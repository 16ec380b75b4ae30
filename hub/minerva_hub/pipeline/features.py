"""Features of devices: the newest in memory, and taps that later stages read them from.

    with pipeline.features.tap() as tap:
        async for block in tap: ...

A tap is bounded for each device, so that one that sends much costs the others nothing; a reader that is too
slow loses a device's oldest blocks, and both count them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from minerva.wire import HOP_MS

from minerva_hub.audio import Features

KEPT_MS: Final = 30_000  # of each stream: 192 kB, a dozen windows of the sound network
TAP_BLOCKS: Final = (
    16_384  # of all devices that wait in a tap: some 20 MB; where they are many, each gets less
)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBlock:
    """One packet: uint8 (n, 64) of `minerva-mel64`, a row each 10 ms from `start_ms` (UTC) on.

    `begins`: what came before is not contiguous with it (the gate opened, packets or audio were between).
    """

    device: str
    room: str
    start_ms: int
    seq: int
    rows: Features
    begins: bool
    ends: bool

    @property
    def end_ms(self) -> int:
        """Where the next block of the same run begins, UTC."""
        return self.start_ms + HOP_MS * len(self.rows)


class FeatureLog:
    """The newest 30 s of one stream; `forgotten` counts the blocks that were let go for newer ones."""

    def __init__(self, taps: FeatureTaps) -> None:
        self.forgotten = 0
        self._taps = taps
        self._blocks: deque[FeatureBlock] = deque()
        self._rows = 0

    def put(self, block: FeatureBlock) -> None:
        """Keep a block and hand it to the taps; never blocks."""
        self._blocks.append(block)
        self._rows += len(block.rows)
        while self._rows * HOP_MS > KEPT_MS:
            self._rows -= len(self._blocks.popleft().rows)
            self.forgotten += 1
        self._taps.put(block)

    def newest(self, since_ms: int = 0) -> tuple[FeatureBlock, ...]:
        """What is kept and ends after `since_ms` (UTC), oldest first."""
        return tuple(block for block in self._blocks if block.end_ms > since_ms)


class FeatureTap:
    """Blocks for one consumer, `maxsize` of each device at most: `async for block in tap`, `with` ends it.

    A device's blocks come in their order; those of several devices as they came, as long as none was dropped.
    """

    def __init__(self, taps: FeatureTaps, device: str | None, maxsize: int) -> None:
        self.device = device
        self.dropped = 0
        self._taps = taps
        self._maxsize = maxsize
        self._blocks: dict[str, deque[FeatureBlock]] = {}
        self._turns: deque[str] = deque()  # whose oldest block is next: an entry for each block that waits
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._turns)

    def put(self, block: FeatureBlock) -> bool:
        """Queue a block; False when the oldest of its device was dropped for it."""
        waiting = self._blocks.setdefault(block.device, deque())
        full = len(waiting) >= min(self._maxsize, max(1, TAP_BLOCKS // len(self._blocks)))
        if full:
            waiting.popleft()  # the next oldest takes its turn
            self.dropped += 1
        else:
            self._turns.append(block.device)
        waiting.append(block)
        self._wake.set()
        return not full

    def close(self) -> None:
        """Take no more; an iteration gives what waits, then ends."""
        self._closed = True
        self._wake.set()
        self._taps.forget(self)

    def __aiter__(self) -> FeatureTap:
        return self

    async def __anext__(self) -> FeatureBlock:
        while not self._turns:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        device = self._turns.popleft()
        waiting = self._blocks[device]
        block = waiting.popleft()
        if not waiting:
            del self._blocks[device]
        return block

    def __enter__(self) -> FeatureTap:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FeatureTaps:
    """Who reads features. `dropped` counts the blocks that slow readers lost, over all of them."""

    def __init__(self) -> None:
        self.dropped = 0
        self._open: list[FeatureTap] = []

    def __len__(self) -> int:
        """Blocks that wait for their readers."""
        return sum(len(tap) for tap in self._open)

    def tap(self, device: str | None = None, *, maxsize: int = 256) -> FeatureTap:
        """Features from now on, of one device or of all; ValueError when `maxsize` is below 1.

        `maxsize` is for each device: 256 blocks are 25 s in packets of 100 ms.
        """
        if maxsize < 1:
            raise ValueError(f"maxsize {maxsize} is below 1")
        tap = FeatureTap(self, device, maxsize)
        self._open.append(tap)
        return tap

    def put(self, block: FeatureBlock) -> None:
        """Hand a block to every tap that wants it."""
        for tap in self._open:
            if tap.device in (None, block.device) and not tap.put(block):
                self.dropped += 1

    def forget(self, tap: FeatureTap) -> None:
        """A tap was closed."""
        if tap in self._open:
            self._open.remove(tap)

    def close(self) -> None:
        """End all taps: the hub is stopping."""
        for tap in tuple(self._open):
            tap.close()
