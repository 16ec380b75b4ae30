"""What system tests are built from: a link that can be cut, the bundled room, hubs in processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from minerva_hub.auth import hash_token
from minerva_hub.config import (
    DiarizeConfig,
    HubConfig,
    IngestConfig,
    ServerConfig,
    StoreConfig,
    TranscribeConfig,
)
from minerva_hub.events import DeviceRecord, Utterance
from minerva_hub.store import Store
from minerva_tools.conversation import RATE, load_demo
from minerva_tools.demo import write_wav

ROOT = Path(__file__).parents[2]
TOKEN = "a token of the tests"


def hub_config(folder: Path, *, port: int = 0, lead_ms: int = 3000) -> HubConfig:
    """A hub of its own in `folder`, on loopback; everybody is Speaker A."""
    return HubConfig(
        server=ServerConfig(port=port, tls=False),
        store=StoreConfig(path=folder / "store"),
        ingest=IngestConfig(lead_ms=lead_ms),
        transcribe=TranscribeConfig(engine="pocketsphinx", workers=1),
        diarize=DiarizeConfig(engine="off"),
    )


async def register(store: Store, *devices: str) -> None:
    """Let `devices` in with TOKEN."""
    for device in devices:
        await store.add_device(
            DeviceRecord(id=device, room=device.title(), token_hash=hash_token(TOKEN), created_ms=0)
        )


def device_settings(address: str, device: str = "kitchen", **more: Any) -> dict[str, Any]:
    """settings.json for the hub at `address` (http://host:port)."""
    url = address.replace("http", "ws", 1) + "/link"
    return {"device": device, "url": url, "token": TOKEN, "ceiling": "full", **more}


def kitchen_wav(path: Path, begin_s: float = 0.0, end_s: float | None = None) -> Path:
    """A stretch of the bundled conversation, and two seconds of nothing after it."""
    sound = load_demo().sound["Kitchen"]
    part = sound[int(begin_s * RATE) : None if end_s is None else int(end_s * RATE)]
    write_wav(path, np.concatenate([part, np.zeros(2 * RATE, np.int16)]))
    return path


async def until(condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> None:
    """Wait until `condition()` holds; AssertionError with `what` was waited for."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {timeout_s:g} s") from None


class Proxy:
    """The middle of links to the hub at `address`: forwards, cuts, and refuses while it is `shut`."""

    def __init__(self, address: str = "") -> None:
        self._target = address
        self._server: asyncio.Server
        self._open: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._torn = False
        self.shut = False
        self.connections = 0
        self.address = ""

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def before(self, url: str) -> str:
        """Stand before the hub of a device's `url`; the one to use instead."""
        self._target, path = url[: url.rindex("/")], url[url.rindex("/") :]
        return self.address.replace("http", url.partition(":")[0], 1) + path

    def _hub(self) -> tuple[str, int]:
        host, port = self._target.rsplit("/", 1)[1].rsplit(":", 1)
        return host, int(port)

    def cut(self) -> None:
        """Break every connection without a word."""
        for device, hub in self._open.items():
            device.transport.abort()
            hub.transport.abort()

    def tear(self) -> None:
        """Break the connection within the next bytes from the device: half of them still arrive."""
        self._torn = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.shut:
            writer.transport.abort()
            return
        self.connections += 1
        hub_reader, hub_writer = await asyncio.open_connection(*self._hub())
        self._open[writer] = hub_writer
        try:
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(
                    self._forward(reader, hub_writer, True), self._forward(hub_reader, writer, False)
                )
        finally:
            del self._open[writer]
            writer.transport.abort()
            hub_writer.transport.abort()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, from_device: bool
    ) -> None:
        while data := await reader.read(4096):
            if from_device and self._torn:
                self._torn = False
                writer.write(data[: len(data) // 2])
                await writer.drain()
                await asyncio.sleep(0.05)  # let the half be sent: an abort throws away what waits
                raise ConnectionAbortedError
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError  # one side ended: so does the other


class HubProcess:
    """A hub in a process of its own (digest_hub.py): its events as lines, and SIGKILL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self.events: list[str] = []
        self._process: asyncio.subprocess.Process
        self._reader: asyncio.Task[None]

    async def start(self) -> None:
        """Run it, the second time on the port that it had the first time; waits until it listens."""
        port = self.address.rsplit(":", 1)[-1] or "0"
        self.events = []
        with (self.folder / "hub.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(Path(__file__).with_name("digest_hub.py")),
                str(self.folder),
                port,
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        first = (await asyncio.wait_for(self._process.stdout.readline(), 60)).decode().strip()
        assert first.startswith("http"), (self.folder / "hub.log").read_text()
        self.address = first
        self._reader = asyncio.create_task(self._read(self._process.stdout))

    async def _read(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            self.events.append(line.decode().strip())

    async def heard(self, event: str, times: int, timeout_s: float = 60.0) -> None:
        """Wait for the `times`-th `event` since the start."""
        await until(
            lambda: self.events.count(event) >= times,
            f"{self.folder.name}: {event} number {times}",
            timeout_s,
        )

    async def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._reader

    def limit_files(self, size: int | None) -> None:
        """A full disk as it sees one: no file of its grows beyond `size` bytes (None: without limit)."""
        hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))

    async def stop(self) -> None:
        """SIGTERM, unless it is gone already."""
        if self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 20)
            await self._reader

    async def utterances(self) -> list[Utterance]:
        """What its store holds."""
        store = await Store.open(self.folder / "store")
        try:
            return await store.utterances(limit=1000)
        finally:
            await store.close()


@contextlib.asynccontextmanager
async def api(address: str) -> AsyncIterator[Callable[..., Any]]:
    """`await call("GET", "/api/health")` -> (status, JSON)."""
    async with aiohttp.ClientSession(address) as session:

        async def call(method: str, path: str, **body: Any) -> tuple[int, Any]:
            async with session.request(method, path, json=body or None) as answer:
                return answer.status, await answer.json(content_type=None)

        yield call
