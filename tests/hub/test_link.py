"""/link against a real client on loopback: what a device may do, and what ends its connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from linkpeer import DigestEngine, LinkPeer
from minerva import wire
from minerva_hub.app import Hub, serve
from minerva_hub.auth import hash_token
from minerva_hub.config import HubConfig, IngestConfig, SegmentConfig, ServerConfig, StoreConfig
from minerva_hub.events import DeviceRecord, Level, UtteranceAdded

VECTORS = Path(__file__).parents[1] / "vectors"
QUIET = np.zeros(960, np.int16)


@asynccontextmanager
async def a_hub(
    tmp_path: Path, engine: DigestEngine | None = None, *, backlog_s: float = 20.0
) -> AsyncIterator[tuple[Hub, str]]:
    config = HubConfig(
        server=ServerConfig(port=0),
        store=StoreConfig(path=tmp_path / "store"),
        ingest=IngestConfig(kind="pcm_s16le", lead_ms=3000, backlog_s=backlog_s),
        segment=SegmentConfig(),
    )
    async with serve(config, engine=lambda: engine or DigestEngine()) as (hub, address):
        for name in ("kitchen", "study"):
            await hub.store.add_device(
                DeviceRecord(id=name, room=name.title(), token_hash=hash_token("secret"), created_ms=0)
            )
        yield hub, address


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[tuple[Hub, str]]:
    async with a_hub(tmp_path) as running:
        yield running


@pytest.fixture
async def peer(hub: tuple[Hub, str]) -> AsyncIterator[Any]:
    """Makes connections."""
    async with aiohttp.ClientSession() as session:

        async def connect(**kwargs: Any) -> LinkPeer:
            return await LinkPeer(session, hub[1]).connect(**kwargs)

        yield connect


async def until(condition: Any, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


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


async def test_packets_are_acknowledged(peer: Any) -> None:
    link = await peer()
    await link.hello()
    await link.send(QUIET)
    assert (await link.hear("ack"))["seq"] == 0


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
    ],
)
async def test_a_hello_that_is_refused(peer: Any, change: dict, code: str, text: str) -> None:
    link = await peer()
    error = await link.hello(**change)
    assert error["type"] == "error" and error["fatal"]
    assert error["code"] == code
    assert text in error["message"]
    assert (await link.hear("closed"))["code"] == 1008


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


async def test_a_second_hello_is_refused(peer: Any) -> None:
    link = await peer()
    await link.hello()
    await link.say(_hello())
    assert (await link.refused())[0] == "unexpected_message"


def _hello() -> dict[str, Any]:
    vectors = json.loads((VECTORS / "control.json").read_text())
    return dict(json.loads(next(v["text"] for v in vectors if v["name"] == "hello" and "error" not in v)))


async def test_media_before_hello_is_refused(peer: Any) -> None:
    link = await peer()
    await link.send(QUIET)
    assert (await link.refused())[0] == "unexpected_message"


async def test_no_hello_in_time_is_refused(peer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minerva_hub.link.socket.HELLO_S", 0.05)
    link = await peer()
    assert (await link.refused())[0] == "timeout"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "bad_media"),
        (b"\x01\x00\x00\x01" + bytes(8), "bad_media"),
        (b"\x09\x00\x00\x01" + bytes(8), "unknown_kind"),
        (b"\x01" * 7000, "too_long"),
        (wire.encode_media(wire.LOGMEL_U8, 0, 0, 1, 0, 1000, bytes(64)), "forbidden_media"),
        (wire.encode_media(wire.PCM_S16LE, 0, 3, 1, 0, 1000, bytes(640)), "bad_media"),
        (wire.encode_media(wire.IMA_ADPCM, 0, 0, 1, 0, 1000, b"\0\0\xff\0" + bytes(160)), "bad_media"),
        (wire.encode_media(wire.PCM_S16LE, 0, 0, 1, 0, 60_000, bytes(640)), "too_fast"),
    ],
)
async def test_a_packet_that_is_refused(peer: Any, raw: bytes, code: str) -> None:
    link = await peer()
    await link.hello()
    await link.ws.send_bytes(raw)
    assert (await link.refused())[0] == code


async def test_a_huge_frame_is_cut_off(peer: Any) -> None:
    link = await peer()
    await link.hello()
    await link.ws.send_bytes(bytes(1 << 20))
    closed = await link.hear("closed")
    assert closed["code"] in (1009, 1008, 1006)


async def test_a_sequence_jump_back_is_refused(peer: Any) -> None:
    link = await peer()
    await link.hello()
    await link.send(QUIET, seq=5)
    await link.send(QUIET, seq=5)
    assert (await link.refused())[0] == "bad_sequence"


async def test_a_sequence_jump_forward_is_a_gap(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    await link.send(QUIET)
    await link.send(QUIET, seq=4, time_ms=1240)
    await until(lambda: hub[0].fleet.devices()[0].gaps)
    (gap,) = await hub[0].store.gaps("kitchen")
    assert (gap.packets, gap.end_ms - gap.start_ms) == (3, 180)


async def test_a_device_faster_than_real_time_is_refused(peer: Any) -> None:
    link = await peer()
    await link.hello()
    for _ in range(60):
        await link.send(QUIET)
    code, text = await link.refused()
    assert code == "too_fast"
    assert "kitchen" in text and "3000 ms are allowed" in text


async def test_the_newer_connection_wins_and_the_older_is_told(hub: tuple[Hub, str], peer: Any) -> None:
    older, newer = await peer(), await peer()
    await older.hello()
    await newer.hello()
    assert (await older.refused())[0] == "replaced"
    await newer.send(QUIET)
    assert (await newer.hear("ack"))["seq"] == 0
    info = hub[0].fleet.devices()[0]
    assert info.online and info.problem is None


async def test_mute_reaches_the_device_and_its_answer_the_owner(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    asked = asyncio.create_task(hub[0].fleet.set_mute("kitchen", True))
    assert (await link.hear("mute"))["on"] is True
    await link.say({"type": "mute", "state": "hub"})
    assert (await asked).mute == "hub"


async def test_audio_of_a_muted_device_is_dropped_then_ends_its_connection(
    hub: tuple[Hub, str], peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minerva_hub.link.socket.FORBIDDEN_S", 0.3)
    link = await peer()
    await link.hello()
    await link.say({"type": "mute", "state": "button"})
    await until(lambda: hub[0].fleet.devices()[0].mute == "button")
    await link.send(QUIET)
    await until(lambda: hub[0].health().drops.get("forbidden_media"))
    await asyncio.sleep(0.35)
    await link.send(QUIET)
    assert (await link.refused())[0] == "forbidden_media"
    assert hub[0].pipeline._streams["kitchen"].accepted_seq is None


async def test_a_mode_chosen_while_the_device_is_away_waits_for_it(hub: tuple[Hub, str], peer: Any) -> None:
    await hub[0].fleet.refresh()
    await hub[0].fleet.set_mode("kitchen", "events")
    await hub[0].fleet.set_mute("kitchen", True)
    link = await peer()
    welcome = await link.hello()
    assert (welcome["mode"], welcome["mute"]) == ("events", True)


async def test_health_is_acknowledged_and_shown(hub: tuple[Hub, str], peer: Any) -> None:
    link = await peer()
    await link.hello()
    health = next(
        json.loads(v["text"])
        for v in json.loads((VECTORS / "control.json").read_text())
        if v["name"] == "health" and "error" not in v
    )
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


async def test_the_resume_point_is_stored_with_the_words(tmp_path: Path, speech: np.ndarray) -> None:
    async with a_hub(tmp_path) as (hub, address), aiohttp.ClientSession() as session:
        with hub.bus.subscribe() as events:
            link = await LinkPeer(session, address).connect()
            await link.hello(time_ms=600_000)
            await link.stream(speech)
            await link.stream(np.zeros(32_000, np.int16))
            heard = await anext(e async for e in events if isinstance(e, UtteranceAdded))
            kept = await hub.store.resume("kitchen", "00112233445566ff", 0)
    assert kept is not None
    assert heard.utterance.end_ms <= kept.end_ms <= heard.utterance.end_ms + 1000
    assert kept.seq == (kept.end_ms - kept.clock_offset_ms - 1000) // 60 - 1


async def test_packets_sent_again_are_counted_where_the_owner_sees_it(
    hub: tuple[Hub, str], peer: Any
) -> None:
    link = await peer()
    await link.hello()
    for _ in range(3):
        await link.send(QUIET)
    await link.hear("ack")
    again = await peer()
    await again.hello()
    await again.send(QUIET)
    await until(lambda: hub[0].health().drops.get("duplicates") == 1)


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
    health = next(
        json.loads(v["text"])
        for v in json.loads((VECTORS / "control.json").read_text())
        if v["name"] == "health" and "error" not in v
    )
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


async def test_two_hellos_at_once_leave_one_stream(hub: tuple[Hub, str], peer: Any) -> None:
    for number in range(5):
        links = [await peer(), await peer()]
        await asyncio.gather(
            *(link.hello(boot_id=f"{2 * number + i:016x}") for i, link in enumerate(links)),
        )
    await until(lambda: len(hub[0].pipeline._by_ear) == 1)


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


async def test_a_recogniser_that_fails_is_asked_again(
    tmp_path: Path, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minerva_hub.pipeline.workers.RETRIES_S", (0.01, 0.01))
    engine = DigestEngine()
    engine.failures = 2
    async with a_hub(tmp_path, engine) as (hub, address), aiohttp.ClientSession() as session:
        link = await LinkPeer(session, address).connect()
        await link.hello(time_ms=600_000)
        await link.stream(speech)
        await link.stream(np.zeros(32_000, np.int16))
        async with asyncio.timeout(20):
            while not await hub.store.utterances():
                await asyncio.sleep(0.05)
        assert hub.health().drops["engine_errors"] == 2
        assert not [w for w in hub.health().warnings if "could not be written" in w]


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

    hello = {**_hello(), "time_ms": 1000}
    await send(1, json.dumps(hello).encode())
    assert b"welcome" in await reader.read(4096)
    await send(2, wire.encode_media(wire.PCM_S16LE, 1, 0, 3, 0, 1000, bytes(1920)))
    assert b'"seq": 0' in await reader.read(4096)
    writer.close()


async def test_a_burst_beyond_the_backlog_waits_and_loses_nothing(tmp_path: Path) -> None:
    """What a device sends again after an outage: more than may wait for the detector, as fast as it can."""
    async with (
        a_hub(tmp_path, backlog_s=1.0) as (hub, address),
        aiohttp.ClientSession() as session,
    ):
        link = await LinkPeer(session, address).connect()
        await link.hello(time_ms=600_000)
        link.time_ms = 1000
        noise = np.random.default_rng(1).normal(0, 500, 60 * 16_000).astype(np.int16)
        await link.stream(noise)
        while (link.acked or 0) < 1000:  # the burst's last packet was the 999th
            await link.send(QUIET)
            with suppress(TimeoutError):
                await link.hear("ack", timeout_s=0.3)
        assert hub.health().drops == {}
        assert await hub.store.gaps() == []


async def test_bursts_from_one_device_do_not_lose_another_ones_words(
    tmp_path: Path, speech: np.ndarray
) -> None:
    engine = DigestEngine()
    async with a_hub(tmp_path, engine) as (hub, address), aiohttp.ClientSession() as session:
        with hub.bus.subscribe() as events:
            good = await LinkPeer(session, address).connect()
            await good.hello(device="study", time_ms=600_000)
            good.time_ms = 1000
            await good.stream(speech)
            await good.stream(np.zeros(32_000, np.int16))
            heard = await anext(e async for e in events if isinstance(e, UtteranceAdded))
    assert heard.utterance.device == "study"
    assert heard.utterance.room == "Study"
