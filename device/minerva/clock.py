"""Device time: milliseconds since boot, counted by samples and kept honest by the ticks. Pure.

On a 32-bit MicroPython a number past 2^30 lives on the heap, so the time is kept as two 16-bit halves and
written to packets as such; `time_ms` puts it together for messages, where an allocation does not matter.
"""

from minerva.port import const, ticks_add, ticks_diff

# Packets within an open gate are contiguous, so the count of samples rules. Beyond this it has lost samples
# (a stall longer than the I2S buffer) or drifted by 800 s of a 50 ppm crystal.
DRIFT_MS = const(40)
# That many looks in a row must agree: a task switch between reading samples and ticks is not a loss.
_LOOKS = const(8)


class DeviceClock:
    """Wrapping ticks -> time since boot without wrap; `update` at least every 2^29 ms (six days)."""

    def __init__(self, ticks: int, start_ms: int = 0):
        self._ticks = ticks
        self.high = start_ms >> 16 & 0xFFFF
        self.low = start_ms & 0xFFFF
        self._wraps = start_ms >> 32

    def update(self, ticks: int) -> None:
        """It is `ticks` now."""
        passed = ticks_diff(ticks, self._ticks)
        if passed > 0:
            self._ticks = ticks
            low = self.low + (passed & 0xFFFF)
            high = self.high + (passed >> 16) + (low >> 16)
            self.low = low & 0xFFFF
            self.high = high & 0xFFFF
            self._wraps += high >> 16

    def time_ms(self) -> int:
        """Milliseconds since boot, whole."""
        return (self._wraps << 32) + (self.high << 16) + self.low

    def age_ms(self, high: int, low: int) -> int:
        """How long ago the (recent) time high:low was."""
        return ((self.high - high & 0xFFFF) << 16) + self.low - low


class SampleClock:
    """The time of the next frame's first sample, as `high` and `low`; 20 ms a frame from an anchor."""

    def __init__(self):
        self.high = 0
        self.low = 0
        self._expected = 0  # ticks at which the next frame's first sample was due
        self._looks = 0
        self._least = 0

    def start(self, clock: DeviceClock, ticks: int, ahead_ms: int) -> None:
        """It is `ticks`; the first sample is due `ahead_ms` (up to a minute either way) later."""
        clock.update(ticks)
        low = clock.low + ahead_ms
        high = clock.high
        if low < 0:
            low += 0x10000
            high -= 1
        elif low > 0xFFFF:
            low -= 0x10000
            high += 1
        self.low = low
        self.high = high & 0xFFFF
        self._expected = ticks_add(ticks, ahead_ms)
        self._looks = 0

    def sync(self, clock: DeviceClock, ticks: int, ahead_ms: int) -> None:
        """A look before the first sample, as for `start`; the earliest counts, for looks can only be late."""
        if ticks_diff(ticks_add(ticks, ahead_ms), self._expected) < 0:
            self.start(clock, ticks, ahead_ms)

    def check(self, clock: DeviceClock, ticks: int, pending_ms: int) -> bool:
        """All samples were read at `ticks`, `pending_ms` of them not yet framed: True when anchored anew."""
        drift = ticks_diff(ticks, self._expected) - pending_ms
        if -DRIFT_MS <= drift <= DRIFT_MS:
            self._looks = 0
            return False
        if self._looks == 0 or abs(drift) < abs(self._least):
            self._least = drift
        self._looks += 1
        if self._looks < _LOOKS:
            return False
        self.start(clock, ticks, -pending_ms)
        return True

    def next_frame(self, frame_ms: int) -> None:
        """One frame went by."""
        low = self.low + frame_ms
        if low >= 0x10000:
            low -= 0x10000
            self.high = self.high + 1 & 0xFFFF
        self.low = low
        self._expected = ticks_add(self._expected, frame_ms)
