"""Who may ask: host names against DNS rebinding, origins against forged requests, headers on every answer.

There is no login yet, so what keeps a foreign web page out is the browser: it names the host it believes to
talk to, and the origin that asks. Programs without a browser send neither a foreign name nor an origin.
"""

from __future__ import annotations

import ipaddress
import socket

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from yarl import URL

from minerva_hub.config import is_loopback
from minerva_hub.web.problems import ApiError, Handler

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
DEVICE_LINK = "/link"  # devices show their token and reach the hub by whatever name they were given
SAFE = {hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Guard:
    """Checks each request against the address that the hub is bound to."""

    def __init__(self, bound: str) -> None:
        self._loopback = is_loopback(bound)
        self._names = {"localhost", "127.0.0.1", "::1", bound.lower()}
        if not self._loopback:
            own = socket.gethostname().lower()
            self._names |= {own} | {f"{own}.{zone}" for zone in ("local", "lan", "home.arpa", "fritz.box")}

    def check_host(self, request: web.Request) -> None:
        """Raise ApiError where the Host header names a host that is not this one."""
        try:
            host = (URL(f"http://{request.host}").host or "").lower()
        except ValueError:
            host = ""
        # Beyond loopback any bare address is fine too: a rebinding attack needs a name of its own.
        if host in self._names or (not self._loopback and _is_address(host)):
            return
        raise ApiError(
            421,
            "host",
            f"the host {request.host[:100]!r} is not this hub; allowed are {', '.join(sorted(self._names))}",
        )

    def check_origin(self, request: web.Request) -> None:
        """Raise ApiError where another site's page wants to change something."""
        if request.method in SAFE:
            return
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and origin.partition("://")[2] != request.host:
            raise ApiError(403, "origin", f"pages of {origin[:100]!r} may not change this hub")
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise ApiError(403, "origin", "pages of other sites may not change this hub")
        # A browser asks the hub before it sends JSON or DELETE for another site, and the hub never agrees.
        if request.method != hdrs.METH_DELETE and request.content_type != "application/json":
            raise ApiError(
                415,
                "content_type",
                f"Content-Type is {request.content_type[:100]!r}; allowed is 'application/json'",
            )

    @property
    def middleware(self) -> Middleware:
        """The check as an aiohttp middleware."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path != DEVICE_LINK:
                self.check_host(request)
                self.check_origin(request)
            return await handler(request)

        return guard


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal `on_response_prepare`: the security headers, and no caching unless the answer says otherwise."""
    response.headers.update(HEADERS)
    response.headers.setdefault(
        hdrs.CACHE_CONTROL, "no-store" if request.path.startswith("/api/") else "no-cache"
    )
