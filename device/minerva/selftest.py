"""Is there a microphone? Samples must vary; nothing of them is kept. Pure. The Rust firmware judges alike."""

from minerva.port import const, micropython, ptr16
from minerva.trial import MIC_FAILED, MIC_PASSED, MIC_WAITING

_SLOTS = const(16000)  # a second
# The least a microphone's noise changes; a line that is stuck has one value, or two when it chatters.
_DISTINCT = const(64)


@micropython.viper
def _changes(slots: ptr16, count: int, last: ptr16) -> int:
    """How often a 32-bit slot is neither of the two values before it that were so; `last` holds those."""
    a_low = int(last[0])
    a_high = int(last[1])
    b_low = int(last[2])
    b_high = int(last[3])
    changes = 0
    i = 0
    while i < 2 * count:
        low = int(slots[i])
        high = int(slots[i + 1])
        if (low != a_low or high != a_high) and (low != b_low or high != b_high):
            changes += 1
            a_low = b_low
            a_high = b_high
            b_low = low
            b_high = high
        i += 2
    last[0] = a_low
    last[1] = a_high
    last[2] = b_low
    last[3] = b_high
    return changes


class SelfTest:
    """Looks at slots as they are captured; `verdict` is one of trial.MIC_…: once passed, always."""

    def __init__(self):
        self.verdict = MIC_WAITING
        self._seen = 0
        self._changes = 0
        self._last = bytearray(8)

    def heard(self, raw: "bytearray", size: int) -> None:
        """raw[:size], whole 32-bit slots, came from the microphone."""
        if self.verdict == MIC_PASSED:
            return
        count = size >> 2
        self._changes += _changes(raw, count, self._last)
        self._seen += count
        if self._seen >= _SLOTS:
            self.verdict = MIC_PASSED if self._changes >= _DISTINCT else MIC_FAILED
            self._seen = 0
            self._changes = 0
