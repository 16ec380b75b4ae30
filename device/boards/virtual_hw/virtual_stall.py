"""The virtual board's way to the hub: after the control line `net stall` it takes nothing, until `net flow`.

What it took before arrives, and what the hub says still comes.
"""

import virtual_control
from minerva.hw.stream import Stream

_write = Stream.write


def _nothing(self, buf, start, end):
    """Stream.write of a network that takes nothing now."""
    return 0


def _set(write, takes):
    Stream.write = write
    print("virtual board: the network takes", takes)


virtual_control.on("net stall", lambda: _set(_nothing, "nothing"))
virtual_control.on("net flow", lambda: _set(_write, "all"))
