"""Features at the hub: which devices may send them, what is kept, counted and handed on, over real links."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from linkpeer import DigestEngine, LinkPeer
from minerva import wire
from minerva_hub.app import Hub, serve
from minerva_hub.audio import mel64
from minerva_hub.auth import hash_token
from minerva_hub.config import HubConfig, IngestConfig, ServerConfig, StoreConfig
from minerva_hub.events import DeviceRecord, UtteranceAdded
from minerva_hub.pipeline.features import KEPT_MS, FeatureBlock, FeatureLog, FeatureTaps

BOOT_MS = 600_000  # the device is on for ten minutes when it says hello
MODES = ["mute", "events", "features", "speech", "full"]
HEALTH = {
    "type": "health",
    "n": 0,
    "time_ms": BOOT_MS,
    "uptime_s": 600,
    "heap_free": 1,
    "drops": {},
    "version": "0.1.0",
    "slot": "a",
    "mute": "off",
    "kind": "pcm_s16le",
}


def config(tmp_path: Path) -> HubConfig:
    return HubConfig(
        server=ServerConfig(port=0, tls=False),
        store=StoreConfig(path=tmp_path / "store"),
        ingest=IngestConfig(kind="pcm_s16le", lead_ms=3000),
    )


async def add_kitchen(hub: Hub) -> None:
    await hub.store.add_device(
        DeviceRecord(id="kitchen", room="Kitchen", token_hash=hash_token("secret"), created_ms=0)
    )


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[tuple[Hub, str]]:
    async with serve(config(tmp_path), engine=DigestEngine) as (hub, address):
        await add_kitchen(hub)
        yield hub, address


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def connect(session: aiohttp.ClientSession, address: str, **hello: Any) -> LinkPeer:
    link = await LinkPeer(session, address).connect()
    link.time_ms = 1000
    welcome = await link.hello(**{"modes": MODES, "mode": "features", "time_ms": BOOT_MS, **hello})
    assert welcome["type"] == "welcome", welcome
    link.welcome = welcome  # type: ignore[attr-defined]
    return link


def rows(count: int = 10, value: int | None = None) -> np.ndarray:
    """uint8 (count, 64)."""
    if value is not None:
        return np.full((count, 64), value, np.uint8)
    return np.random.default_rng(1).integers(0, 256, (count, 64), np.uint8)


async def send(link: LinkPeer, content: np.ndarray, *, flags: int = 0, seq: int | None = None) -> None:
    """The next packet of features, or the one named; a number that is skipped is time that is skipped."""
    if seq is not None:
        link.time_ms += (seq - link.seq) * 100
        link.seq = seq
    await link.ws.send_bytes(
        wire.encode_media(wire.LOGMEL_U8, flags, 0, len(content), link.seq, link.time_ms, content.tobytes())
    )
    link.seq += 1
    link.time_ms += 10 * len(content)


async def until(condition: Any, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def test_features_are_taken_kept_and_acknowledged(
    hub: tuple[Hub, str], session: aiohttp.ClientSession
) -> None:
    with hub[0].pipeline.features.tap() as tap:
        link = await connect(session, hub[1])
        first, second = rows(10, 7), rows(4)
        await send(link, first, flags=wire.BEGINS)
        await send(link, second, flags=wire.ENDS)
        assert (await link.hear("ack"))["seq"] == 0
        got = [await anext(tap), await anext(tap)]
    assert [(b.device, b.room, b.seq, b.begins, b.ends) for b in got] == [
        ("kitchen", "Kitchen", 0, True, False),
        ("kitchen", "Kitchen", 1, False, True),
    ]
    assert np.array_equal(got[0].rows, first) and np.array_equal(got[1].rows, second)
    assert got[1].start_ms == got[0].end_ms == got[0].start_ms + 100
    kept = hub[0].pipeline.newest_features("kitchen")
    assert [b.seq for b in kept] == [0, 1]
    assert [b.seq for b in hub[0].pipeline.newest_features("kitchen", since_ms=got[0].end_ms)] == [1]
    assert hub[0].pipeline.newest_features("study") == ()


async def test_what_came_is_shown_by_kind(hub: tuple[Hub, str], session: aiohttp.ClientSession) -> None:
    link = await connect(session, hub[1])
    for _ in range(3):
        await send(link, rows())
    await link.say({**HEALTH, "mode": "full"})
    await link.hear("ack")
    await link.send(np.zeros(960, np.int16))
    await link.say({**HEALTH, "mode": "full"})
    await until(lambda: len(hub[0].fleet.get("kitchen").info.received) == 2)
    async with session.get(f"{hub[1]}/api/devices") as answer:
        (shown,) = (await answer.json())["items"]
    assert shown["received"] == {
        "logmel_u8": {"packets": 3, "frames": 30},
        "pcm_s16le": {"packets": 1, "frames": 3},
    }


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("features", wire.PCM_S16LE),
        ("features", wire.IMA_ADPCM),
        ("events", wire.LOGMEL_U8),
        ("events", wire.PCM_S16LE),
        ("speech", wire.LOGMEL_U8),
        ("full", wire.LOGMEL_U8),
        ("mute", wire.LOGMEL_U8),
    ],
)
async def test_media_that_the_mode_forbids(
    hub: tuple[Hub, str], session: aiohttp.ClientSession, mode: str, kind: int
) -> None:
    link = await connect(session, hub[1], mode=mode)
    packet = wire.encode_media(kind, 0, 0, 1, 0, 1000, bytes(wire.payload_size(kind, 1)))
    await link.ws.send_bytes(packet)
    code, text = await link.refused()
    assert code == "forbidden_media"
    assert wire.KIND_NAMES[kind] in text and f"mode is {mode}" in text
    assert hub[0].health().drops["forbidden_media"] == 1
    assert hub[0].pipeline.newest_features("kitchen") == ()


@pytest.mark.parametrize("how", ["reported", "wished"])
@pytest.mark.parametrize(("before", "after"), [("features", "events"), ("full", "features")])
async def test_what_is_under_way_when_the_mode_falls_is_dropped_for_a_while(
    hub: tuple[Hub, str],
    session: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    before: str,
    after: str,
) -> None:
    monkeypatch.setattr("minerva_hub.link.socket.FORBIDDEN_S", 0.3)
    link = await connect(session, hub[1], mode=before)
    device = hub[0].fleet.get("kitchen")
    if how == "reported":
        await link.say({**HEALTH, "mode": after})
        await until(lambda: device.info.mode == after)
    else:
        asking = asyncio.create_task(hub[0].fleet.set_mode("kitchen", after))  # type: ignore[arg-type]
        assert (await link.hear("config"))["mode"] == after

    async def break_the_rule() -> None:
        await (send(link, rows()) if before == "features" else link.send(np.zeros(960, np.int16)))

    await break_the_rule()
    await until(lambda: hub[0].health().drops.get("forbidden_media") == 1)
    await link.say({**HEALTH, "n": 7, "mode": device.info.mode})
    heard = await link.hear("ack", "error", "closed")
    while heard.get("health") != 7:
        assert heard["type"] == "ack", "no offence yet"
        heard = await link.hear("ack", "error", "closed")
    await asyncio.sleep(0.35)
    await break_the_rule()
    assert (await link.refused())[0] == "forbidden_media"
    assert hub[0].pipeline._streams["kitchen"].accepted_seq is None
    if how == "wished":
        asking.cancel()


async def test_a_device_may_send_features_from_the_order_on(
    hub: tuple[Hub, str], session: aiohttp.ClientSession
) -> None:
    link = await connect(session, hub[1], mode="full")
    asking = asyncio.create_task(hub[0].fleet.set_mode("kitchen", "features"))
    await link.hear("config")
    await send(link, rows())
    await until(lambda: hub[0].pipeline.newest_features("kitchen"))
    await link.say({**HEALTH, "mode": "features"})
    assert (await asking).mode == "features"
    assert "forbidden_media" not in hub[0].health().drops


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (wire.encode_media(wire.LOGMEL_U8, 0, 0, 2, 0, 1000, bytes(128))[:-1], "bad_media"),
        (wire.encode_media(wire.LOGMEL_U8, 0, 0, 2, 0, 1000, bytes(128)) + b"\0", "bad_media"),
        (b"\x03\x00\x00\x00" + bytes(8), "bad_media"),
        (b"\x03\x00\x00\x0b" + bytes(8 + 11 * 64), "bad_media"),
        (b"\x03\x04\x00\x01" + bytes(8 + 64), "bad_media"),
        (wire.encode_media(wire.LOGMEL_U8, 0, 1, 1, 0, 1000, bytes(64)), "bad_media"),
        (wire.encode_media(wire.LOGMEL_U8, 0, 0, 1, 0, BOOT_MS + 60_000, bytes(64)), "too_fast"),
    ],
)
async def test_a_packet_of_features_that_is_refused(
    hub: tuple[Hub, str], session: aiohttp.ClientSession, raw: bytes, code: str
) -> None:
    link = await connect(session, hub[1])
    await link.ws.send_bytes(raw)
    assert (await link.refused())[0] == code
    assert hub[0].pipeline.newest_features("kitchen") == ()


async def test_numbers_that_are_skipped_are_a_gap(
    hub: tuple[Hub, str], session: aiohttp.ClientSession
) -> None:
    link = await connect(session, hub[1])
    await send(link, rows())
    await send(link, rows(), seq=4)
    await until(lambda: hub[0].fleet.get("kitchen").info.gaps)
    (gap,) = await hub[0].store.gaps("kitchen")
    assert (gap.packets, gap.end_ms - gap.start_ms, gap.reason) == (3, 300, "overwritten")
    assert hub[0].pipeline.newest_features("kitchen")[-1].begins, "what follows a gap is not contiguous"


async def test_packets_sent_again_are_taken_once_and_the_rest_goes_on(
    hub: tuple[Hub, str], session: aiohttp.ClientSession
) -> None:
    link = await connect(session, hub[1])
    for _ in range(5):
        await send(link, rows())
    stream = hub[0].pipeline._streams["kitchen"]
    await until(lambda: stream.settled_seq == 4)
    await link.ws.close()
    again = await connect(session, hub[1])
    assert again.welcome["resume"] == {"stream": 0, "seq": 4}  # type: ignore[attr-defined]
    for _ in range(7):  # it sends all that it has, though it was told that it need not
        await send(again, rows())
    await until(lambda: len(hub[0].pipeline.newest_features("kitchen")) == 7)
    assert [b.seq for b in hub[0].pipeline.newest_features("kitchen")] == list(range(7))
    assert hub[0].health().drops["duplicates"] == 5
    assert hub[0].fleet.get("kitchen").info.gaps == 0


async def test_a_hub_that_restarts_goes_on_where_it_was(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with serve(config(tmp_path), engine=DigestEngine) as (hub, address):
        await add_kitchen(hub)
        link = await connect(session, address)
        for _ in range(5):
            await send(link, rows())
        await until(lambda: hub.pipeline._streams["kitchen"].settled_seq == 4)
        first = hub.pipeline.newest_features("kitchen")
    async with serve(config(tmp_path), engine=DigestEngine) as (hub, address):
        again = await connect(session, address)
        assert again.welcome["resume"] == {"stream": 0, "seq": 4}  # type: ignore[attr-defined]
        again.seq, again.time_ms = link.seq, link.time_ms
        await send(again, rows())
        await until(lambda: hub.pipeline.newest_features("kitchen"))
        (block,) = hub.pipeline.newest_features("kitchen")
        assert (block.seq, block.start_ms) == (5, first[-1].end_ms)
        assert await hub.store.gaps() == []


async def test_audio_and_features_share_numbers_and_features_never_settle_audio(
    hub: tuple[Hub, str], session: aiohttp.ClientSession, speech: np.ndarray
) -> None:
    with hub[0].bus.subscribe() as events:
        link = await connect(session, hub[1], mode="full")
        await link.stream(speech)
        last_audio = link.seq - 1
        await link.say({**HEALTH, "mode": "features"})
        await until(lambda: hub[0].fleet.get("kitchen").info.mode == "features")
        for _ in range(3):
            await send(link, rows())
        stream = hub[0].pipeline._streams["kitchen"]
        seen: list[int] = []
        settle = stream.settle
        stream.settle = lambda seq: (seen.append(seq), settle(seq))[1]  # type: ignore[method-assign]
        await until(lambda: stream.settled_seq == last_audio + 3)
        before = await hub[0].store.utterances()
        blocks = hub[0].pipeline.newest_features("kitchen")
        await link.say({**HEALTH, "mode": "full"})
        await until(lambda: hub[0].fleet.get("kitchen").info.mode == "full")
        await link.stream(speech)
        await link.stream(np.zeros(32_000, np.int16))
        await anext(
            e
            async for e in events
            if isinstance(e, UtteranceAdded) and e.utterance.start_ms >= blocks[-1].end_ms
        )
    assert seen == sorted(seen)
    assert len(blocks) == 3 and blocks[0].begins
    assert before and all(said.end_ms <= blocks[0].start_ms for said in before)
    assert await hub[0].store.gaps() == []


async def test_features_make_no_words(hub: tuple[Hub, str], session: aiohttp.ClientSession) -> None:
    link = await connect(session, hub[1])
    loud = mel64.quantise(mel64.log_mel(mel64.self_test_signal()))
    for _ in range(40):
        await send(link, loud[:10])
    await until(lambda: hub[0].pipeline._streams["kitchen"].settled_seq == 39)
    assert not hub[0].pipeline.busy
    assert await hub[0].store.utterances() == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [(None, None), ("0123456789abcdef", "differs"), (mel64.self_test(), "ok")],
)
async def test_the_self_test_is_compared_and_shown(
    hub: tuple[Hub, str], session: aiohttp.ClientSession, said: str | None, shown: str | None
) -> None:
    await connect(session, hub[1], self_test=said)
    async with session.get(f"{hub[1]}/api/devices") as answer:
        (device,) = (await answer.json())["items"]
    assert device["self_test"] == shown
    async with session.get(f"{hub[1]}/api/openapi.json") as answer:
        document = json.dumps(await answer.json())
    assert '"self_test"' in document and '"received"' in document


def block(number: int, count: int = 10, device: str = "kitchen") -> FeatureBlock:
    return FeatureBlock(device, device.title(), 100 * number, number, rows(count), False, False)


def test_thirty_seconds_are_kept() -> None:
    log = FeatureLog(FeatureTaps())
    for number in range(400):
        log.put(block(number))
    kept = log.newest()
    assert [b.seq for b in kept] == list(range(100, 400))
    assert kept[-1].end_ms - kept[0].start_ms == KEPT_MS
    assert log.forgotten == 100


async def test_a_slow_reader_loses_the_oldest_and_nobody_else_does() -> None:
    taps = FeatureTaps()
    slow, quick, other = taps.tap(maxsize=3), taps.tap("kitchen"), taps.tap("study")
    log = FeatureLog(taps)
    for number in range(5):
        log.put(block(number))
    assert len(taps) == 8
    taps.close()
    assert [b.seq async for b in slow] == [2, 3, 4]
    assert [b.seq async for b in quick] == [0, 1, 2, 3, 4]
    assert [b.seq async for b in other] == []
    assert (slow.dropped, quick.dropped, taps.dropped) == (2, 0, 2)
    log.put(block(5))
    assert len(taps) == 0
    with pytest.raises(ValueError, match="maxsize 0"):
        taps.tap(maxsize=0)


async def test_in_a_tap_of_all_devices_one_that_sends_much_costs_the_others_nothing() -> None:
    taps = FeatureTaps()
    tap = taps.tap(maxsize=3)
    taps.put(block(0, device="study"))
    for number in range(50):
        taps.put(block(number))
        if number in (10, 20):
            taps.put(block(number, device="study"))
    assert len(taps) == 6
    taps.close()
    got = [(b.device, b.seq) async for b in tap]
    assert [seq for device, seq in got if device == "study"] == [0, 10, 20]
    assert [seq for device, seq in got if device == "kitchen"] == [47, 48, 49]
    assert tap.dropped == taps.dropped == 47


async def test_devices_take_turns_as_their_blocks_came() -> None:
    taps = FeatureTaps()
    with taps.tap() as tap:
        for number in range(4):
            taps.put(block(number, device=("kitchen", "study")[number % 2]))
        assert [(await anext(tap)).seq for _ in range(3)] == [0, 1, 2]
        taps.put(block(4))
        assert [(await anext(tap)).seq for _ in range(2)] == [3, 4]


def test_a_tap_of_very_many_devices_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minerva_hub.pipeline.features.TAP_BLOCKS", 100)
    taps = FeatureTaps()
    taps.tap()
    for number in range(20):
        for device in range(50):
            taps.put(block(number, device=f"d{device}"))
    assert len(taps) <= 200 and taps.dropped == 1000 - len(taps)
