"""What stands for a hub where devices are measured: takes every packet, answers as a hub does, and counts.

`python -m minerva_tools.bench._sink JSON` prints {"address": …}. A line on its standard input begins the
counting, a second one ends it and prints what was counted.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web
from minerva import messages, wire

from minerva_tools.measure import percentile

ACK_S = 1.0


class Sink(msgspec.Struct, frozen=True, kw_only=True):
    """In which mode and with which packets devices are welcomed; how late a packet may be after its sound."""

    mode: str
    kind: str
    frames: int
    late_ms: float


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What came while it counted; `drops` and `refused` since the beginning."""

    devices: int
    connections: int
    packets: int
    kinds: dict[str, int]
    missing: int
    late: int
    delay_p50_ms: float
    delay_p95_ms: float
    drops: dict[str, int]
    refused: list[str]


class Peer:
    """One device, over all its connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.seq: int | None = None
        self.offset_ms = float("inf")  # of its clock: the least that any message took
        self.heard: list[tuple[float, int]] = []  # (arrival, end of the sound on its clock), ms
        self.drops: dict[str, int] = {}


class Receiver:
    """All devices."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._peers: dict[str, Peer] = {}
        self._refused: list[str] = []
        self._counting = False
        self._kinds: dict[str, int] = {}
        self._missing = 0

    def begin(self) -> None:
        """Count from here."""
        self._counting = True

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        """A device's connection, to its end."""
        ws = web.WebSocketResponse(protocols=(wire.SUBPROTOCOL,), compress=False, heartbeat=15)
        await ws.prepare(request)
        hello = messages.decode_message((await ws.receive(timeout=10)).data, messages.FROM_DEVICE)
        peer = self._peers.setdefault(hello["device"], Peer())
        peer.connections += 1
        peer.seq = None
        welcome = {
            "type": "welcome",
            "protocol": wire.PROTOCOL,
            "hub": "sink",
            "utc_ms": time.time_ns() // 1_000_000,
            "mode": self._sink.mode,
            "mute": False,
            "kind": self._sink.kind,
            "frames": self._sink.frames,
            "resume": None,
        }
        await ws.send_str(messages.encode_message(welcome, messages.FROM_HUB))
        acked = time.monotonic()
        async for message in ws:
            now = time.monotonic()
            if message.type is WSMsgType.BINARY:
                self._packet(peer, message.data, now * 1000)
                if now - acked > ACK_S:
                    acked = now
                    ack = {"type": "ack", "stream": 0, "seq": peer.seq}
                    await ws.send_str(messages.encode_message(ack, messages.FROM_HUB))
            elif message.type is WSMsgType.TEXT:
                self._message(peer, messages.decode_message(message.data, messages.FROM_DEVICE), now * 1000)
        return ws

    def _packet(self, peer: Peer, data: bytes, now_ms: float) -> None:
        kind, _, _, frames, seq, time_ms, _ = wire.decode_media(data)
        if self._counting:
            name = wire.KIND_NAMES[kind]
            self._kinds[name] = self._kinds.get(name, 0) + 1
            if peer.seq is not None:
                self._missing += (seq - peer.seq - 1) & 0xFFFFFFFF
            peer.heard.append((now_ms, time_ms + wire.duration_ms(kind, frames)))
        peer.seq = seq

    def _message(self, peer: Peer, message: dict[str, Any], now_ms: float) -> None:
        if message["type"] == "health":
            peer.drops = message["drops"]
        elif message["type"] == "error":
            self._refused.append(f"{message['code']}: {message['message']}")
        if "time_ms" in message:
            peer.offset_ms = min(peer.offset_ms, now_ms - message["time_ms"])

    def counted(self) -> Counted:
        """What was counted."""
        self._counting = False
        peers = list(self._peers.values())
        delays = [at - end_ms - peer.offset_ms for peer in peers for at, end_ms in peer.heard]
        drops: dict[str, int] = {}
        for peer in peers:
            for name, count in peer.drops.items():
                drops[name] = drops.get(name, 0) + count
        return Counted(
            devices=sum(bool(peer.heard) for peer in peers),
            connections=sum(peer.connections for peer in peers),
            packets=len(delays),
            kinds=self._kinds,
            missing=self._missing,
            late=sum(delay > self._sink.late_ms for delay in delays),
            delay_p50_ms=percentile(delays, 50),
            delay_p95_ms=percentile(delays, 95),
            drops=drops,
            refused=self._refused[:20],
        )


async def run(sink: Sink, read: Callable[[], Awaitable[str]]) -> None:
    """Serve until the second line."""
    receiver = Receiver(sink)
    app = web.Application()
    app.router.add_get("/link", receiver.link)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(
        msgspec.json.encode({"address": f"ws://127.0.0.1:{runner.addresses[0][1]}/link"}).decode(), flush=True
    )
    await read()
    receiver.begin()
    await read()
    print(msgspec.json.encode(receiver.counted()).decode(), flush=True)
    await read()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(
        run(
            msgspec.json.decode(sys.argv[1], type=Sink),
            lambda: asyncio.to_thread(sys.stdin.readline),
        )
    )
