"""A device as the hub sees one: a real WebSocket client, and an engine that tells segments apart."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import numpy as np
from minerva import messages, wire
from minerva_hub.events import EngineInfo
from minerva_hub.transcribe import Hypothesis, TimedWord, Transcript

HELLO: dict[str, Any] = {
    "type": "hello",
    "protocol": 1,
    "device": "kitchen",
    "token": "secret",
    "boot_id": "00112233445566ff",
    "time_ms": 1000,
    "firmware": {"name": "minerva", "version": "0.1.0", "variant": "test", "board": "test"},
    "slot": "a",
    "kinds": ["pcm_s16le", "ima_adpcm"],
    "modes": ["mute", "events", "speech", "full"],
    "mode": "full",
    "ceiling": "full",
    "mute": "off",
}


class LinkPeer:
    """One connection to /link."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address
        self.ws: aiohttp.ClientWebSocketResponse
        self.acked: int | None = None
        self.seq = 0
        self.time_ms = 1000

    async def connect(self, protocols: tuple[str, ...] = (wire.SUBPROTOCOL,)) -> LinkPeer:
        self.ws = await self._session.ws_connect(f"{self._address}/link", protocols=protocols)
        return self

    async def hello(self, **fields: Any) -> dict[str, Any]:
        """Say hello; the answer."""
        await self.say({**HELLO, **fields})
        return await self.hear()

    async def say(self, message: dict[str, Any] | str) -> None:
        await self.ws.send_str(message if isinstance(message, str) else json.dumps(message))

    async def hear(self, *kinds: str, timeout_s: float = 5.0) -> dict[str, Any]:
        """The next message (of these types); {"type": "closed", ...} when the hub closed."""
        async with asyncio.timeout(timeout_s):
            while True:
                frame = await self.ws.receive()
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    return {"type": "closed", "code": self.ws.close_code, "reason": frame.extra}
                message = json.loads(frame.data)
                if message["type"] == "ack":
                    self.acked = message.get("seq", self.acked)
                if not kinds or message["type"] in kinds:
                    return dict(messages.check_message(message, messages.FROM_HUB))

    async def refused(self) -> tuple[str, str]:
        """The fatal error that ends this connection: (code, text), and the close that must follow."""
        error = await self.hear("error", "closed")
        assert error["type"] == "error" and error["fatal"], error
        closed = await self.hear("closed")
        assert closed["code"] == 1008 and closed["reason"] == error["code"]
        return error["code"], error["message"]

    def packet(
        self, pcm: np.ndarray, *, flags: int = 0, seq: int | None = None, time_ms: int | None = None
    ) -> bytes:
        """The next packet in sequence, or the one named."""
        frames = len(pcm) // wire.FRAME_SAMPLES
        number = self.seq if seq is None else seq
        at = self.time_ms if time_ms is None else time_ms
        self.seq = number + 1
        self.time_ms = at + frames * wire.FRAME_MS
        return wire.encode_media(wire.PCM_S16LE, flags, 0, frames, number, at, pcm.astype("<i2").tobytes())

    async def send(self, pcm: np.ndarray, **fields: Any) -> None:
        await self.ws.send_bytes(self.packet(pcm, **fields))

    async def stream(self, pcm: np.ndarray, packet: int = 960) -> None:
        """A whole recording as packets, as fast as the hub takes them."""
        for at in range(0, len(pcm) - packet + 1, packet):
            await self.send(pcm[at : at + packet])


class DigestEngine:
    """An engine whose words are a digest of the samples: equal text means equal segments, to the sample."""

    def __init__(self, busy_s: float = 0.0) -> None:
        self.info = EngineInfo(stage="transcribe", name="digest", state="ready", reason="test")
        self.busy_s = busy_s
        self.failures = 0

    def open(self) -> DigestEngine:
        return self

    def transcribe(self, pcm: np.ndarray) -> Transcript:
        import hashlib

        if self.failures:
            from minerva_hub.errors import EngineError

            self.failures -= 1
            raise EngineError("digest: told to fail")
        time.sleep(self.busy_s)
        word = hashlib.sha256(pcm.tobytes()).hexdigest()[:12]
        end_s = len(pcm) / 16000
        return Transcript(word, (TimedWord(word, 0.0, end_s, 1.0),), "en")

    def hypothesis(self, pcm: np.ndarray) -> Hypothesis:
        return Hypothesis(tuple(word.text for word in self.transcribe(pcm).words))

    def close(self) -> None:
        pass
