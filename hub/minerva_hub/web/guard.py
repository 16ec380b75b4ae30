"""Who may ask: host names against DNS rebinding, origins against forged requests, headers on every answer.

What keeps a foreign web page out is the browser: it names the host it believes to talk to, and the origin
that asks. Programs without a browser send neither a foreign name nor an origin.
"""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from yarl import URL

from minerva_hub.auth import is_local
from minerva_hub.config import is_address, is_loopback
from minerva_hub.web.problems import ApiError, Handler

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
# The page that flashes boards runs ESP Web Tools, which makes elements from text and styles them in place. It
# shows nothing that somebody else wrote but names and versions of signed releases.
FLASHER = "/flasher"
FLASHER_CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
DEVICE_UPDATES = "/default/"  # the update server's resources, likewise
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
UPLOAD = (hdrs.METH_POST, "/api/releases")  # takes files rather than JSON
SAFE = {hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS}


def is_of_devices(request: web.Request) -> bool:
    """Whether a request is for what devices use, who show their token, rather than for the owner."""
    resource = request.match_info.route.resource
    return resource is not None and (
        resource.canonical == DEVICE_LINK or resource.canonical.startswith(DEVICE_UPDATES)
    )


class Guard:
    """Checks each request; `names` are the hub's own on the network."""

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = LOCAL_NAMES | {name.lower() for name in names}

    def check_host(self, request: web.Request) -> None:
        """Raise ApiError where the Host header names a host that is not this one."""
        try:
            host = (URL(f"http://{request.host}").host or "").lower()
        except ValueError:
            host = ""
        local = is_local(request)
        # On the network any bare address is fine too: a rebinding attack needs a name of its own.
        if is_loopback(host) if local else host in self._names or is_address(host):
            return
        allowed = LOCAL_NAMES if local else self._names
        raise ApiError(
            421,
            "host",
            f"the host {request.host[:100]!r} is not this hub; allowed are {', '.join(sorted(allowed))}",
        )

    def check_origin(self, request: web.Request) -> None:
        """Raise ApiError where another site's page wants to change something."""
        if request.method in SAFE:
            return
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and origin != f"{request.scheme}://{request.host}":
            raise ApiError(403, "origin", f"pages of {origin[:100]!r} may not change this hub")
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise ApiError(403, "origin", "pages of other sites may not change this hub")
        # A browser asks the hub before it sends JSON or DELETE for another site, and the hub never agrees. Of
        # files it does not ask, but it names the origin.
        if (request.method, request.path) == UPLOAD:
            return
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
            if not is_of_devices(request):
                self.check_host(request)
                self.check_origin(request)
            return await handler(request)

        return guard


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal `on_response_prepare`: the security headers, and no caching unless the answer says otherwise.

    Devices show nothing and count every byte, so their answers go without.
    """
    if is_of_devices(request):
        return
    response.headers.update(HEADERS)
    if request.path == FLASHER:
        response.headers["Content-Security-Policy"] = FLASHER_CSP
    response.headers.setdefault(
        hdrs.CACHE_CONTROL, "no-store" if request.path.startswith("/api/") else "no-cache"
    )
