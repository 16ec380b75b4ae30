"""Connections that never finish a request are given up; those that are served are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from link_hub import QUIET, a_hub
from linkpeer import LinkPeer

IDLE_S = 0.5
HOST = b"Host: 127.0.0.1\r\n"


@pytest.fixture
async def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr("minerva_hub.app.IDLE_S", IDLE_S)
    async with a_hub(tmp_path) as (_, address):
        yield address


async def opened(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = address.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the hub closed."""
    async with asyncio.timeout(20):
        return await reader.read()


@pytest.mark.parametrize("said", [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"X-A: b"])
async def test_a_request_whose_headers_never_end(address: str, said: bytes) -> None:
    reader, writer = await opened(address)
    writer.write(said)
    assert await ended(reader) == b""
    writer.close()


async def test_a_drop_now_and_then_wins_no_time(address: str) -> None:
    """Slow loris: one more header whenever the hub might lose patience."""
    reader, writer = await opened(address)
    writer.write(b"GET / HTTP/1.1\r\n" + HOST)
    end = asyncio.create_task(ended(reader))
    for number in range(200):  # ten times the deadline at least
        if end.done():
            break
        writer.write(b"X-%d: y\r\n" % number)
        await asyncio.sleep(IDLE_S / 20)
    assert end.done() and await end == b""
    writer.close()


async def test_between_two_requests(address: str) -> None:
    reader, writer = await opened(address)
    for _ in range(2):
        writer.write(b"GET /api/health HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET /api/he")
    assert b"200 OK" not in await ended(reader)
    writer.close()


async def test_what_is_served_may_last(address: str) -> None:
    """A device that has nothing to say and a page that waits for news stay connected."""
    async with aiohttp.ClientSession() as session:
        link: Any = await LinkPeer(session, address).connect()
        await link.hello()
        events = await session.get(f"{address}/api/events")
        await asyncio.sleep(3 * IDLE_S)
        await link.send(QUIET)
        assert (await link.hear("ack"))["seq"] == 0
        assert events.content.exception() is None and not events.content.at_eof()
        events.close()
