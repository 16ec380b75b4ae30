"""The virtual board: the application as it is, on a computer, with boards/virtual_hw for its hardware."""

import virtual_stall  # noqa: F401 - it listens to its control lines
from virtual_clock import BOOT_MS, ticks_ms

NAME = "virtual"
NEEDS_WIFI = False
MIC = {"id": 0, "sck": 4, "ws": 5, "sd": 6}
LED = {"kind": "plain", "pin": 2, "on": 1}
BUTTON = 0

__all__ = ["BOOT_MS", "BUTTON", "LED", "MIC", "NAME", "NEEDS_WIFI", "ticks_ms"]
