"""From the packet that completes the hangover to the final text at an SSE client, beyond the engine's time.

The engine takes 50 ms an utterance in the production workers; waiting for a worker counts. One device, then
twenty whose sentences end at random times.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import aiohttp
import msgspec

from minerva_tools.bench._devices import PACKET_S, Load
from minerva_tools.bench._pair import BenchError, begin, finish, line, measured_hub, process
from minerva_tools.measure import Result, at_most, figure, percentile

ENGINE_S = 0.05
SECONDS = {1: 100.0, 20: 45.0}  # one device says a sentence each four or five seconds
MAX_BEYOND_MS = 100.0
MIN_UTTERANCES = 15


def run() -> Iterable[Result]:
    """Measure with one device and with twenty."""
    for devices, seconds in SECONDS.items():
        yield from asyncio.run(measure(devices, seconds))


async def measure(devices: int, seconds: float) -> list[Result]:
    """Run once; every utterance that reached the client counts."""
    async with measured_hub(devices, "ima_adpcm", ENGINE_S) as (address, hub):
        load = Load(
            address=address, devices=devices, kind="ima_adpcm", seconds=seconds, rest_s=2.0, seed=devices
        )
        ready = asyncio.Event()
        client = asyncio.create_task(listen(address, ready))
        await ready.wait()
        async with process("minerva_tools.bench._devices", load, 1) as sender:
            await line(sender, 60)
            begin(hub)
            await line(sender, seconds + 60)
        seen = await stop(client)
        measured = await finish(hub)
    beyond_ms = [
        (seen[device, start_ms] - arrived - ENGINE_S) * 1000
        for device, start_ms, arrived in measured.ends
        if (device, start_ms) in seen
    ]
    missing = len(measured.ends) - len(beyond_ms)
    if len(beyond_ms) < MIN_UTTERANCES:
        raise BenchError(f"{len(beyond_ms)} utterances reached the client; {MIN_UTTERANCES} make a figure")
    under = (
        f"{devices} devices, {len(beyond_ms)} utterances, engine {ENGINE_S * 1000:.0f} ms each and taken off,"
        f" beside it up to {PACKET_S * 1000:.0f} ms to fill a packet"
    )
    name = f"streams_{devices}"
    return [
        at_most(f"{name}.beyond_engine_p95", percentile(beyond_ms, 95), "ms", MAX_BEYOND_MS, under),
        figure(f"{name}.beyond_engine_p50", percentile(beyond_ms, 50), "ms", under),
        at_most(f"{name}.missing", missing, "utterances", 0, under),
        figure(f"{name}.packet", PACKET_S * 1000, "ms", "how long sound waits to fill a packet"),
    ]


Times = dict[tuple[str, int], float]


async def listen(address: str, ready: asyncio.Event) -> Times:
    """Note when each utterance comes, until cancelled through `stop`."""
    times: Times = {}
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{address}/api/events") as events,
    ):
        ready.set()
        try:
            async for raw in events.content:
                if raw.startswith(b"data: ") and b'"type":"utterance"' in raw:
                    now = time.monotonic()
                    said = msgspec.json.decode(raw[6:])["utterance"]
                    times[said["device"], said["start_ms"]] = now
        except asyncio.CancelledError:
            return times
    raise BenchError("the hub ended the event stream")


async def stop(client: asyncio.Task[Times]) -> Times:
    """End `listen` and take what it noted."""
    client.cancel()
    return await client
