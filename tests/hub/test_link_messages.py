"""Control messages over /link: what a device may say, and a device that says too much or takes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from link_hub import QUIET, until, vector
from linkpeer import LinkPeer
from minerva import wire
from minerva_hub.app import Hub
from minerva_hub.events import Level


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad_json"),
        ("[]", "bad_json"),
        ('{"type":"dance"}', "unknown_type"),
        ('{"type":"welcome","protocol":1}', "unknown_type"),
        ('{"type":"level","time_ms":1,"rms_db":"loud","peak_db":0}', "bad_field"),
        ('{"type":"mute","pad":"' + "x" * 5000 + '"}', "too_long"),
        ("[" * 4000, "bad_json"),
        ('{"type":"event","label":"\\ud800","score":1,"start_ms":1,"end_ms":2}', "bad_field"),
        ('{"type":"event","label":"bang","score":1,"start_ms":9007199254740992,"end_ms":2}', "bad_time"),
        ('{"type":"level","time_ms":9007199254740992,"rms_db":1,"peak_db":0}', "bad_time"),
    ],
)
async def test_a_message_that_is_refused_ends_this_connection_only(peer: Any, text: str, code: str) -> None:
    good, bad = await peer(), await peer()
    await good.hello(device="study")
    await bad.hello()
    await bad.say(text)
    assert (await bad.refused())[0] == code
    await good.send(QUIET)
    assert (await good.hear("ack"))["seq"] == 0


async def test_mute_reaches_the_device_and_its_answer_the_owner(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    asked = asyncio.create_task(hub[0].fleet.set_mute("kitchen", True))
    assert (await link.hear("mute"))["on"] is True
    await link.say({"type": "mute", "state": "hub"})
    assert (await asked).mute == "hub"


async def test_health_is_acknowledged_and_shown(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    health = vector("health")
    await link.say({**health, "time_ms": 2000})
    assert (await link.hear("ack"))["health"] == health["n"]
    info = hub[0].fleet.devices()[0]
    assert (info.rssi_dbm, info.heap_free, info.drops) == (-61, 120000, {"overwritten": 0, "overrun": 3})


async def test_levels_go_out_and_too_many_are_dropped(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    with hub[0].bus.subscribe() as events:
        for i in range(40):
            await link.say({"type": "level", "time_ms": 1000 + i, "rms_db": -60, "peak_db": -50})
        await until(lambda: hub[0].health().drops.get("levels", 0) > 0)
        events.close()
        levels = [event async for event in events if isinstance(event, Level)]
    assert 5 <= len(levels) < 40


async def test_nothing_heard_under_a_mute_is_shown_or_kept(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello(mute="button")
    with hub[0].bus.subscribe() as events:
        await link.say({"type": "level", "time_ms": 1000, "rms_db": -60, "peak_db": -50})
        await link.say({"type": "event", "label": "loud_sound", "score": 1, "start_ms": 900, "end_ms": 950})
        await until(lambda: hub[0].health().drops.get("muted_events"))
        events.close()
        assert not [event async for event in events if isinstance(event, Level)]
    assert await hub[0].store.sounds() == []


async def test_a_sound_event_is_stored_at_its_true_time(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    await link.say(
        {
            "type": "event",
            "label": "loud_sound",
            "score": 0.5,
            "start_ms": 900,
            "end_ms": 950,
            "level_db": -20,
        }
    )
    async with asyncio.timeout(5):
        while not (sounds := await hub[0].store.sounds()):
            await asyncio.sleep(0.01)
    assert (sounds[0].label, sounds[0].room, sounds[0].end_ms - sounds[0].start_ms) == (
        "loud_sound",
        "Kitchen",
        50,
    )


async def test_a_device_that_stops_reading_is_cut_and_no_other_is_disturbed(
    hub: tuple[Hub, str], peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minerva_hub.link.socket.SEND_S", 0.2)
    stuck, good = await peer(), await peer()
    await stuck.hello()
    await good.hello(device="study")
    stuck.ws._response.connection.transport.pause_reading()
    device = hub[0].fleet.get("kitchen")
    for _ in range(40_000):
        if device.wire is None:
            break
        device.wire.send({"type": "config", "frames": 3})
        await asyncio.sleep(0)
    await until(lambda: not hub[0].fleet.get("kitchen").info.online)
    assert "does not read" in str(hub[0].fleet.get("kitchen").info.problem)
    await good.send(QUIET)
    assert (await good.hear("ack"))["seq"] == 0


async def test_a_half_open_connection_is_noticed(
    hub: tuple[Hub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minerva_hub.link.endpoint.HEARTBEAT_S", 0.2)
    async with aiohttp.ClientSession() as session:
        link = LinkPeer(session, hub[1])
        link.ws = await session.ws_connect(f"{hub[1]}/link", protocols=(wire.SUBPROTOCOL,), autoping=False)
        await link.hello()
        await until(lambda: hub[0].fleet.devices()[0].online)
        await until(lambda: not hub[0].fleet.devices()[0].online)


async def test_half_a_character_among_the_drops_is_refused(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    health = vector("health")
    await link.say({**health, "drops": {"\ud800": 1}})
    assert (await link.refused())[0] == "bad_field"
    async with aiohttp.ClientSession() as session, session.get(f"{hub[1]}/api/devices") as answer:
        assert answer.status == 200


async def test_a_flood_of_errors_ends_its_connection(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    for _ in range(200):
        await link.say({"type": "error", "code": "internal", "message": "x", "fatal": False})
    assert (await link.refused())[0] == "overloaded"
