"""Many devices at once as a load: WebSocket clients that send a recorded conversation in real time.

`python -m minerva_tools.bench._devices JSON` prints {"late_p95_s": …, "began_s": …} when it is done: how late
packets left, and the moment on CLOCK_MONOTONIC at which the first device's sound began.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import numpy as np
from minerva import messages, wire

from minerva_tools.bench._hub import TOKEN
from minerva_tools.conversation import load_demo, read_flac
from minerva_tools.measure import percentile

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

FRAMES = wire.DEFAULT_FRAMES
SAMPLES = FRAMES * wire.FRAME_SAMPLES
PACKET_S = FRAMES * wire.FRAME_MS / 1000
GAIN = 8  # from the room's pascals to what a device sends
CONNECTING = 25  # at once


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, in real time: the bundled conversation, each device at a place of its own in it.

    `from_start`: the first device begins with its beginning.
    """

    address: str
    devices: int
    kind: str
    seconds: float
    rest_s: float = 0.0
    seed: int = 0
    file: str = ""  # a FLAC as write_flac writes it; else the bundled conversation
    from_start: bool = False


def payloads(kind: str, pcm: np.ndarray[Any, np.dtype[np.int16]]) -> list[bytes]:
    """The recording as payloads of packets."""
    out = []
    state: Any = (0, 0)
    for at in range(0, len(pcm) - SAMPLES + 1, SAMPLES):
        raw = pcm[at : at + SAMPLES].tobytes()
        if kind == "pcm_s16le":
            out.append(raw)
            continue
        predictor, index = state
        data, state = audioop.lin2adpcm(raw, 2, state)
        out.append(int(predictor).to_bytes(2, "little", signed=True) + bytes([index, 0]) + data)
    return out


class Sender:
    """One device."""

    def __init__(self, number: int, load: Load, talk: list[bytes], rng: random.Random) -> None:
        self._id = f"d{number}"
        self._load = load
        self._talk = talk
        self._at = rng.randrange(len(talk)) if number or not load.from_start else 0
        self._offset_s = rng.random() * PACKET_S
        self.late_s: list[float] = []
        self.began_s = 0.0

    async def connect(self, session: aiohttp.ClientSession, booted: float) -> None:
        """Say hello and wait for the welcome."""
        self._ws = await session.ws_connect(
            f"{self._load.address}/link", protocols=(wire.SUBPROTOCOL,), max_msg_size=1 << 14
        )
        hello = {
            "type": "hello",
            "protocol": wire.PROTOCOL,
            "device": self._id,
            "token": TOKEN,
            "boot_id": f"{int(self._id[1:]):016x}",
            "time_ms": round((time.monotonic() - booted) * 1000),
            "firmware": {"name": "minerva", "version": "bench", "variant": "bench", "board": "bench"},
            "slot": "a",
            "kinds": [self._load.kind],
            "modes": ["mute", "events", "speech", "full"],
            "mode": "full",
            "ceiling": "full",
            "mute": "off",
        }
        await self._ws.send_str(messages.encode_message(hello, messages.FROM_DEVICE))
        answer = await self._ws.receive_json(timeout=30)
        if answer["type"] != "welcome":
            raise RuntimeError(f"{self._id}: {answer}")

    async def run(self, booted: float, start: float) -> None:
        """Send a packet each 60 ms until the time is over; the hub's answers are read and ignored."""
        reader = asyncio.create_task(self._read())
        kind = wire.KINDS[self._load.kind]
        begin = start + self._offset_s
        self.began_s = begin - PACKET_S
        for number in range(int(self._load.seconds / PACKET_S)):
            due = begin + number * PACKET_S
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            self.late_s.append(time.monotonic() - due)
            time_ms = round((due - PACKET_S - booted) * 1000)
            payload = self._talk[(self._at + number) % len(self._talk)]
            await self._ws.send_bytes(
                wire.encode_media(kind, 1 if number == 0 else 0, 0, FRAMES, number, time_ms, payload)
            )
        await asyncio.sleep(self._load.rest_s)
        reader.cancel()
        await self._ws.close()

    async def _read(self) -> None:
        async for message in self._ws:
            if message.type is aiohttp.WSMsgType.TEXT and '"fatal": true' in message.data:
                print(f"{self._id}: {message.data}", file=sys.stderr)


async def run(load: Load) -> dict[str, float]:
    """All devices; how late they were tells whether the load itself kept up."""
    rng = random.Random(load.seed)
    talk = payloads(load.kind, read_flac(Path(load.file)) if load.file else conversation())
    senders = [Sender(number, load, talk, rng) for number in range(load.devices)]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        booted = time.monotonic() - 1.0
        for at in range(0, len(senders), CONNECTING):
            await asyncio.gather(*(s.connect(session, booted) for s in senders[at : at + CONNECTING]))
        print("{}", flush=True)  # everybody is connected
        start = time.monotonic() + 0.5
        await asyncio.gather(*(s.run(booted, start) for s in senders))
    late = [value for sender in senders for value in sender.late_s]
    return {"late_p95_s": percentile(late, 95), "began_s": senders[0].began_s}


def conversation() -> np.ndarray[Any, np.dtype[np.int16]]:
    """Both rooms one after the other, at the level that devices send."""
    sound = np.concatenate(list(load_demo().sound.values())).astype(np.int32) * GAIN
    return np.clip(sound, -32768, 32767).astype(np.int16)


if __name__ == "__main__":
    print(msgspec.json.encode(asyncio.run(run(msgspec.json.decode(sys.argv[1], type=Load)))).decode())
