"""The ring: what a broken connection, a long outage and a small ring cost."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.device.device_hub import DeviceHub, conditioned, talk, write_wav

feature = pytest.mark.feature


@feature(
    "Resend", "sends again after `welcome.resume`, oldest first, without loss or repetition", needs=("sound",)
)
async def test_resend(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    sound = talk(16)
    wav = write_wav(tmp_path / "talk.wav", sound)
    hub.resume = lambda: hub.packets[-5][4] if len(hub.packets) > 5 else None
    async with switch_on(hub, wav):
        for packets in (40, 110):
            await hub.until(lambda n=packets: len(hub.packets) >= n)
            hub.cut()
        await hub.until(lambda: len({p[4] for p in hub.packets}) >= 240)
    assert hub.connections == 3
    assert hub.pcm()[: 14 * 32000] == conditioned(sound)[: 14 * 32000]
    # From the resume point, oldest first: four packets twice after each cut, and no more.
    numbers = [p[4] for p in hub.packets]
    falls = [i for i in range(1, len(numbers)) if numbers[i] <= numbers[i - 1]]
    assert len(falls) == 2
    assert all(numbers[i] == numbers[i - 5] + 1 for i in falls)


@feature("Resend", "sends all that the ring has when the hub knows nothing of this boot (`resume: null`)")
async def test_resend_all(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    async with switch_on(hub, chatter):
        await hub.until(lambda: len(hub.packets) >= 20)
        hub.cut()
        await hub.until(lambda: len(hub.hellos) == 2)
        before = len(hub.packets)  # what was under way at the cut included
        await hub.until(lambda: len(hub.packets) >= before + 20)
    numbers = [p[4] for p in hub.packets]
    (fall,) = (i for i in range(1, len(numbers)) if numbers[i] <= numbers[i - 1])
    again = numbers[fall:]
    assert again == list(range(again[0], again[-1] + 1)), "in order"
    assert again[0] == 0, "from the oldest that it has"


@feature("Resend", "a `resume` that this boot never sent is taken for `null`: nothing is skipped")
async def test_resume_beyond(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    hub.resume = lambda: 1_000_000 if hub.packets else None
    async with switch_on(hub, chatter):
        await hub.until(lambda: len(hub.packets) >= 20)
        hub.cut()
        await hub.until(lambda: len(hub.hellos) == 2)
        newest = hub.packets[-1][4]
        await hub.until(lambda: hub.packets[-1][4] > newest + 10)
    numbers = [p[4] for p in hub.packets]
    (fall,) = (i for i in range(1, len(numbers)) if numbers[i] <= numbers[i - 1])
    again = numbers[fall:]
    assert again == list(range(again[0], again[-1] + 1)), "in order, and without a hole"


@feature(
    "Resend", "counts what a full ring overwrote; what is left comes in order", needs=("sound", "settings")
)
async def test_ring_overflow(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    again = DeviceHub()
    async with switch_on(hub, chatter, ring_bytes=65536) as unit:
        await hub.until(lambda: len(hub.packets) >= 20)
        await hub.stop()
        before = {p[4] for p in hub.packets}
        await unit.says("nobody listens")
        again.resume = lambda: max(before)
        # 65536 bytes hold 33 packets, 2 s: half a second of real time at this speed.
        await asyncio.sleep(2.5)
        await again.start(hub.port)
        try:
            await again.until(lambda: len(again.packets) >= 40 and again.of("health"))
        finally:
            await again.stop()
    numbers = [p[4] for p in again.packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    lost = numbers[0] - max(before) - 1
    assert lost > 20
    assert again.of("health")[-1]["drops"]["overwritten"] >= lost - 40
    times = [p[5] for p in again.packets]
    assert all(b - a == 60 for a, b in pairwise(times)), "their true times"
