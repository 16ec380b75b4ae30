"""An alarm in each mode: it reaches the timeline as a sound, and nothing of it as speech."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from linkpeer import DigestEngine, LinkPeer
from minerva import wire
from minerva_hub.app import serve
from minerva_hub.audio.mel64 import log_mel, quantise
from minerva_hub.auth import hash_token
from minerva_hub.config import HubConfig, IngestConfig, ServerConfig, StoreConfig
from minerva_hub.events import DeviceRecord
from minerva_tools.sounds import clips
from minerva_tools.sounds.families import HELD

BOOT_MS = 600_000
MODES = ["mute", "events", "features", "speech", "full"]


@pytest.fixture(scope="module")
def alarm() -> np.ndarray:
    """int16: a smoke alarm, two periods of it, 20 dB over rain or the like."""
    rng = np.random.default_rng(12)
    return clips.make("smoke_alarm", HELD["smoke_alarm"][0], "held", rng, 20.0).pcm


async def send_audio(link: LinkPeer, pcm: np.ndarray) -> None:
    await link.stream(pcm)


async def send_features(link: LinkPeer, pcm: np.ndarray) -> None:
    rows = quantise(log_mel(pcm))
    for at in range(0, len(rows) - 9, 10):
        flags = wire.BEGINS if at == 0 else 0
        part = rows[at : at + 10].tobytes()
        await link.ws.send_bytes(
            wire.encode_media(wire.LOGMEL_U8, flags, 0, 10, link.seq, link.time_ms, part)
        )
        link.seq += 1
        link.time_ms += 100


async def send_event(link: LinkPeer, pcm: np.ndarray) -> None:
    """As a device that runs the network itself would."""
    start = link.time_ms
    event = {"label": "smoke_alarm", "score": 0.9, "start_ms": start, "end_ms": start + 3000}
    await link.say({"type": "event", **event})


@pytest.mark.parametrize(
    ("mode", "send"),
    [("events", send_event), ("features", send_features), ("speech", send_audio), ("full", send_audio)],
)
async def test_an_alarm_becomes_a_sound_and_no_line(
    tmp_path: Path, alarm: np.ndarray, mode: str, send: object
) -> None:
    config = HubConfig(
        server=ServerConfig(port=0, tls=False),
        store=StoreConfig(path=tmp_path / "store"),
        ingest=IngestConfig(kind="pcm_s16le", lead_ms=3000),
    )
    async with serve(config, engine=DigestEngine) as (hub, address), aiohttp.ClientSession() as session:
        await hub.store.add_device(
            DeviceRecord(id="kitchen", room="Kitchen", token_hash=hash_token("secret"), created_ms=0)
        )
        async with asyncio.timeout(10):
            while ("sounds", "rough") not in [(e.stage, e.state) for e in hub.pipeline.engines()]:
                await asyncio.sleep(0.02)
        link = await LinkPeer(session, address).connect()
        link.time_ms = 1000
        welcome = await link.hello(modes=MODES, mode=mode, time_ms=BOOT_MS)
        assert welcome["type"] == "welcome", welcome
        await send(link, alarm)  # type: ignore[operator]
        async with asyncio.timeout(20):
            while not (found := await hub.store.sounds()):
                await asyncio.sleep(0.05)
        assert [(one.label, one.device, one.room) for one in found] == [("smoke_alarm", "kitchen", "Kitchen")]
        async with asyncio.timeout(20):
            while hub.pipeline.busy:
                await asyncio.sleep(0.05)
        assert await hub.store.utterances() == []
