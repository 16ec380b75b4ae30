"""What a device says of itself: health, levels, and the time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from minerva import wire

from tests.device.device_hub import DeviceHub

feature = pytest.mark.feature
DROPS = {"overwritten", "discontinuities", "outbox", "mic_restarts", "withheld"}


@feature("Health", "every 10 s and after each change, numbered; its drops named and counted")
async def test_health(hub: DeviceHub, switch_on: Any) -> None:
    async with switch_on(hub, speed=10):
        await hub.until(lambda: len(hub.of("health")) >= 3)
        health = hub.of("health")
        assert [h["n"] - health[0]["n"] for h in health[:3]] == [0, 1, 2]
        assert health[2]["time_ms"] - health[1]["time_ms"] == pytest.approx(10_000, abs=1500)
        assert set(health[0]["drops"]) == DROPS
        assert health[0]["slot"] == hub.hellos[0]["slot"]
        assert health[0]["version"] == hub.hellos[0]["firmware"]["version"]
        assert health[0]["uptime_s"] == health[0]["time_ms"] // 1000
        count = len(hub.of("health"))
        await hub.say(type="config", mode="events", kind="ima_adpcm")
        await hub.until(lambda: len(hub.of("health")) > count)
        changed = hub.of("health")[count]
        assert (changed["mode"], changed["kind"]) == ("events", "ima_adpcm")
        assert changed["time_ms"] - hub.of("health")[count - 1]["time_ms"] < 10_000


@feature("Health", "levels at most four a second, of the audio after the gain", needs=("sound", "clock"))
async def test_levels(hub: DeviceHub, switch_on: Any, room: Path) -> None:
    async with switch_on(hub, room):
        await hub.until(lambda: len(hub.of("level")) >= 24)
    levels = hub.of("level")
    assert all(b["time_ms"] - a["time_ms"] >= 250 for a, b in pairwise(levels))
    # The room is at -85 dBFS, the talk at -45; 24 dB of gain.
    quiet = [m for m in levels if 1000 < m["time_ms"] < 3000]
    assert all(-70 < m["rms_db"] < -55 for m in quiet), quiet
    assert max(m["rms_db"] for m in levels) == pytest.approx(-21, abs=3)
    assert all(m["peak_db"] >= m["rms_db"] for m in levels)


@feature("Time", "device time never runs backwards, past 2^30 and 2^32 ms too", needs=("sound", "clock"))
@pytest.mark.parametrize("edge", [30, 32])
async def test_time_past_an_edge(hub: DeviceHub, switch_on: Any, chatter: Path, edge: int) -> None:
    boot = (1 << edge) - 2000
    async with switch_on(hub, chatter, boot_ms=boot):
        await hub.until(lambda: len(hub.packets) >= 100 and len(hub.of("level")) >= 20)
    times = [p[5] for p in hub.packets]
    assert times[0] == pytest.approx(boot, abs=2000)
    assert all((b - a) & wire.U32 == 60 for a, b in pairwise(times))
    assert (times[0] < 1 << 30 < times[-1]) if edge == 30 else times[0] > times[-1]
    assert hub.hellos[0]["time_ms"] >= boot
    told = [m["time_ms"] for m in hub.messages]
    assert told[-1] > 1 << edge, "in messages the time is whole"
    assert told == sorted(told)


@feature("Time", "an `ack` frees nothing and changes nothing; the hub's clock is not the device's")
async def test_acks(hub: DeviceHub, switch_on: Any) -> None:
    async with switch_on(hub):
        await hub.until(lambda: hub.of("health"))
        before = hub.of("health")[-1]
        for _ in range(20):
            await hub.say(type="ack", seq=3)
            await hub.say(type="ack", stream=9, seq=4_294_967_295, health=77)
        await hub.say(type="config", frames=4)
        await hub.until(lambda: hub.of("health")[-1]["n"] > before["n"])
    assert hub.connections == 1 and not hub.of("error")
    assert 0 <= hub.of("health")[-1]["time_ms"] - before["time_ms"] < 60_000
