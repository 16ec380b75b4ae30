"""What Linnet's page and its server do, as a client on 127.0.0.1."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from link_hub import until
from linkpeer import DigestEngine
from minerva_hub.app import Hub, serve
from minerva_hub.config import CfVoiceConfig, HubConfig, IngestConfig, ModelsConfig, ServerConfig, StoreConfig

CHUNK = 1600  # samples: 100 ms


@asynccontextmanager
async def a_voice_hub(folder: Path, engine: Any = None, **voice: Any) -> AsyncIterator[tuple[Hub, Client]]:
    """A hub whose cf-voice port is open, and a client of it."""
    config = HubConfig(
        server=ServerConfig(port=0, tls=False),
        store=StoreConfig(path=folder / "store"),
        models=ModelsConfig(path=folder / "models"),
        ingest=IngestConfig(lead_ms=60_000),  # so that tests need not wait for real time
        cf_voice=CfVoiceConfig(**({"enabled": True, "port": 0} | voice)),
    )
    used = engine or DigestEngine()
    async with serve(config, engine=lambda: used) as (hub, _), aiohttp.ClientSession() as session:
        assert hub.cf_voice is not None
        await until(lambda: _ready(hub), 10)
        yield hub, Client(session, hub.cf_voice.address)


def _ready(hub: Hub) -> bool:
    return any(one.stage == "transcribe" and one.state != "loading" for one in hub.pipeline.engines())


class Client:
    """Requests to the port; `events` are those of the streams it follows."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self.session = session
        self.address = address
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.comments: list[str] = []
        self.acks: list[dict[str, Any]] = []

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """(status, body)."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        async with self.session.request(method, self.address + path, data=data, **more) as answer:
            return answer.status, await answer.json(content_type=None)

    async def start(self, **fields: Any) -> str:
        status, body = await self.ask("POST", "/session/start", fields)
        assert status == 200 and body["state"] == "running", body
        return str(body["session_id"])

    async def follow(self, id_: str) -> None:
        """Read a session's stream to its end."""
        async with self.session.get(f"{self.address}/session/{id_}/stream") as answer:
            assert answer.status == 200 and answer.content_type == "text/event-stream"
            name = ""
            async for raw in answer.content:
                line = raw.decode().rstrip("\n")
                if line.startswith(":"):
                    self.comments.append(line)
                elif line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.events.append((name, json.loads(line.removeprefix("data: "))))

    @asynccontextmanager
    async def following(self, id_: str) -> AsyncIterator[asyncio.Task[None]]:
        """The stream of a session, read beside what the test does."""
        task = asyncio.create_task(self.follow(id_))
        await until(lambda: self.comments or task.done())
        yield task
        task.cancel()

    def of(self, name: str) -> list[dict[str, Any]]:
        return [data for kind, data in self.events if kind == name]

    async def speak(self, id_: str, pcm: np.ndarray) -> None:
        """A microphone that is switched on, and off after the sound."""
        async with self.session.ws_connect(f"{self.address}/session/{id_}/audio") as socket:
            for at in range(0, len(pcm) - CHUNK + 1, CHUNK):
                await socket.send_bytes(pcm[at : at + CHUNK].astype("<i2").tobytes())
                self.acks.append(await socket.receive_json(timeout=5))

    async def classify(self, pcm: np.ndarray | bytes, **fields: Any) -> tuple[int, Any]:
        raw = pcm if isinstance(pcm, bytes) else pcm.astype("<i2").tobytes()
        return await self.ask("POST", "/classify", {"audio_chunk": base64.b64encode(raw).decode(), **fields})

    async def until(self, condition: Callable[[], object], timeout_s: float = 5.0) -> None:
        await until(condition, timeout_s)
