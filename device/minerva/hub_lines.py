"""What the hub has written to the device's log: so many lines at once, then few, the others counted. Pure."""

from minerva.port import const, ticks_add, ticks_diff

AT_ONCE = 10
EVERY_MS = 10000  # then one line each
_MAX_CHARS = const(160)  # an error's message may have 512 bytes


class HubLines:
    """`write(line)` gets what is shown, printable; `say()` at `ticks`."""

    def __init__(self, write):
        self._write = write
        self._left = AT_ONCE
        self._refilled = 0
        self._held = 0  # lines since the last one that was shown

    def say(self, ticks: int, line: str) -> None:
        """Show a line that the hub gave rise to, or count it."""
        passed = ticks_diff(ticks, self._refilled)
        if passed < 0:  # so long ago that the ticks have wrapped
            passed = AT_ONCE * EVERY_MS
        self._left += passed // EVERY_MS
        self._refilled = ticks_add(ticks, -(passed % EVERY_MS))
        if self._left >= AT_ONCE:
            self._left = AT_ONCE
            self._refilled = ticks
        if self._left == 0:
            self._held += 1
            return
        self._left -= 1
        if self._held:
            self._write("hub: %d lines more, not shown" % self._held)
            self._held = 0
        self._write("".join([c if " " <= c <= "~" or c > "\x9f" else "?" for c in line[:_MAX_CHARS]]))
