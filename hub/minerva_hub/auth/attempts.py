"""How often somebody may be wrong: per address and in all, and a list of who was for the owner to see."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from minerva_hub.errors import TooManyAttemptsError
from minerva_hub.events import FailedAttempts

MAX_SOURCES = 1024  # addresses remembered: a /22 of a home network; the one longest silent is forgotten
MAX_TRUSTED = 2048  # who was right before: twice as many as there can be links
MAX_LISTED = 32  # lines for the owner
TELL_S = 0.5
LISTED_MS = 7 * 86_400_000  # a line older than a week is history

K = TypeVar("K")
Kind = Literal["password", "token"]


@dataclass(frozen=True)
class Limit:
    """So many mistakes at once, and after them one each `every_s` seconds."""

    burst: int
    every_s: float


class _Bucket:
    def __init__(self, limit: Limit, now_s: float) -> None:
        self._limit = limit
        self._left = float(limit.burst)
        self._at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Seconds until one more is allowed; 0 now."""
        self._left = min(self._limit.burst, self._left + (now_s - self._at_s) / self._limit.every_s)
        self._at_s = now_s
        return max(0.0, (1.0 - self._left) * self._limit.every_s)

    def take(self, count: float) -> None:
        self._left = min(self._limit.burst, self._left - count)


class Attempts:
    """Allows attempts until too many were wrong.

    Whoever was right before (from the same address, for the same `who`) has a limit of their own, so that
    nobody else can lock them out. An attempt counts when it begins and is given back when it was right: many
    at once win nothing.
    """

    def __init__(
        self, *, of_source: Limit, in_all: Limit, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.blocked = 0
        self._limit = of_source
        self._clock = clock
        self._all = _Bucket(in_all, clock())
        self._sources: OrderedDict[str, _Bucket] = OrderedDict()
        self._trusted: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def begin(self, source: str, who: str) -> None:
        """Count one attempt of `who` from address `source`; TooManyAttemptsError when it may not be made."""
        now_s = self._clock()
        buckets = self._buckets(source, who, now_s)
        wait_s = max(bucket.wait_s(now_s) for bucket in buckets)
        if wait_s > 0:
            self.blocked += 1
            raise TooManyAttemptsError(
                f"too many wrong attempts from {source}: the next is heard in {wait_s:.0f} s", wait_s
            )
        for bucket in buckets:
            bucket.take(1)

    def succeeded(self, source: str, who: str) -> None:
        """The attempt begun was right."""
        self.undecided(source, who)
        if (source, who) not in self._trusted:
            _keep(self._trusted, (source, who), _Bucket(self._limit, self._clock()), MAX_TRUSTED)

    def undecided(self, source: str, who: str) -> None:
        """Give back the attempt begun: nobody knows whether it was right."""
        for bucket in self._buckets(source, who, self._clock()):
            bucket.take(-1)

    def forget(self) -> None:
        """Trust nobody for having been right before: what is right has changed."""
        self._trusted.clear()

    def _buckets(self, source: str, who: str, now_s: float) -> tuple[_Bucket, ...]:
        own = self._trusted.get((source, who))
        if own is not None:
            self._trusted.move_to_end((source, who))
            return (own,)
        bucket = self._sources.get(source)
        if bucket is None:
            bucket = _Bucket(self._limit, now_s)
            _keep(self._sources, source, bucket, MAX_SOURCES)
        self._sources.move_to_end(source)
        return (bucket, self._all)


def _keep(table: OrderedDict[K, _Bucket], key: K, bucket: _Bucket, limit: int) -> None:
    table[key] = bucket
    if len(table) > limit:
        table.popitem(last=False)


class FailureList:
    """Who was wrong, newest first, bounded: one line for each kind, address and name."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.counts: dict[str, int] = {"wrong_password": 0, "wrong_token": 0}
        self._changed = changed
        self._telling: asyncio.TimerHandle | None = None
        self._lines: OrderedDict[tuple[Kind, str, str], FailedAttempts] = OrderedDict()

    def note(self, kind: Kind, source: str, who: str) -> None:
        """One more mistake of `who` from address `source`."""
        self.counts["wrong_password" if kind == "password" else "wrong_token"] += 1
        key = (kind, source, who)
        before = self._lines.pop(key, None)
        count = 1 if before is None else before.count + 1
        self._lines[key] = FailedAttempts(
            kind=kind, address=source, who=who, count=count, last_ms=time.time_ns() // 1_000_000
        )
        if len(self._lines) > MAX_LISTED:
            self._lines.popitem(last=False)
        if self._telling is None:  # a storm is told once in a while, not at each stroke
            self._telling = asyncio.get_running_loop().call_later(TELL_S, self._tell)

    def _tell(self) -> None:
        self._telling = None
        self._changed()

    def lines(self) -> tuple[FailedAttempts, ...]:
        """Those of the last week."""
        since_ms = time.time_ns() // 1_000_000 - LISTED_MS
        return tuple(line for line in reversed(self._lines.values()) if line.last_ms >= since_ms)
