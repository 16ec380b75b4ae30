"""A hub made of bytes: what a WebSocket library would never send, at every state of a connection."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

from minerva import messages, wire

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
WELCOME = {
    "type": "welcome",
    "protocol": 1,
    "hub": "raw",
    "mode": "full",
    "mute": False,
    "kind": "pcm_s16le",
    "frames": 3,
}


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = False, size: int | None = None):
    """A frame from the hub; `size` is what it claims."""
    claimed = len(payload) if size is None else size
    bit = 0x80 if masked else 0
    head = bytes([(0x80 if final else 0) | opcode])
    if claimed < 126:
        head += bytes([bit | claimed])
    elif claimed < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", claimed)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", claimed)
    return head + (bytes(4) if masked else b"") + payload


def text(message: dict[str, Any]) -> bytes:
    """A control message as its frame."""
    return frame(TEXT, json.dumps(message).encode())


def welcome(**more: Any) -> bytes:
    """A welcome as its frame."""
    return text({**WELCOME, "utc_ms": int(time.time() * 1000), **more})


class Conversation:
    """One connection of a device."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> dict[str, str]:
        """The device's handshake: its headers, lower-case names."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        return {":request": lines[0], **{name.lower(): value for name, value in fields.items()}}

    def accept(self, headers: dict[str, str], protocol: str | None = wire.SUBPROTOCOL) -> bytes:
        """The answer that opens the WebSocket."""
        proof = base64.b64encode(
            hashlib.sha1(headers["sec-websocket-key"].encode() + _GUID).digest()
        ).decode()
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {proof}",
            *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def open(self) -> None:
        """Shake hands."""
        await self.send(self.accept(await self.request()))

    async def send(self, data: bytes) -> None:
        """As it is."""
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> tuple[int, bytes]:
        """The next frame: (opcode, payload unmasked)."""
        first, second = await self.reader.readexactly(2)
        assert second & 0x80, "frames of a client are masked"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", await self.reader.readexactly(2))
        mask = await self.reader.readexactly(4)
        payload = await self.reader.readexactly(size)
        key = (mask * (size // 4 + 1))[:size]
        return first & 0x0F, bytes(a ^ b for a, b in zip(payload, key, strict=True))

    async def hear_message(self, kind: str) -> dict[str, Any]:
        """The next control message of a type; others are passed over."""
        while True:
            opcode, payload = await self.hear()
            if opcode == TEXT:
                message = messages.decode_message(payload, messages.FROM_DEVICE)
                if message["type"] == kind:
                    return dict(message)

    async def last_words(self) -> tuple[str | None, int | None]:
        """How the device ends it: (code of its fatal error, code of its close frame), None for neither."""
        error = None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                opcode, payload = await self.hear()
                if opcode == TEXT:
                    message = json.loads(payload)
                    if message["type"] == "error" and message["fatal"]:
                        error = message["code"]
                elif opcode == CLOSE:
                    return error, struct.unpack(">H", payload[:2])[0]
        return error, None


Script = Callable[[Conversation], Awaitable[None]]


class RawHub:
    """Listens on loopback and plays `script` with the first connections, `then` with all that follow."""

    def __init__(self, *scripts: Script, then: Script) -> None:
        self._scripts = list(scripts)
        self._then = then
        self._server: asyncio.Server
        self._failed: list[BaseException] = []
        self._changed = asyncio.Event()
        self.connections = 0
        self.finished = 0
        self.url = ""

    async def __aenter__(self) -> RawHub:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/link"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    def settings(self, **more: Any) -> dict[str, Any]:
        """For a device of this hub."""
        return {"device": "kitchen", "url": self.url, "token": "t", "ceiling": "full", **more}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        script = self._scripts.pop(0) if self._scripts else self._then
        try:
            await script(Conversation(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the device went first
        except BaseException as problem:
            self._failed.append(problem)
        finally:
            writer.close()
            self.finished += 1
            self._changed.set()

    async def until_finished(self, count: int, timeout_s: float = 60) -> None:
        """Wait until `count` scripts have been played; what failed in one is raised here."""
        async with asyncio.timeout(timeout_s):
            while self.finished < count and not self._failed:
                self._changed.clear()
                await self._changed.wait()
        if self._failed:
            raise self._failed[0]
