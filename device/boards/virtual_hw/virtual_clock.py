"""Time on the virtual board: it may run faster than real time, and may have begun long ago.

MINERVA_SPEED: how many times faster than real time (1). MINERVA_BOOT_MS: time since boot at the start (0).
"""

import os
import sys
import time

SPEED = float(os.getenv("MINERVA_SPEED") or 1)
BOOT_MS = int(os.getenv("MINERVA_BOOT_MS") or 0)

if sys.implementation.name == "micropython":
    from time import ticks_diff, ticks_us

    _MASK = sys.maxsize >> 1  # where this build's ticks wrap
else:
    _MASK = (1 << 30) - 1  # as minerva.port has it

    def ticks_us():
        """Microseconds of a steady clock."""
        return time.monotonic_ns() // 1000

    def ticks_diff(later, earlier):
        """Microseconds between two of them."""
        return later - earlier


class _Clock:
    def __init__(self):
        self.last = ticks_us()
        self.real_us = 0


_clock = _Clock()


def real_us() -> int:
    """Real microseconds since the board was switched on."""
    now = ticks_us()
    _clock.real_us += ticks_diff(now, _clock.last)
    _clock.last = now
    return _clock.real_us


def elapsed_us() -> int:
    """Virtual microseconds since the board was switched on."""
    return int(real_us() * SPEED)


def ticks_ms() -> int:
    """Virtual milliseconds, wrapping as this interpreter's ticks do."""
    return BOOT_MS + elapsed_us() // 1000 & _MASK
