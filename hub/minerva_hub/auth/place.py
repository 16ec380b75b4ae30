"""Where a request comes from: this machine, or the network."""

from __future__ import annotations

import ipaddress

from aiohttp import web

from minerva_hub.config import is_loopback

# A proxy on this machine that speaks for somebody elsewhere says so in one of these. They never win anything.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def is_local(request: web.Request) -> bool:
    """Whether a request was made on this machine, by plain HTTP from loopback to loopback.

    What comes by TLS is of the network whatever its address, and so is what a proxy here passes on.
    """
    transport = request.transport
    if transport is None or transport.get_extra_info("sslcontext") is not None:
        return False
    ends = (transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
    return all(isinstance(end, tuple) and is_loopback(str(end[0])) for end in ends) and not any(
        name in request.headers for name in FORWARDED
    )


def source(request: web.Request) -> str:
    """The address that a request comes from, for counting attempts; of IPv6 the /64 of one household."""
    transport = request.transport
    peer = transport.get_extra_info("peername") if transport is not None else None
    address = str(peer[0]).partition("%")[0] if isinstance(peer, tuple) else ""
    if address.startswith("::ffff:"):
        return address[7:]
    if ":" in address and address != "::1":
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return address or "unknown"
