"""What somebody does to the virtual board, as lines on standard input: `press`, `net stall`, `wifi down`….

Only with MINERVA_CONTROL=1. `quit` and the end of standard input end the program: it never outlives who
started it.
"""

import os
import select
import sys

_handlers = {}
_POLL = None
_input = None
_line = bytearray()
MAX_LINE = 64

if os.getenv("MINERVA_CONTROL") == "1":
    _input = sys.stdin.buffer if sys.implementation.name == "micropython" else open(0, "rb", buffering=0)
    _POLL = select.poll()
    _POLL.register(sys.stdin, select.POLLIN)


def end(status: int) -> None:
    """End the program now, whatever it is doing."""
    if sys.implementation.name != "micropython":
        sys.stdout.flush()
        os._exit(status)  # SystemExit would travel through CPython's event loop and its complaints
    sys.exit(status)


def on(command: str, handler) -> None:
    """Call `handler()` when the line `command` comes."""
    _handlers[command] = handler


def poll() -> None:
    """Do what has been asked for; the program ends at `quit` and at the end of the input."""
    if _POLL is None:
        return
    while _POLL.poll(0):
        byte = _input.read(1)
        if not byte:
            end(0)
        if byte != b"\n":
            if len(_line) < MAX_LINE:
                _line.extend(byte)
            continue
        command = bytes(_line).decode()
        _line[:] = b""
        if command == "quit":
            end(0)
        handler = _handlers.get(command)
        if handler is None:
            print("virtual board: %r is not one of quit, %s" % (command, ", ".join(sorted(_handlers))))
        else:
            handler()
