"""Where the threads of this process are, many times a second: their stacks, and whether they work or wait.

How a thread's time divides over its stacks is sampled; how much processor time it had in all is read from
its own clock. A sampler inside the process needs no rights over others, and works in any container.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

INTERVAL_S: Final = 0.002
SWITCH_S: Final = 0.0005  # the interpreter's lock changes hands so soon that a sample is of what ran
MAX_DEPTH: Final = 60  # frames of a stack; the deepest are the ones that tell
BUSY_SHARE: Final = 0.1  # of the time since the last sample that a thread must have worked, to be at work

# Leaf functions that wait whatever their clock says: a short burst of work may lie before them.
_WAITS: Final = frozenset(
    {
        ("selectors.py", "select"),
        ("threading.py", "wait"),
        ("threading.py", "_wait_for_tstate_lock"),
        ("queue.py", "get"),
        ("thread.py", "_worker"),
    }
)

Stack = tuple[tuple[str, str], ...]  # (file, function), outermost first


@dataclass
class Thread:
    """One thread: samples of its stacks at work and waiting, and its processor time."""

    name: str
    working: Counter[Stack] = field(default_factory=Counter)
    waiting: Counter[Stack] = field(default_factory=Counter)
    cpu_s: float = 0.0

    def cpu(self) -> dict[Stack, float]:
        """Seconds of processor time by stack; a thread that was never caught working has none to divide."""
        total = self.working.total()
        return {stack: self.cpu_s * count / total for stack, count in self.working.items()} if total else {}


class Sampler:
    """Samples all threads but its own from `start` to `stop`."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self.threads: dict[int, Thread] = {}
        self.wall_s = 0.0
        self.samples = 0
        self._interval_s = interval_s
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._usual_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()

    def stop(self) -> None:
        """End; then `threads` is complete."""
        self._ended.set()
        self._thread.join()
        sys.setswitchinterval(self._usual_s)

    def cpu_s(self) -> float:
        """Processor time of the sampler itself, which is not the subject's."""
        return self._own_s

    def _run(self) -> None:
        began = last = time.monotonic()
        own = time.thread_time()
        me = threading.get_ident()
        while not self._ended.wait(self._interval_s):
            now = time.monotonic()
            known = {thread.ident: thread for thread in threading.enumerate()}
            for ident, frame in sys._current_frames().items():
                if ident != me and ident in known:
                    self._note(known[ident], frame, now - last)
            last = now
            self.samples += 1
        self.wall_s = time.monotonic() - began
        self._own_s = time.thread_time() - own

    def _note(self, of: threading.Thread, frame: FrameType, since_s: float) -> None:
        tid = of.native_id or 0
        thread = self.threads.setdefault(tid, Thread(of.name))
        clock_s = thread_clock_s(tid)
        worked_s = clock_s - self._last.get(tid, clock_s)
        self._last[tid] = clock_s
        thread.cpu_s = clock_s - self._first.setdefault(tid, clock_s)
        stack = _stack(frame)
        file, function = stack[-1]
        idle = (file.rpartition("/")[2], function) in _WAITS or worked_s < BUSY_SHARE * since_s
        (thread.waiting if idle else thread.working)[stack] += 1


def thread_clock_s(tid: int) -> float:
    """The processor time of a thread of this process by Linux's number of it; 0 when it has just ended.

    The kernel's own name for that clock: pthread_getcpuclockid would read the memory of a thread that ended.
    """
    try:
        return time.clock_gettime(~tid << 3 | 6)
    except OSError:
        return 0.0


def _stack(frame: FrameType | None) -> Stack:
    found: list[tuple[str, str]] = []
    while frame is not None and len(found) < MAX_DEPTH:
        found.append((frame.f_code.co_filename, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(reversed(found))
