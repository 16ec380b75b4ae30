"""device_errand.py SETTINGS [window_ms [utc_s]]: the real updater, in a folder as flash.

It is repeated while there is trouble; `utc_s` is the time that the hub told. Prints what it does; the last
line is JSON: how the errand ended, and what the updater counted.
"""

# mypy: ignore-errors
# (It runs under MicroPython, whose modules mypy does not know.)

import asyncio
import json
import random
import sys

import bootslot
from minerva import errand, settings, updating
from minerva.port import sleep_ms, ticks_ms
from minerva.probation import Probation

SPEED = 200  # of the device's clock, so that pauses between tries are short


class Board:
    """What the updater asks of a board."""

    NAME = "virtual"


def now_ms():
    """The device's time."""
    return (ticks_ms() - _BEGAN) * SPEED


_BEGAN = ticks_ms()


def alive():
    """There is no watchdog."""


def restarted():
    """End this start."""
    raise SystemExit("restart")


async def main(path, window_ms, utc_s):
    """Errands until one ends without trouble, or with a restart."""
    bootslot.boot()
    if window_ms:
        errand.Fetcher = lambda server, alive: _Fetcher(server, alive, window_ms)
    updating.restart = restarted
    device = updating.Updating(
        (settings.load(path), Board, 0),
        Probation(),
        None,
        None,
        alive,
        now_ms,
        lambda n: random.getrandbits(16) % n,
    )
    device.quiet = True
    if utc_s is not None:
        device.utc_ms = utc_s * 1000 - now_ms()
    end = "trouble"
    received = 0
    while end == "trouble":
        going = errand.Errand(device)
        device.past = device.past or updating.Past(device.random)
        device.past.outcome = device._probation.outcome
        going._updater.past = device.past
        try:
            due = await going.run()
            if device.past.backoff._step_ms == updating.FIRST_TROUBLE_MS:
                end = "idle"
            else:
                await sleep_ms(max(0, 1000 * due - now_ms()) // SPEED)
        except SystemExit as e:
            end = str(e)
        received += going._fetch.received
    updater = going._updater
    print(
        json.dumps(
            {
                "end": end,
                "state": updater.state,
                "code": updater.code,
                "received": received,
            }
        )
    )


_Fetcher = errand.Fetcher
_GIVEN = [int(word) for word in sys.argv[2:]] + [0, None][len(sys.argv) - 2 :]
asyncio.run(main(sys.argv[1], *_GIVEN))
