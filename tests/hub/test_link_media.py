"""Media over /link: what is taken, refused, counted and settled."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from link_hub import QUIET, a_hub, until
from linkpeer import DigestEngine, LinkPeer
from minerva import wire
from minerva_hub.app import Hub
from minerva_hub.events import UtteranceAdded


async def test_packets_are_acknowledged(peer: Any) -> None:
    link = await peer()
    await link.hello()
    await link.send(QUIET)
    assert (await link.hear("ack"))["seq"] == 0


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
