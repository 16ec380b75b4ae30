"""One start of a device for the bench `rollout`, in the folder that is its flash.

The slot is chosen, its application links to the hub and is judged if it is on trial, and then goes on one
errand to the update server: all of it the slot's own code. In the place of the microphone stands a noise. The
last line is JSON: "restart" or "idle", the slot and the version that ran.
"""

# mypy: ignore-errors
# ruff: noqa: E402, UP031, ASYNC230
# (It runs under MicroPython, whose modules mypy does not know, and imports what the slot has.)

import bootslot

bootslot.boot()  # from here on `minerva` is that of the slot

import asyncio
import json
import random

import minerva
from minerva import settings, updating
from minerva.errors import LinkError
from minerva.hw.link import Link
from minerva.port import heap_free, sleep_ms, ticks_diff, ticks_ms
from minerva.privacy import Privacy
from minerva.probation import Probation
from minerva.session import Session

SPEED = 200  # of the device's clock, so that the 15 minutes of a trial are 4.5 seconds
LINK_MS = 20000
BEGAN = ticks_ms()


class Board:
    """What the updater asks of a board."""

    NAME = "virtual"


def now_ms():
    """The device's time."""
    return ticks_diff(ticks_ms(), BEGAN) * SPEED


def alive():
    """There is no watchdog."""


def restarted():
    """End this start."""
    raise SystemExit("restart")


def noise():
    """Two seconds of a microphone's slots that vary."""
    raw = bytearray(4 * 32000)
    for i in range(1, len(raw), 4):
        raw[i] = random.getrandbits(8)
    return raw


async def greet(mine, probation):
    """Say hello and one health message; what the hub answers is the probation's to know."""
    session = Session(
        {
            "device": mine.device,
            "token": mine.token,
            "boot_id": "%08x%08x" % (random.getrandbits(32), random.getrandbits(32)),
            "firmware": {
                "name": "minerva",
                "version": minerva.__version__,
                "variant": "micropython",
                "board": Board.NAME,
            },
            "slot": probation.slot,
            "kinds": ["ima_adpcm"],
        },
        Privacy(mine.ceiling, ("mute", "events")),
        True,
    )
    link = await Link.open(mine, alive)
    link.send_text(session.open(now_ms()))
    try:
        while not probation.health_acked:
            for _, payload in link.receive() or ():
                for event in session.receive_text(payload):
                    if event[0] == "welcome":
                        probation.welcomed = True
                        session._say({"type": "update", "state": "idle"})
                        session._outgoing.append(session.health(health()))
                    elif event[0] == "health_ack":
                        probation.health_acked = True
                    elif event[0] == "closed":
                        print("hub:", event[1], event[2])
                        return
            if link.flush():
                texts = session.take_outgoing()
                if texts:
                    session._outgoing = texts[1:]
                    link.send_text(texts[0])
            if ticks_diff(ticks_ms(), BEGAN) > LINK_MS:
                return
            await sleep_ms(5)
    finally:
        await link.close(1000, "bye")


def health():
    """The fields of a health message."""
    return {
        "time_ms": now_ms(),
        "uptime_s": now_ms() // 1000,
        "rssi": None,
        "heap_free": heap_free(),
        "drops": {},
        "version": minerva.__version__,
        "noise_db": -60.0,
    }


async def main():
    """Give (how it ended, slot)."""
    mine = settings.load("settings.json")
    probation = Probation()
    if probation.judging:
        raw = noise()
        probation.heard(raw, len(raw))
    try:
        await greet(mine, probation)
    except LinkError as e:
        print("link:", e)
    while probation.judging:
        if probation.judge(False, now_ms()):
            return "restart", probation.slot
        await sleep_ms(20)
    device = updating.Updating(
        (mine, Board, 0), probation, None, None, alive, now_ms, lambda n: random.getrandbits(16) % n
    )
    if device.keys().read() is None:  # as `minerva device pair` leaves it
        with open("keys.json", "rb") as f:
            device.keys().write(f.read())
    device.quiet = True
    updating.restart = restarted
    try:
        await device.go()
    except SystemExit:
        return "restart", probation.slot
    return "idle", probation.slot


end, slot = asyncio.run(main())
print(json.dumps({"end": end, "slot": slot, "version": minerva.__version__}))
