"""CPython's side of minerva.port: ticks, viper and streams in plain Python. Never on a board."""

import asyncio
import time
from traceback import print_exception

__all__ = ["print_exception"]

_HALF = 1 << 29  # ticks wrap at 2^30, as on a 32-bit MicroPython


def ticks_ms() -> int:
    """Milliseconds of a steady clock, wrapping."""
    return time.monotonic_ns() // 1_000_000 & (2 * _HALF - 1)


def ticks_add(ticks: int, delta: int) -> int:
    """Ticks `delta` ms later."""
    return ticks + delta & (2 * _HALF - 1)


def ticks_diff(later: int, earlier: int) -> int:
    """Milliseconds from one ticks value to another, right while they are less than 2^29 apart."""
    return (later - earlier + _HALF & (2 * _HALF - 1)) - _HALF


def sleep_ms(duration_ms: int):
    """Awaitable pause."""
    return asyncio.sleep(duration_ms / 1000)


def heap_free() -> int:
    """CPython's heap has no bound of its own: 0 says that it is not known."""
    return 0


def const(value: int) -> int:
    """A number that MicroPython's compiler puts in place of the name."""
    return value


ptr8 = "B"
ptr16 = "H"


class micropython:
    """The part of the module `micropython` that Minerva uses."""

    @staticmethod
    def viper(function):
        """Run `function` with its ptr8 and ptr16 arguments cast to views of bytes and unsigned shorts.

        The loops keep every product within 31 bits and mask what they store, so that the bits agree.
        """
        kinds = [function.__annotations__.get(n) for n in function.__code__.co_varnames]
        casts = [(i, k) for i, k in enumerate(kinds) if k in (ptr8, ptr16)]

        def run(*arguments):
            given = list(arguments)
            for i, kind in casts:
                view = memoryview(given[i])
                given[i] = (view if view.format == "B" else view.cast("B")).cast(kind)
            return function(*given)

        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        return run


class Readiness:
    """Whether a stream that keeps MicroPython's stream protocol has something to read."""

    _POLL = 3  # MP_STREAM_POLL
    _READ = 1

    def __init__(self, stream):
        self._stream = stream

    def readable(self) -> bool:
        """Whether a read would give something now."""
        return bool(self._stream.ioctl(self._POLL, self._READ))
