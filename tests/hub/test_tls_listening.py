"""Listening for the network: handshakes are bounded in number, per address and in time, and counted."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from link_hub import a_hub, until
from minerva_hub import listen
from minerva_hub.app import Hub
from network_peer import network_peer


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with a_hub(tmp_path, tls=True) as (hub, _):
        yield hub


def port(hub: Hub) -> int:
    return int(str(hub.tls_address).rsplit(":", 1)[1])


async def silent(hub: Hub) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port(hub))


async def closed(reader: asyncio.StreamReader) -> bool:
    """Whether the hub closed the connection, having said nothing."""
    async with asyncio.timeout(20):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


async def test_handshakes_of_one_address_are_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "MAX_OF_ADDRESS", 4)
    held = [await silent(hub) for _ in range(4)]
    reader, writer = await silent(hub)
    assert await closed(reader) and hub.health().drops["tls_crowded"] == 1
    writer.close()
    for _, one in held:
        one.close()
    await until(lambda: hub.tls_drops["tls_failed"] == 4)
    async with network_peer(hub) as peer:  # and then there is room again
        assert await peer.status("GET", "/login") == 200


async def test_handshakes_in_all_are_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "MAX_HANDSHAKES", 2)
    held = [await silent(hub) for _ in range(2)]
    reader, writer = await silent(hub)
    assert await closed(reader) and hub.tls_drops["tls_crowded"] == 1
    for one in (writer, *(writer for _, writer in held)):
        one.close()


async def test_a_handshake_that_does_not_end_is_given_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "HANDSHAKE_S", 0.3)
    for said in (b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
        reader, writer = await silent(hub)
        writer.write(said)
        async with asyncio.timeout(20):
            try:
                answer = await reader.read()
            except ConnectionError:
                answer = b""
        assert b"HTTP" not in answer  # at most a TLS alert
        writer.close()
    await until(lambda: hub.health().drops.get("tls_failed") == 3)


async def test_connections_that_are_through_do_not_count(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "MAX_OF_ADDRESS", 2)
    context = ssl.create_default_context(cadata=hub.identity.ca_pem)
    name = hub.identity.server_name
    opened = [
        await asyncio.open_connection("127.0.0.1", port(hub), ssl=context, server_hostname=name)
        for _ in range(5)
    ]
    assert hub.tls_drops == {}
    for _, writer in opened:
        writer.close()


def open_connections(hub: Hub) -> int:
    """Of this process to the hub's network port, as the system sees them."""
    number = f":{port(hub):04X}"
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(number) and line.split()[3] == "01" for line in lines)


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="Linux's list of connections")
async def test_connections_that_stand_are_bounded_too(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context(cadata=hub.identity.ca_pem)

    async def open_one() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = hub.identity.server_name
        return await asyncio.open_connection("127.0.0.1", port(hub), ssl=context, server_hostname=name)

    for bound in ("MAX_OPEN_OF_ADDRESS", "MAX_OPEN"):
        with monkeypatch.context() as patch:
            patch.setattr(listen, bound, 3)
            hub.tls_drops.clear()
            held = [await open_one() for _ in range(3)]
            reader, writer = await silent(hub)
            assert await closed(reader) and hub.tls_drops == {"tls_crowded": 1}
            for one in (writer, *(writer for _, writer in held)):
                one.close()
            await until(lambda: not open_connections(hub))
            async with network_peer(hub) as peer:  # and then there is room again
                assert await peer.status("GET", "/login") == 200
            await until(lambda: not open_connections(hub))


def test_the_limit_of_open_files_is_raised_and_never_lowered() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        listen.allow_files(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
        listen.allow_files(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_hub_without_tls_listens_on_loopback_only(tmp_path: Path) -> None:
    async with a_hub(tmp_path) as (hub, address):
        assert hub.tls_address is None
        async with aiohttp.ClientSession() as session, session.get(f"{address}/api/health") as response:
            assert response.status == 200


def test_every_address_is_on_one_port() -> None:
    sockets = listen.bind("", 0)
    try:
        assert {one.family for one in sockets} >= {socket.AF_INET}
        assert len({one.getsockname()[1] for one in sockets}) == 1
        addresses = {one.getsockname()[0] for one in sockets}
        assert addresses <= {"0.0.0.0", "::"}
    finally:
        for one in sockets:
            one.close()


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError):
            listen.bind("127.0.0.1", taken.getsockname()[1])
