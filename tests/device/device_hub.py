"""The hub as a device sees one: a WebSocket server that says what a test wants and keeps what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import struct
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web
from minerva import messages, wire

RATE = 16_000


class DeviceHub:
    """Listens on a free port of 127.0.0.1; `welcome` is what it answers a hello with, resume included."""

    def __init__(self, context: ssl.SSLContext | None = None, **welcome: Any) -> None:
        self.welcome: dict[str, Any] = {
            "mode": "full",
            "mute": False,
            "kind": "pcm_s16le",
            "frames": 3,
            **welcome,
        }
        self.resume: Callable[[], int | None] = lambda: None
        self.answer: str | None = None  # said instead of a welcome
        self.keep_packets = True
        self.ack_health = False
        self.hellos: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.packets: list[tuple[Any, ...]] = []
        self.packet_count = 0
        self.newest_ms = 0
        self.connections = 0
        self.ws: web.WebSocketResponse | None = None
        self._changed = asyncio.Event()
        self._context = context
        self._runner: web.AppRunner | None = None
        self.host = "127.0.0.1"
        self.port = 0

    async def start(self, port: int = 0) -> DeviceHub:
        app = web.Application()
        app.router.add_get("/link", self._link)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, port, ssl_context=self._context, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> DeviceHub:
        return await self.start()

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"{'wss' if self._context else 'ws'}://127.0.0.1:{self.port}/link"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"device": "kitchen", "url": self.url, "token": "t", "ceiling": "full", **more}

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(protocols=(wire.SUBPROTOCOL,))
        await ws.prepare(request)
        self.connections += 1
        self.ws = ws
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await self._on_text(ws, messages.decode_message(message.data, messages.FROM_DEVICE))
            elif message.type is WSMsgType.BINARY:
                packet = wire.decode_media(message.data)
                self.packet_count += 1
                self.newest_ms = packet[5]
                if self.keep_packets:
                    self.packets.append(packet)
            self._changed.set()
        return ws

    async def _on_text(self, ws: web.WebSocketResponse, message: dict[str, Any]) -> None:
        if message["type"] != "hello":
            self.messages.append(message)
            if message["type"] == "health" and self.ack_health:
                await self.say(type="ack", health=message["n"])
            return
        self.hellos.append(message)
        if self.answer is not None:
            await ws.send_str(self.answer)
            return
        seq = self.resume()
        await self.say(
            type="welcome",
            protocol=1,
            hub="test",
            utc_ms=int(time.time() * 1000),
            resume=None if seq is None else {"stream": 0, "seq": seq},
            **self.welcome,
        )

    async def say(self, **message: Any) -> None:
        """Send a control message, as it is: a hostile hub need not keep the rules."""
        assert self.ws is not None
        with contextlib.suppress(ConnectionError):
            await self.ws.send_str(json.dumps(message))

    def cut(self) -> None:
        """Break the TCP connection without a word."""
        assert self.ws is not None
        transport = self.ws._req.transport  # aiohttp has no public way to be rude
        assert transport is not None
        transport.abort()

    async def until(self, condition: Callable[[], Any], timeout_s: float = 60) -> None:
        """Wait for something to be true of what was heard."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a type, in order."""
        return [m for m in self.messages if m["type"] == kind]

    def pcm(self) -> bytes:
        """The PCM of all packets by sequence number, each once; a missing one is an error."""
        by_seq = {p[4]: bytes(p[6]) for p in self.packets}
        assert sorted(by_seq) == list(range(len(by_seq))), "sequence numbers are missing"
        return b"".join(by_seq[seq] for seq in sorted(by_seq))


def write_wav(path: Path, samples: np.ndarray) -> Path:
    """int16 (n,) at 16 kHz."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())
    return path


def noise(seconds: float, level_db: float, seed: int = 1) -> np.ndarray:
    """int16 noise with an RMS of `level_db` re int16 full scale."""
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(0, 32768 * 10 ** (level_db / 20), int(seconds * RATE))).astype(np.int16)


def talk(seconds: float, level_db: float = -45, seed: int = 1) -> np.ndarray:
    """Noise in syllables over a quiet floor, a pause each second: what opens a gate and keeps it open."""
    out = noise(seconds, level_db, seed)
    t = np.arange(len(out)) % RATE
    return np.where((t % 4000 < 2800) & (t < 12000), out, out // 32).astype(np.int16)


def conditioned(samples: np.ndarray, gain_db: float = 24) -> bytes:
    """What the device must make of a WAV whose full scale is an INMP441's own (MINERVA_MIC_SPL 120)."""
    from minerva import dsp

    slots = struct.pack(f"<{len(samples)}i", *(int(s) << 16 for s in samples))
    pcm = bytearray(2 * len(samples))
    dsp.condition(slots, len(samples), pcm, 0, dsp.new_filter(), dsp.gain_factor(gain_db))
    return bytes(pcm)
