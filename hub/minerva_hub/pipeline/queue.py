"""From the speech detector to the transcribers: in order within a device, fair between devices."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from minerva_hub.pipeline.stream import Stream
from minerva_hub.segment import Segment

MAX_WAITING = 64  # segments of one device: with the usual five seconds each, five minutes behind
MAX_SAMPLES = 32 << 20  # of all devices, 64 MB


class Job:
    """A segment that waits to be written down, or None, and the packet of its stream that it settles.

    `committed`: the words that people saw as certain while it was spoken; `since_s`: when it began to wait.
    """

    __slots__ = ("committed", "segment", "settles", "since_s", "stream")

    def __init__(
        self, stream: Stream, segment: Segment | None, settles: int, committed: tuple[str, ...] = ()
    ) -> None:
        self.stream = stream
        self.segment = segment
        self.settles = settles
        self.committed = committed
        self.since_s = time.monotonic()


class SegmentQueue:
    """Jobs by device. A device's jobs are done one after the other, devices take turns.

    When a device has too many, or all together hold too much sound, the oldest of the device with the most is
    dropped and handed back, so that another is not disturbed. `ready` is called when `pop` has something.
    """

    def __init__(
        self,
        max_waiting: int = MAX_WAITING,
        max_samples: int = MAX_SAMPLES,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.dropped = 0
        self._max = max_waiting
        self._max_samples = max_samples
        self._samples: dict[str, int] = {}
        self._jobs: dict[str, deque[Job]] = {}
        self._turns: deque[str] = deque()
        self._busy: dict[str, Job] = {}
        self._ready = ready

    def __len__(self) -> int:
        """Jobs that wait."""
        return sum(len(jobs) for jobs in self._jobs.values())

    def pending(self, device: str) -> bool:
        """Whether a segment of this device waits or is being written down."""
        return device in self._busy or bool(self._jobs.get(device))

    @property
    def waited_s(self) -> float:
        """How long ago the oldest segment that is not written down yet ended; 0 without one."""
        oldest = [*self._busy.values(), *(jobs[0] for jobs in self._jobs.values() if jobs)]
        return time.monotonic() - min(job.since_s for job in oldest) if oldest else 0.0

    def put(self, stream: Stream, segment: Segment, committed: tuple[str, ...] = ()) -> list[Job]:
        """Queue a segment; returns what was dropped for it."""
        device = stream.device
        self._add(Job(stream, segment, segment.last_seq, committed))
        lost = []
        if len(self._jobs[device]) > self._max:
            lost.append(self._drop_oldest(device))
        while sum(self._samples.values()) > self._max_samples:
            lost.append(self._drop_oldest(max(self._samples, key=lambda name: self._samples[name])))
        return lost

    def settle(self, stream: Stream, seq: int) -> None:
        """Everything up to `seq` is not speech: settled at once, or after the segments before it."""
        jobs = self._jobs.get(stream.device)
        if jobs and jobs[-1].stream is stream:
            jobs[-1].settles = seq
        elif jobs or stream.device in self._busy:
            self._add(Job(stream, None, seq))
        else:
            stream.settle(seq)

    def forget(self, device: str) -> None:
        """Drop what waits of a device that was removed."""
        self._jobs.pop(device, None)
        self._samples.pop(device, None)
        if device in self._turns:
            self._turns.remove(device)

    def pop(self) -> Job | None:
        """The next job, None without one; `done` must follow before the device's next one is handed out."""
        if not self._turns:
            return None
        device = self._turns.popleft()
        self._busy[device] = self._pop(device)
        return self._busy[device]

    def done(self, device: str) -> None:
        """A job was finished, or given up."""
        self._busy.pop(device, None)
        if self._jobs.get(device):
            self._offer(device)
        else:
            self._jobs.pop(device, None)
            self._samples.pop(device, None)

    def _add(self, job: Job) -> None:
        device = job.stream.device
        self._jobs.setdefault(device, deque()).append(job)
        self._samples[device] = self._samples.get(device, 0) + _size(job)
        self._offer(device)

    def _pop(self, device: str) -> Job:
        job = self._jobs[device].popleft()
        self._samples[device] -= _size(job)
        return job

    def _drop_oldest(self, device: str) -> Job:
        self.dropped += 1
        job = self._pop(device)
        if not self._jobs[device] and device in self._turns:
            self._turns.remove(device)
        return job

    def _offer(self, device: str) -> None:
        if device not in self._busy and device not in self._turns:
            self._turns.append(device)
            self._ready()


def _size(job: Job) -> int:
    return 0 if job.segment is None else len(job.segment.pcm)
