"""Who is next for the engines, over all streams: finals before partials, devices in turn.

A final is a segment that is over; a partial is the words so far of one that is not. Of several workers one is
kept for finals, so that these wait for no partial; with a lone worker a final waits for one partial at most,
the one that is being worked on. While finals are late nobody works on partials.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from minerva_hub.pipeline.queue import Job, SegmentQueue
from minerva_hub.pipeline.spoken import Spoken

BEHIND_S: Final = 3.0  # while a segment is older than this and not written down, no partial takes its time


@dataclass(frozen=True, slots=True, eq=False)
class PartialJob:
    """The words so far are wanted; the sound is looked at when a worker begins, so it is never old."""

    spoken: Spoken


class Scheduler:
    """Hands out jobs to `workers` workers.

    At most one partial of a device waits: asked for again, the older request is dropped and the newer has its
    place in the line. `dropped` counts those, and requests whose speech was over before a worker was free.
    """

    def __init__(self, workers: int) -> None:
        self.finals = SegmentQueue(ready=self._ready)
        self.dropped = 0
        self.partial_workers = max(1, workers - 1)
        self._line: dict[str, PartialJob] = {}  # by device, in the order of their turns
        self._at_work: set[PartialJob] = set()
        self._wake = asyncio.Event()

    @property
    def partials(self) -> int:
        """How many wait."""
        return len(self._line)

    def ask(self, spoken: Spoken) -> None:
        """Ask for the words so far; what was asked of this device before and still waits is dropped."""
        device = spoken.stream.device
        self.dropped += device in self._line
        self._line[device] = PartialJob(spoken)
        self._ready()

    def withdraw(self, device: str) -> None:
        """The device's speech is over: its words so far are not wanted any more."""
        if self._line.pop(device, None) is not None:
            self.dropped += 1

    async def take(self) -> Job | PartialJob:
        """The next job, for a worker that is free; `done` must follow."""
        while (job := self._next()) is None:
            self._wake.clear()
            await self._wake.wait()
        return job

    def done(self, job: Job | PartialJob) -> None:
        """A job was finished, or given up."""
        if isinstance(job, PartialJob):
            self._at_work.discard(job)
        else:
            self.finals.done(job.stream.device)
        self._ready()

    def _next(self) -> Job | PartialJob | None:
        final = self.finals.pop()
        if final is not None:
            return final
        if not self._line or len(self._at_work) >= self.partial_workers:
            return None
        if self.finals.waited_s > BEHIND_S:
            return None
        partial = self._line.pop(next(iter(self._line)))
        self._at_work.add(partial)
        return partial

    def _ready(self) -> None:
        self._wake.set()
