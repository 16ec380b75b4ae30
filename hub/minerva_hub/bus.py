"""The event bus: stages publish, faces subscribe; a slow subscriber loses events, nobody waits."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from types import TracebackType

from minerva_hub.events import (
    BusEvent,
    DeviceChanged,
    Level,
    ModelChanged,
    Partial,
    RolloutChanged,
    Speaking,
)

_REPLACEABLE = (
    Partial,
    Level,
    Speaking,
    DeviceChanged,
    RolloutChanged,
    ModelChanged,
)  # what the next one makes obsolete, in the order in which it is dropped


class Subscription:
    """Events for one subscriber, bounded: `async for event in subscription`, `with` ends it.

    A full one drops its oldest Partial, else Level, Speaking, DeviceChanged, RolloutChanged, ModelChanged,
    else any event: counted.
    """

    def __init__(self, bus: Bus, maxsize: int) -> None:
        self.dropped = 0
        self._bus = bus
        self._maxsize = maxsize
        self._events: deque[BusEvent] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def close(self) -> None:
        """Take no more events; an iteration gives those that wait, then ends."""
        self._closed = True
        self._wake.set()
        self._bus._forget(self)

    def _put(self, event: BusEvent) -> int:
        """Queue an event; returns how many were dropped for it."""
        self._events.append(event)
        self._wake.set()
        if len(self._events) <= self._maxsize:
            return 0
        del self._events[self._least_needed()]
        self.dropped += 1
        return 1

    def _least_needed(self) -> int:
        for kind in _REPLACEABLE:
            for index, event in enumerate(self._events):
                if isinstance(event, kind):
                    return index
        return 0

    def __len__(self) -> int:
        return len(self._events)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> BusEvent:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._events.popleft()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Bus:
    """Publishes to all subscribers at once, in order; lives in the thread that made it (the event loop's)."""

    def __init__(self) -> None:
        self.dropped = 0
        self._subscriptions: list[Subscription] = []
        self._thread = threading.get_ident()
        self._closed = False

    def publish(self, event: BusEvent) -> None:
        """Hand `event` to every subscriber; never blocks. RuntimeError from another thread."""
        self._check_thread()
        for subscription in self._subscriptions:
            self.dropped += subscription._put(event)

    def subscribe(self, maxsize: int = 256) -> Subscription:
        """Events from now on, of which at most `maxsize` wait."""
        self._check_thread()
        if maxsize < 1:
            raise ValueError(f"maxsize {maxsize} is below 1")
        subscription = Subscription(self, maxsize)
        if self._closed:
            subscription.close()
        else:
            self._subscriptions.append(subscription)
        return subscription

    def close(self) -> None:
        """End all subscriptions, present and future ones: the hub is stopping."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            subscription.close()

    def _forget(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeError("the bus belongs to the event loop's thread: use loop.call_soon_threadsafe")
