"""A token bucket: how often a peer may send what costs the hub or a reader something."""

from __future__ import annotations

import time


class Rate:
    """Allows `burst` at once and `per_s` in the long run."""

    def __init__(self, *, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._at_s = time.monotonic()

    def allow(self) -> bool:
        """Whether one more is allowed now."""
        now_s = time.monotonic()
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
