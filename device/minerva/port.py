"""What MicroPython and CPython name differently, so that one source runs under both. Pure.

Under MicroPython these are the interpreter's own; `@micropython.viper` is taken by its compiler. Under
CPython viper becomes a wrapper that casts the arguments as their annotations say, so that the same loops
run, slowly. Loops keep every product within 31 bits and mask what they store; both then agree to the bit.
"""

import gc
import sys

MICROPYTHON = sys.implementation.name == "micropython"

if MICROPYTHON:
    from asyncio import sleep_ms
    from time import ticks_add, ticks_diff, ticks_ms

    import micropython

    ptr8 = ptr16 = None  # names in annotations; the viper compiler knows them by itself

    def heap_free() -> int:
        """Bytes free on the heap."""
        return gc.mem_free()

    def print_exception(e: BaseException) -> None:
        """An error with its traceback, to the log."""
        sys.print_exception(e)

else:
    import asyncio
    import time
    import traceback

    def print_exception(e: BaseException) -> None:
        """An error with its traceback, to the log."""
        traceback.print_exception(e)

    _HALF = 1 << 29  # MicroPython's ticks wrap at 2^30

    def ticks_ms() -> int:
        """Milliseconds of a steady clock, wrapping at 2^30."""
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

    ptr8 = "B"
    ptr16 = "H"

    class micropython:
        """The part of the module `micropython` that Minerva uses."""

        @staticmethod
        def viper(function):
            """Run `function` with its ptr8 and ptr16 arguments cast to views of bytes and unsigned shorts."""
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


if MICROPYTHON:
    import select

    class Readiness:
        """Whether a stream has something to read; asking allocates nothing and does not wait."""

        def __init__(self, stream):
            self._poll = select.poll()
            self._poll.register(stream, select.POLLIN)

        def readable(self) -> bool:
            """Whether a read would give something now."""
            for _ in self._poll.ipoll(0):
                return True
            return False

else:

    class Readiness:
        """The same for MicroPython's stream protocol in plain Python, as the virtual board's I2S has it."""

        _POLL = 3  # MP_STREAM_POLL
        _READ = 1

        def __init__(self, stream):
            self._stream = stream

        def readable(self) -> bool:
            """Whether a read would give something now."""
            return bool(self._stream.ioctl(self._POLL, self._READ))
