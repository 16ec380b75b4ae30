"""/link from its request to the welcome, and who is let in: against a real client on loopback."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from link_hub import QUIET, until, vector
from linkpeer import LinkPeer
from minerva import wire
from minerva_hub.app import Hub
from minerva_hub.auth import hash_token
from minerva_hub.events import DeviceRecord


async def test_welcome_names_what_is_asked_of_the_device(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    welcome = await link.hello()
    assert welcome["type"] == "welcome"
    assert (welcome["kind"], welcome["mode"], welcome["mute"], welcome["frames"]) == (
        "pcm_s16le",
        "full",
        False,
        3,
    )
    assert welcome.get("resume") is None
    await until(lambda: hub[0].fleet.devices()[0].online)
    info = hub[0].fleet.devices()[0]
    assert (info.id, info.room, info.firmware, info.ceiling) == (
        "kitchen",
        "Kitchen",
        "minerva 0.1.0",
        "full",
    )


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"device": "cellar"}, "unauthorized", "does not know device cellar"),
        ({"token": "wrong"}, "unauthorized", "does not know device kitchen"),
        ({"protocol": 2}, "unsupported_version", "speaks protocol 2; this side speaks 1"),
        ({"device": "Kitchen!"}, "bad_field", "hello.device"),
        ({"time_ms": "soon"}, "bad_field", "hello.time_ms"),
        ({"kinds": ["opus"]}, "bad_field", "hello.kinds[0]"),
        ({"token": "x" * 129}, "bad_field", "at most 128 bytes"),
        ({"token": "\ud800"}, "bad_field", "hello.token"),
        ({"kinds": []}, "bad_field", "at least 1"),
        ({"mode": "features"}, "bad_field", "it must be one of its modes, mute, events, speech, full"),
        ({"mode": "full", "ceiling": "speech"}, "above_ceiling", "kitchen: hello.mode is full"),
    ],
)
async def test_a_hello_that_is_refused(peer: Any, change: dict, code: str, text: str) -> None:
    link = await peer()
    error = await link.hello(**change)
    assert error["type"] == "error" and error["fatal"]
    assert error["code"] == code
    assert text in error["message"]
    assert (await link.hear("closed"))["code"] == 1008


async def test_a_device_at_its_ceiling_is_welcome(peer: Any) -> None:
    for mode in ("mute", "events", "speech"):
        link = await peer()
        assert (await link.hello(mode=mode, ceiling="speech"))["type"] == "welcome"


async def test_a_wrong_token_is_shown_to_the_owner(hub: tuple[Hub, str], peer: Any) -> None:
    await hub[0].fleet.refresh()
    link = await peer()
    await link.hello(token="wrong")
    await until(lambda: hub[0].fleet.devices()[0].problem)
    assert "another token" in str(hub[0].fleet.devices()[0].problem)
    assert hub[0].health().drops["refused"] == 1


async def test_another_subprotocol_is_refused(peer: Any) -> None:
    link = await peer(protocols=("minerva.v9",))
    error = await link.hear()
    assert (error["code"], error["supported"]) == ("unsupported_version", [1])


async def test_a_second_hello_is_refused(peer: Any) -> None:
    link = await peer()
    await link.hello()
    await link.say(vector("hello"))
    assert (await link.refused())[0] == "unexpected_message"


async def test_media_before_hello_is_refused(peer: Any) -> None:
    link = await peer()
    await link.send(QUIET)
    assert (await link.refused())[0] == "unexpected_message"


async def test_no_hello_in_time_is_refused(peer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minerva_hub.link.socket.HELLO_S", 0.05)
    link = await peer()
    assert (await link.refused())[0] == "timeout"


async def test_the_newer_connection_wins_and_the_older_is_told(hub: tuple[Hub, str], peer: Any) -> None:
    older, newer = await peer(), await peer()
    await older.hello()
    await newer.hello()
    assert (await older.refused())[0] == "replaced"
    await newer.send(QUIET)
    assert (await newer.hear("ack"))["seq"] == 0
    info = hub[0].fleet.devices()[0]
    assert info.online and info.problem is None


async def test_two_hellos_at_once_leave_one_stream(hub: tuple[Hub, str], peer: Any) -> None:
    for number in range(5):
        links = [await peer(), await peer()]
        await asyncio.gather(
            *(link.hello(boot_id=f"{2 * number + i:016x}") for i, link in enumerate(links)),
        )
    await until(lambda: len(hub[0].pipeline._by_ear) == 1)


async def test_a_mode_chosen_while_the_device_is_away_waits_for_it(hub: tuple[Hub, str], peer: Any) -> None:
    await hub[0].fleet.refresh()
    await hub[0].fleet.set_mode("kitchen", "events")
    await hub[0].fleet.set_mute("kitchen", True)
    link = await peer()
    welcome = await link.hello()
    assert (welcome["mode"], welcome["mute"]) == ("events", True)


async def test_a_device_removed_while_it_says_hello_is_not_let_in(
    hub: tuple[Hub, str], peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    resume = hub[0].store.resume

    async def removed_meanwhile(*arguments: Any) -> Any:
        await hub[0].store.remove_device("kitchen")
        await hub[0].fleet.refresh()
        return await resume(*arguments)

    monkeypatch.setattr(hub[0].store, "resume", removed_meanwhile)
    link = await peer()
    error = await link.hello()
    assert (error["type"], error["code"]) == ("error", "unauthorized")
    assert hub[0].pipeline._streams == {}


async def test_a_removed_device_is_cut_off(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    await hub[0].store.remove_device("kitchen")
    await hub[0].fleet.refresh()
    assert (await link.refused())[0] == "unauthorized"
    assert "kitchen" not in [info.id for info in hub[0].fleet.devices()]


async def test_frames_may_come_byte_by_byte(hub: tuple[Hub, str]) -> None:
    """A hello and a packet, each byte in a TCP segment of its own."""
    host, port = hub[1].removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    key = "AAAAAAAAAAAAAAAAAAAAAA=="
    writer.write(
        f"GET /link HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Sec-WebSocket-Protocol: {wire.SUBPROTOCOL}\r\n\r\n".encode()
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")

    async def send(opcode: int, data: bytes) -> None:
        size = bytes([len(data) | 0x80]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        for byte in bytes([0x80 | opcode]) + size + bytes(4) + data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    hello = {**vector("hello"), "time_ms": 1000}
    await send(1, json.dumps(hello).encode())
    assert b"welcome" in await reader.read(4096)
    await send(2, wire.encode_media(wire.PCM_S16LE, 1, 0, 3, 0, 1000, bytes(1920)))
    assert b'"seq": 0' in await reader.read(4096)
    writer.close()


async def test_a_stale_hello_does_not_touch_the_stream_of_the_device_that_took_its_place(
    hub: tuple[Hub, str], peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed and added again while its old self says hello, and connected anew before that goes on."""
    resume = hub[0].store.resume
    newer: list[LinkPeer] = []

    async def replaced_meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(hub[0].store, "resume", resume)
        await hub[0].store.remove_device("kitchen")
        await hub[0].store.add_device(
            DeviceRecord(id="kitchen", room="Kitchen", token_hash=hash_token("new"), created_ms=1)
        )
        await hub[0].fleet.refresh()
        newer.append(await peer())
        assert (await newer[0].hello(token="new"))["type"] == "welcome"
        return await resume(*arguments)

    monkeypatch.setattr(hub[0].store, "resume", replaced_meanwhile)
    link = await peer()
    assert (await link.hello())["code"] == "unauthorized"
    await newer[0].send(QUIET)
    assert (await newer[0].hear("ack"))["seq"] == 0
    assert hub[0].pipeline._streams["kitchen"].accepted_seq == 0
    assert hub[0].fleet.get("kitchen").info.online
