"""A client of /api/events that notes what comes, and when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from minerva_tools.bench._pair import BenchError

Seen = list[tuple[float, dict[str, Any]]]
"""(seconds of CLOCK_MONOTONIC, event as the page gets it)."""

KINDS = ("speaking", "partial", "utterance")


@asynccontextmanager
async def listening(address: str) -> AsyncIterator[Seen]:
    """What comes while the block runs; BenchError when the hub ends the stream before."""
    seen: Seen = []
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout, read_bufsize=1 << 20) as session,
        session.get(f"{address}/api/events") as events,
    ):
        task = asyncio.create_task(_note(events, seen))
        try:
            yield seen
            if task.done():
                raise BenchError("the hub ended the event stream")
        finally:
            task.cancel()


async def _note(events: aiohttp.ClientResponse, seen: Seen) -> None:
    async for raw in events.content:
        if raw.startswith(b"data: "):
            event = msgspec.json.decode(raw[6:])
            if event["type"] in KINDS:
                seen.append((time.monotonic(), event))
