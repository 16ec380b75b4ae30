"""What MicroPython and CPython name differently, so that one source runs under both. Pure.

Under MicroPython these are the interpreter's own, and `@micropython.viper` is taken by its compiler. Under
CPython minerva.port_cpython stands in. pyright sees the former.
"""

import sys

MICROPYTHON = sys.implementation.name == "micropython"

if MICROPYTHON:
    import gc
    import select
    from asyncio import sleep_ms
    from sys import print_exception
    from time import ticks_add, ticks_diff, ticks_ms

    import micropython
    from micropython import const

    ptr8 = ptr16 = None  # names in annotations; the viper compiler knows them by itself

    def heap_free() -> int:
        """Bytes free on the heap once the garbage is collected, which takes some milliseconds."""
        gc.collect()
        return gc.mem_free()

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
    from minerva.port_cpython import (  # type: ignore
        Readiness,  # type: ignore
        const,
        heap_free,
        micropython,
        print_exception,
        ptr8,
        ptr16,
        sleep_ms,
        ticks_add,
        ticks_diff,
        ticks_ms,
    )

__all__ = [
    "MICROPYTHON",
    "Readiness",
    "const",
    "heap_free",
    "micropython",
    "print_exception",
    "ptr8",
    "ptr16",
    "sleep_ms",
    "ticks_add",
    "ticks_diff",
    "ticks_ms",
]
