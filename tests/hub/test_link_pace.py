"""A device that sends faster than any should: it has to wait, loses nothing, and costs the others nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from link_hub import QUIET, until
from linkpeer import LinkPeer
from minerva import wire
from minerva_hub.app import Hub
from minerva_hub.link.socket import FRAMES_AT_ONCE, MAX_FRAMES_PER_S

DAYS_MS = 20 * 86_400_000  # since its boot: all that time it may claim to have recorded
SPEECHLESS = np.zeros(320, np.int16)
LEVEL = {"type": "level", "time_ms": DAYS_MS, "rms_db": -60.0, "peak_db": -50.0}


async def send_old(link: LinkPeer) -> None:
    await link.send(SPEECHLESS)


async def send_level(link: LinkPeer) -> None:
    await link.say(LEVEL)


@asynccontextmanager
async def flood(link: LinkPeer, send: Any) -> AsyncIterator[None]:
    """`link` sends as fast as it can, and reads what it is told."""

    async def send_on() -> None:
        while True:
            await send(link)

    async def read_on() -> None:
        async for _ in link.ws:
            pass

    tasks = [asyncio.create_task(send_on()), asyncio.create_task(read_on())]
    yield
    for task in tasks:
        assert not task.done(), "the hub ended the connection"
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("send", [send_old, send_level])
async def test_a_flood_beside_a_device_that_keeps_the_rules(
    hub: tuple[Hub, str], peer: Any, send: Any
) -> None:
    bad, good = await peer(), await peer()
    await bad.hello(time_ms=DAYS_MS)
    await good.hello(device="study", boot_id="00112233445566aa")
    began_s = time.monotonic()
    async with flood(bad, send):
        await until(lambda: hub[0].fleet.get("kitchen").info.slowed > 10, timeout_s=30)
        for number in range(40):
            await good.send(QUIET, flags=wire.ENDS if number == 39 else 0)
        study = hub[0].pipeline._streams["study"]
        await until(lambda: study.settled_seq == 39, timeout_s=30)
    taken = (hub[0].pipeline._streams["kitchen"].accepted_seq or 0) + hub[0].health().drops.get("levels", 0)
    assert taken <= FRAMES_AT_ONCE + MAX_FRAMES_PER_S * (time.monotonic() - began_s) + 1
    assert hub[0].fleet.get("study").info.gaps == 0
    assert hub[0].fleet.get("study").info.slowed == 0


async def test_a_ring_that_comes_again_at_once_is_taken_whole(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello(time_ms=31_000)
    for _ in range(500):  # 30 s in packets of 60 ms
        await link.send(QUIET)
    stream = hub[0].pipeline._streams["kitchen"]
    await until(lambda: stream.accepted_seq == 499, timeout_s=30)
    assert "packets" not in hub[0].health().drops and hub[0].fleet.get("kitchen").info.gaps == 0
    link_again = await peer()
    await link_again.hello(time_ms=31_100)
    assert hub[0].fleet.get("kitchen").info.slowed == 0, "each connection counts anew"
