"""The sounds that Minerva knows by name, in the order of the network's outputs."""

from __future__ import annotations

from typing import Final

LABELS: Final = (
    "smoke_alarm",
    "co_alarm",
    "doorbell",
    "ringback",
    "busy",
    "dtmf_tone",
    "hold_music",
    "speech",
    "music",
    "knock",
    "glass_break",
    "appliance_beep",
    "noise",
    "silence",
)
ALARMS: Final = ("smoke_alarm", "co_alarm")
BACKGROUND: Final = ("noise", "silence")  # what is there when nothing else is: exclusive of all others
