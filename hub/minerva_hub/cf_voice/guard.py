"""Who may ask, beyond the address they come from: no page of another site, by whatever name it calls the hub.

The port knows no password, so a browser on a machine that may use it must not lend it to a web page.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from yarl import URL

from minerva_hub.cf_voice.problems import Handler, VoiceError
from minerva_hub.config import Network, is_address, is_loopback


class AllowList:
    """Who may come in: this machine, and the networks that the owner named."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = tuple(networks)

    def admits(self, address: str) -> bool:
        """Whether somebody at that address may come in; what is no address may not."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        where = mapped or parsed
        return where.is_loopback or any(where in network for network in self.networks)


def guard(allowed: AllowList, names: Collection[str] = ()) -> Middleware:
    """The check as an aiohttp middleware; `names` are the hub's own on the network."""
    own = {name.lower() for name in names}

    def is_own(host: str) -> bool:
        # A rebinding attack needs a name of its own, so any bare address is fine.
        return is_loopback(host) or host in own or is_address(host)

    def check(request: web.Request) -> None:
        host = _host(f"http://{request.host}")
        if not is_own(host):
            raise VoiceError(421, "host", f"the host {request.host[:100]!r} is not this hub")
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return
        # A proxy may serve the page on another port than it reaches the hub on: the host is what counts.
        asks = _host(origin)
        if not (is_loopback(asks) or asks == host or allowed.admits(asks)):
            raise VoiceError(403, "origin", f"pages of {origin[:100]!r} may not use this port")

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        check(request)
        return await handler(request)

    return guarded


def _host(url: str) -> str:
    try:
        return (URL(url).host or "").lower()
    except ValueError:
        return ""
