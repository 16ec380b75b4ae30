"""Somebody on the hub's network: a client over TLS that pins the hub's authority and its fixed name."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from minerva_hub.app import Hub

PASSWORD = "correct horse"


class NetworkPeer:
    """Asks the hub's network side; keeps cookies as a browser would."""

    def __init__(self, hub: Hub, session: aiohttp.ClientSession) -> None:
        assert hub.tls_address is not None
        self.address = hub.tls_address
        self.session = session
        self.tls: dict[str, Any] = {
            "ssl": ssl.create_default_context(cadata=hub.identity.ca_pem),
            "server_hostname": hub.identity.server_name,
        }

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """As aiohttp's request, without following redirects."""
        return self.session.request(method, self.address + path, allow_redirects=False, **self.tls, **options)

    async def status(self, method: str, path: str, **options: Any) -> int:
        async with self.ask(method, path, **options) as response:
            return int(response.status)

    async def code(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """(status, the problem's code)."""
        async with self.ask(method, path, **options) as response:
            return response.status, (await response.json(content_type=None))["code"]

    async def log_in(self, password: str = PASSWORD) -> int:
        return await self.status("POST", "/api/owner/login", json={"password": password})


@asynccontextmanager
async def network_peer(hub: Hub) -> AsyncIterator[NetworkPeer]:
    """A peer with a cookie jar that keeps those of addresses too."""
    connector = aiohttp.TCPConnector(limit=8)  # about what a browser opens
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, connector=connector) as session:
        yield NetworkPeer(hub, session)
