"""The fleet: commands, wishes that outlive a restart, the registry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from minerva_hub import fleet as module
from minerva_hub.bus import Bus
from minerva_hub.errors import PeerError, UserError
from minerva_hub.events import DeviceRecord
from minerva_hub.fleet import Fleet
from minerva_hub.store import Store

MODES = ("mute", "events", "speech", "full")


class Wire:
    """A connection that answers as a device does, or not at all."""

    def __init__(self, fleet: Fleet, answers: bool = True) -> None:
        self._fleet = fleet
        self._answers = answers
        self.sent: list[dict[str, Any]] = []
        self.closed: tuple[str, str] | None = None

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if self._answers:
            asyncio.get_running_loop().call_soon(self._answer, message)

    def _answer(self, message: dict[str, Any]) -> None:
        device = self._fleet.get("kitchen")
        if message["type"] == "mute":
            self._fleet.reported(device, mute="hub" if message["on"] else "off")
        else:
            self._fleet.reported(device, mode=message["mode"])

    def close(self, code: str, text: str) -> None:
        self.closed = (code, text)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    store = await Store.open(tmp_path)
    await store.add_device(DeviceRecord(id="kitchen", room="Kitchen", token_hash="x", created_ms=0))
    fleet = Fleet(store, Bus())
    await fleet.refresh()
    yield fleet
    await store.close()


def connect(fleet: Fleet, answers: bool = True, **fields: Any) -> Wire:
    wire = Wire(fleet, answers)
    state = {"mode": "speech", "ceiling": "speech", "modes": MODES, "mute": "off", **fields}
    fleet.connected(fleet.get("kitchen"), wire, **state)
    return wire


async def test_mute_is_sent_confirmed_and_kept(fleet: Fleet) -> None:
    wire = connect(fleet)
    assert (await fleet.set_mute("kitchen", True)).mute == "hub"
    assert wire.sent == [{"type": "mute", "on": True}]
    assert "audio" not in fleet.get("kitchen").permits()
    record = await fleet._store.device("kitchen")
    assert record is not None and record.muted
    assert (await fleet.set_mute("kitchen", False)).mute == "off"
    assert "audio" in fleet.get("kitchen").permits()


async def test_a_mute_made_at_the_button_is_not_the_hubs_to_end(fleet: Fleet) -> None:
    wire = connect(fleet, mute="button")
    with pytest.raises(UserError, match="muted at its button"):
        await fleet.set_mute("kitchen", False)
    assert wire.sent == []


async def test_a_mode_above_the_ceiling_or_unknown_to_the_device_is_refused(fleet: Fleet) -> None:
    wire = connect(fleet)
    with pytest.raises(UserError, match="full is above the ceiling speech"):
        await fleet.set_mode("kitchen", "full")
    with pytest.raises(UserError, match="has no mode features; it has mute, events, speech, full"):
        await fleet.set_mode("kitchen", "features")
    assert wire.sent == []
    assert (await fleet.set_mode("kitchen", "events")).mode == "events"


async def test_a_device_that_does_not_answer_is_said_so_and_its_audio_is_refused(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    connect(fleet, answers=False)
    with pytest.raises(PeerError, match="did not confirm the mute"):
        await fleet.set_mute("kitchen", True)
    assert "audio" not in fleet.get("kitchen").permits()


async def test_an_unknown_device_is_named_with_those_there_are(fleet: Fleet) -> None:
    with pytest.raises(UserError, match="no device 'cellar' is registered; known: kitchen"):
        await fleet.set_mute("cellar", True)


async def test_a_newer_connection_replaces_the_older(fleet: Fleet) -> None:
    older = connect(fleet)
    newer = connect(fleet)
    assert older.closed is not None and older.closed[0] == "replaced"
    fleet.disconnected(fleet.get("kitchen"), older, "replaced")
    assert fleet.get("kitchen").info.online
    fleet.disconnected(fleet.get("kitchen"), newer, None)
    assert not fleet.get("kitchen").info.online


async def test_a_device_removed_by_the_command_is_cut_and_forgotten(fleet: Fleet) -> None:
    forgotten: list[str] = []
    fleet.on_removed = forgotten.append
    wire = connect(fleet)
    await fleet._store.remove_device("kitchen")
    await fleet.refresh()
    assert wire.closed is not None and wire.closed[0] == "unauthorized"
    assert forgotten == ["kitchen"] and fleet.devices() == []


async def test_a_device_added_again_with_another_token_is_another_device(fleet: Fleet) -> None:
    wire = connect(fleet)
    await fleet._store.remove_device("kitchen")
    await fleet._store.add_device(DeviceRecord(id="kitchen", room="K", token_hash="y", created_ms=1))
    await fleet.refresh()
    assert wire.closed is not None
    assert fleet.get("kitchen").record.token_hash == "y"
    assert not fleet.get("kitchen").info.online


async def test_wishes_survive_a_restart_of_the_hub(fleet: Fleet) -> None:
    await fleet.set_mode("kitchen", "events")
    again = Fleet(fleet._store, Bus())
    await again.refresh()
    assert again.get("kitchen").record.mode == "events"
    connect(again)
    assert "audio" not in again.get("kitchen").permits()


async def test_a_mute_and_a_mode_wished_at_once_both_hold(fleet: Fleet) -> None:
    for _ in range(20):
        await asyncio.gather(fleet.set_mute("kitchen", True), fleet.set_mode("kitchen", "speech"))
        record = await fleet._store.device("kitchen")
        assert record is not None and record.muted and record.mode == "speech"
        await asyncio.gather(fleet.set_mode("kitchen", "events"), fleet.set_mute("kitchen", False))
        record = await fleet._store.device("kitchen")
        assert record is not None and not record.muted and record.mode == "events"


async def test_a_device_that_denies_the_mute_over_and_over_is_not_forgiven_for_it(fleet: Fleet) -> None:
    connect(fleet)
    await fleet.set_mute("kitchen", True)
    device = fleet.get("kitchen")
    since = device.permit_changed_s
    fleet.mute_changed(device, "off")
    assert device.permit_changed_s == since and "audio" not in device.permits()
