"""A thread for calls that may never return.

A thread that hangs in an engine cannot be ended. This one is a daemon, so that it does not keep the hub from
stopping, and whoever waits for it waits no longer than a limit.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Hand:
    """Does one call after the other."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def start(self, call: Callable[[], T]) -> Future[T]:
        """Do a call after those before it."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        return future

    async def do(self, call: Callable[[], T], limit_s: float | None = None) -> T:
        """Its result; TimeoutError after `limit_s`, while it goes on in the thread."""
        waiting = asyncio.wrap_future(self.start(call))
        try:
            done, _ = await asyncio.wait({waiting}, timeout=limit_s)
            if not done:
                raise TimeoutError
            return waiting.result()
        finally:
            waiting.cancel()  # whatever becomes of a call that nobody waits for goes nowhere

    def end(self) -> None:
        """End the thread after the calls that were given to it."""
        self._calls.put(None)

    def ended(self, timeout_s: float) -> bool:
        """Whether it has ended, waiting for that so long. Blocks."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as problem:
                future.set_exception(problem)
