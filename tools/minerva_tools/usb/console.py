"""A device's serial port as a log."""

from __future__ import annotations

import contextlib
import time
from typing import BinaryIO, Final

from minerva_tools.usb.board import BoardError
from minerva_tools.usb.ports import problem_of

BAUD: Final = 115_200
RETURNS_S: Final = 30.0  # a board with USB of its own is gone while it restarts


def listen(port: str, out: BinaryIO) -> None:
    """Copy what the device says to `out` until Ctrl-C; goes on when the port comes back after a restart.

    PortError: it cannot be opened; BoardError: it stays away.
    """
    import serial

    with contextlib.suppress(KeyboardInterrupt):
        came_at = None
        while True:
            try:
                with serial.Serial(port, BAUD, timeout=0.2, exclusive=True) as line:
                    came_at = time.monotonic()
                    while True:
                        out.write(line.read(max(1, line.in_waiting)))
                        out.flush()
            except serial.SerialException as problem:
                if came_at is None:
                    raise problem_of(port) from problem
                if time.monotonic() - came_at > RETURNS_S:
                    raise BoardError(f"{port}: the device went away and did not come back") from problem
                time.sleep(0.2)
