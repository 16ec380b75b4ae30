"""The watchdog: fed only while every loop of the application says that it is alive."""

import machine

from minerva.port import const

# A TLS handshake and a name look-up block for seconds; an application that hangs is back within a minute.
_TIMEOUT_MS = const(30000)


class Watchdog:
    """`alive(i)` from each of `loops` loops; `feed()` feeds when all of them were since the last time."""

    def __init__(self, loops: int):
        self._seen = bytearray(loops)
        self._wdt = machine.WDT(timeout=_TIMEOUT_MS)

    def alive(self, loop: int) -> None:
        """Loop number `loop` went round."""
        self._seen[loop] = 1

    def feed(self) -> bool:
        """Feed the watchdog if every loop went round; whether it was fed."""
        for seen in self._seen:
            if not seen:
                return False
        for i in range(len(self._seen)):
            self._seen[i] = 0
        self._wdt.feed()
        return True


def restart() -> None:
    """Begin again from boot.py."""
    machine.reset()
