"""From the speech detector to the transcribers: in order within a stream, fair between streams."""

from __future__ import annotations

import asyncio
from collections import deque

from minerva_hub.pipeline.stream import Stream
from minerva_hub.segment import Segment

MAX_WAITING = 64  # segments of one stream: with the usual five seconds each, five minutes behind


class Job:
    """A segment that waits to be written down, and the packet that it settles."""

    __slots__ = ("segment", "settles")

    def __init__(self, segment: Segment | None, settles: int) -> None:
        self.segment = segment
        self.settles = settles


class SegmentQueue:
    """Jobs by stream. A stream's jobs are done one after the other, streams take turns.

    When one stream has too many, its oldest is dropped and handed back, so that another is not disturbed.
    """

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self.dropped = 0
        self._max = max_waiting
        self._jobs: dict[Stream, deque[Job]] = {}
        self._turns: deque[Stream] = deque()
        self._busy: set[Stream] = set()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Segments that wait."""
        return sum(len(jobs) for jobs in self._jobs.values())

    def pending(self, stream: Stream) -> bool:
        """Whether a segment of this stream waits or is being written down."""
        return stream in self._busy or bool(self._jobs.get(stream))

    def put(self, stream: Stream, segment: Segment) -> Segment | None:
        """Queue a segment; returns the one that was dropped for it, if any."""
        jobs = self._jobs.setdefault(stream, deque())
        jobs.append(Job(segment, segment.last_seq))
        lost = None
        if len(jobs) > self._max:
            oldest = jobs[0]
            lost = oldest.segment
            jobs.popleft()
            self.dropped += 1
        self._offer(stream)
        return lost

    def settle(self, stream: Stream, seq: int) -> None:
        """Everything up to `seq` is not speech: settled at once, or after the segments before it."""
        jobs = self._jobs.get(stream)
        if jobs:
            jobs[-1].settles = seq
        elif stream not in self._busy:
            stream.settle(seq)
        else:
            self._jobs.setdefault(stream, deque()).append(Job(None, seq))
            self._offer(stream)

    async def take(self) -> tuple[Stream, Job]:
        """The next job; `done` must follow before the stream's next one is handed out."""
        while not self._turns:
            self._wake.clear()
            await self._wake.wait()
        stream = self._turns.popleft()
        self._busy.add(stream)
        return stream, self._jobs[stream].popleft()

    def done(self, stream: Stream) -> None:
        """A job was finished, or given up."""
        self._busy.discard(stream)
        if self._jobs.get(stream):
            self._offer(stream)
        else:
            self._jobs.pop(stream, None)

    def _offer(self, stream: Stream) -> None:
        if stream not in self._busy and stream not in self._turns:
            self._turns.append(stream)
            self._wake.set()
