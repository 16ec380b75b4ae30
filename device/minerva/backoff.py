"""How long to wait before the next try: longer each time, never quite regular, short after success. Pure."""

from minerva.port import const

_FIRST_MS = const(300)  # a hub that restarts is found again within a stock ring's five seconds
CAP_MS = 10000  # a LAN: a try costs next to nothing
# A link that stood for so long was a good one; a welcome alone proves nothing.
STEADY_MS = 30000
_GROWTH_PERCENT = const(160)
_JITTER_PERCENT = const(20)  # so that devices do not come back in step after a power cut


class Backoff:
    """`next_ms()` gives each next pause; `ended()` and `reset()` make it short again.

    `random(n)` gives 0 <= r < n.
    """

    def __init__(self, random, first_ms: int = _FIRST_MS, cap_ms: int = CAP_MS):
        self._random = random
        self._first_ms = first_ms
        self._cap_ms = cap_ms
        self._step_ms = first_ms

    def next_ms(self) -> int:
        """The pause before the next try: 0.3, 0.5, 0.8 … 10 s, each up to a fifth longer or shorter."""
        step = self._step_ms
        self._step_ms = min(self._cap_ms, step * _GROWTH_PERCENT // 100)
        return step * (100 - _JITTER_PERCENT + self._random(2 * _JITTER_PERCENT + 1)) // 100

    def ended(self, stood_ms: int) -> None:
        """A link ended that had stood for `stood_ms` since its welcome."""
        if stood_ms >= STEADY_MS:
            self.reset()

    def reset(self) -> None:
        """It worked: begin with the shortest pause again."""
        self._step_ms = self._first_ms
