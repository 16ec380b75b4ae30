"""errand_run.py SETTINGS [window_ms]: one errand of the real updater, in the folder that is the flash.

Prints what it does; the last line is JSON: how the errand ended, and what the updater counted.
"""

import asyncio
import json
import random
import sys

import bootslot
from minerva import errand, settings, updating
from minerva.probation import Probation
from minerva.port import sleep_ms, ticks_ms

SPEED = 200  # of the device's clock, so that pauses between tries are short


class App:
    """What the application does for an errand."""

    version = "0.1.0"

    def __init__(self):
        self.room = self.waits = 0

    def alive(self):
        self.waits += 1

    def joined(self):
        return True

    def make_room(self):
        self.room += 1

    def restart(self):
        raise SystemExit("restart")


class Board:
    NAME = "virtual"


def now_ms():
    return (ticks_ms() - _BEGAN) * SPEED


_BEGAN = ticks_ms()


async def main(path, window_ms):
    app = App()
    bootslot.boot()
    if window_ms:
        errand.Fetcher = lambda server, alive: _Fetcher(server, alive, window_ms)
    device = updating.Updating(
        settings.load(path), Board, app, Probation(now_ms), lambda n: random.getrandbits(16) % n, now_ms, 0
    )
    device.quiet = True
    device.past = updating.Past(device._probation.outcome)
    going = errand.Errand(device)
    end = "idle"
    try:
        await going.run()
    except SystemExit as e:
        end = str(e)
    updater = going._updater
    print(
        json.dumps(
            {
                "end": end,
                "state": updater.state,
                "code": updater.code,
                "received": going._fetch.received,
                "got": device._told[1],
            }
        )
    )


_Fetcher = errand.Fetcher
asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
