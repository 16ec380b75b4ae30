"""A hub of faces only, for the tests of web and sse: the real store and bus, a fleet that lives in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from minerva_hub import sse
from minerva_hub import web as faces
from minerva_hub.auth import Access
from minerva_hub.bus import Bus
from minerva_hub.download import ModelJobs
from minerva_hub.errors import PeerError, UserError
from minerva_hub.events import (
    DeviceChanged,
    DeviceInfo,
    EngineInfo,
    HubHealth,
    Mode,
    NewUtterance,
    SessionChanged,
    UpdateState,
    Utterance,
    UtteranceAdded,
    Word,
)
from minerva_hub.releases import Releases
from minerva_hub.rollouts import Rollouts
from minerva_hub.rollouts.shelf import Shelf
from minerva_hub.store import Store

ORDER = ("mute", "events", "features", "speech", "full")
DAY_MS = 86_400_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def device(id_: str = "kitchen", room: str = "Kitchen", **fields: object) -> DeviceInfo:
    known: dict[str, object] = {
        "online": True, "mode": "speech", "ceiling": "speech", "modes": ("mute", "events", "speech", "full"),
        "firmware": "0.1.0", "variant": "micropython", "board": "esp32s3_devkitc", "slot": "a",
        "kind": "ima_adpcm", "rssi_dbm": -58, "heap_free": 96_000, "uptime_s": 5025, "noise_db": -61.0,
        "address": "192.168.1.31", "last_seen_ms": now_ms(),
    }  # fmt: skip
    return DeviceInfo(id=id_, room=room, **(known | fields))  # type: ignore[arg-type]


class MemoryFleet:
    """Devices that obey at once, within their ceilings and their buttons."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self.bus = bus
        self.store = store
        self.infos: dict[str, DeviceInfo] = {}
        self.ended: list[int] = []
        self.checked: list[str] = []

    def add(self, *infos: DeviceInfo) -> None:
        for info in infos:
            self.infos[info.id] = info
            self.bus.publish(DeviceChanged(device=info))

    def devices(self) -> list[DeviceInfo]:
        return list(self.infos.values())

    def check_updates(self, device_id: str) -> bool:
        self.checked.append(device_id)
        return True

    def updating(self, device_id: str, state: UpdateState) -> None:
        self._put(msgspec.structs.replace(self.infos[device_id], update=state))

    async def set_mute(self, device_id: str, on: bool) -> DeviceInfo:
        info = self.infos[device_id]
        if not on and info.mute == "button":
            raise UserError(f"{device_id} was muted at its button; only the button ends that")
        if not info.online:
            raise PeerError("timeout", f"{device_id} did not confirm the mute within 3 s")
        return self._put(msgspec.structs.replace(info, mute="hub" if on else "off"))

    async def set_mode(self, device_id: str, mode: Mode) -> DeviceInfo:
        info = self.infos[device_id]
        if info.ceiling and ORDER.index(mode) > ORDER.index(info.ceiling):
            raise UserError(f"{mode} is above the ceiling {info.ceiling} of {device_id}")
        return self._put(msgspec.structs.replace(info, mode=mode))

    async def end_session(self, session_id: int) -> None:
        self.ended.append(session_id)
        ended = await self.store.end_session(session_id, now_ms())
        self.bus.publish(SessionChanged(session=ended))

    def _put(self, info: DeviceInfo) -> DeviceInfo:
        self.infos[info.id] = info
        self.bus.publish(DeviceChanged(device=info))
        return info


READY = (
    EngineInfo(stage="speech", name="silero", model="v6", state="ready", reason="carried by faster-whisper"),
    EngineInfo(
        stage="transcribe", name="pocketsphinx", model="en-us", state="rough",
        reason="no Whisper model on disk: offline recogniser, expect mistakes",
    ),
    EngineInfo(stage="diarize", name="builtin", state="ready", reason="no other engine is installed"),
)  # fmt: skip


@dataclass
class TestHub:
    """Everything a test touches."""

    __test__ = False
    store: Store
    bus: Bus
    fleet: MemoryFleet
    streams: sse.Streams
    client: TestClient[web.Request, web.Application]
    current: list[HubHealth]

    @property
    def url(self) -> str:
        return str(self.client.make_url("/")).rstrip("/").replace("127.0.0.1", "localhost")

    async def say(
        self, session: int, speaker: str, text: str, *, start_ms: int | None = None, room: str = "Kitchen",
        device: str = "kitchen", publish: bool = True,
    ) -> Utterance:  # fmt: skip
        start = now_ms() if start_ms is None else start_ms
        words = tuple(
            Word(text=word, start_ms=start + 300 * i, end_ms=start + 300 * i + 250)
            for i, word in enumerate(text.split())
        )
        new = NewUtterance(
            session_id=session, device=device, room=room, speaker=speaker, start_ms=start,
            end_ms=start + 300 * len(words), text=text, words=words, engine="test",
        )  # fmt: skip
        (stored,) = await self.store.commit([new], None)
        if publish:
            self.bus.publish(UtteranceAdded(utterance=stored))
        return stored


def health(**fields: object) -> HubHealth:
    known: dict[str, object] = {
        "version": "0.1.0", "hub_id": "0123456789abcdef", "started_ms": now_ms() - 60_000, "engines": READY,
    }  # fmt: skip
    return HubHealth(**(known | fields))  # type: ignore[arg-type]


@asynccontextmanager
async def running(folder: Path, port: int | None = None) -> AsyncIterator[TestHub]:
    """The faces on a free port of loopback."""
    store = await Store.open(folder)
    bus = Bus()
    fleet = MemoryFleet(bus, store)
    current = [health()]
    app = web.Application()
    access = Access.of(store)
    rollouts = Rollouts(store, bus, fleet)
    shelf = Shelf(folder / "releases")
    shelf.open()
    updates = faces.Updating(releases=Releases(store.updates, shelf), rollouts=rollouts, shelf=shelf)
    models = ModelJobs(folder / "models", bus)
    faces.setup(
        app, store=store, bus=bus, fleet=fleet, updates=updates, models=models, health=lambda: current[0],
        access=access,
    )  # fmt: skip
    streams = sse.setup(app, bus=bus, devices=fleet.devices, health=lambda: current[0])
    async with TestClient(TestServer(app, port=port)) as client:
        yield TestHub(store, bus, fleet, streams, client, current)
        await models.close()
    await store.close()
