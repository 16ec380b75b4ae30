"""The owner's login: who of the network is let in, and the few requests that decide it.

Whoever sits at the hub's machine needs none. Everybody else shows a cookie that the login set, or, as a
program, the password with each request (HTTP Basic, user `owner`), over TLS.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from minerva_hub.auth import Access, is_local, source
from minerva_hub.auth.owner import OWNER
from minerva_hub.auth.sessions import LIFE_S
from minerva_hub.errors import LoginError
from minerva_hub.events import Login
from minerva_hub.web import params
from minerva_hub.web.problems import ApiError, Handler

ACCESS = web.AppKey("access", Access)
COOKIE = "__Host-minerva"  # the prefix makes browsers insist on Secure, Path=/ and this host alone
LOGIN_PAGE = "/login"
LOGIN, LOGOUT = "/api/owner/login", "/api/owner/logout"
# All that somebody without a login may see: the login page and what it is made of.
PUBLIC = frozenset(
    {
        LOGIN_PAGE, "/page/css/base.css", "/page/css/login.css", "/page/js/login.js", "/page/js/api.js",
        "/page/js/dom.js", "/page/js/format.js", "/page/icon.svg", "/api/owner", LOGIN,
    }
)  # fmt: skip
PAGE = Path(__file__).parent.parent / "page"
MAX_BASIC = 2048  # characters of the header; the password has 256 at most


def doorkeeper(is_of_devices: Callable[[web.Request], bool]) -> Middleware:
    """The middleware that lets the owner in; `is_of_devices` tells requests in which devices show tokens."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_local(request) or is_of_devices(request) or request.path in PUBLIC:
            return await handler(request)
        with await _let_in(request):
            return await handler(request)

    return guarded


async def _let_in(request: web.Request) -> AbstractContextManager[None]:
    """What to hold while the request is served; LoginError, or the way to the login page."""
    access = request.app[ACCESS]
    login = await _login(request)
    if request.path == LOGOUT and login is not None:
        return nullcontext()  # what ends the login is not itself cut off
    if login is not None:
        return access.sessions.held(login.id_hash, _cut(request))
    given = request.headers.get(hdrs.AUTHORIZATION, "")
    if given:
        key = await access.owner.prove(_basic(given), source(request))
        return access.sessions.held(key, _cut(request))
    if request.path == "/" and request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
        raise web.HTTPSeeOther(LOGIN_PAGE)
    raise LoginError("the owner's login is needed here")


async def _login(request: web.Request) -> Login | None:
    return await request.app[ACCESS].sessions.find(request.cookies.get(COOKIE, ""))


def _cut(request: web.Request) -> Callable[[], None]:
    def cut() -> None:
        if request.transport is not None:
            request.transport.abort()

    return cut


def _basic(header: str) -> str:
    """The password of an Authorization header; LoginError where it is not Basic, or of somebody else."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > MAX_BASIC:
        raise LoginError(f"Authorization {scheme[:20]!r}: allowed is Basic, with user {OWNER!r}")
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise LoginError("the Authorization header is not Base64 of UTF-8") from None
    if user != OWNER:
        raise LoginError(f"there is no user {user[:40]!r}; the owner is called {OWNER!r}")
    return password


async def login_page(request: web.Request) -> web.StreamResponse:
    """The page that asks for the password; whoever is in already goes on to the page itself."""
    if is_local(request) or await _login(request) is not None:
        raise web.HTTPSeeOther("/")
    return web.FileResponse(PAGE / "login.html")


async def state(request: web.Request) -> web.Response:
    """Whether a password is set, whether this is a login, and, to the owner, which logins there are."""
    access = request.app[ACCESS]
    local = is_local(request)
    own = None if local else await _login(request)
    logins: list[Login] = await access.sessions.all() if local or own is not None else []
    said = params.OwnerState(
        password_set=await access.owner.is_set(),
        local=local,
        logged_in=own is not None,
        logins=tuple(
            params.LoginInfo(
                created_ms=login.created_ms,
                expires_ms=login.expires_ms,
                address=login.address,
                agent=login.agent,
                own=own is not None and login.id_hash == own.id_hash,
            )
            for login in logins
        ),
    )
    return web.Response(body=msgspec.json.encode(said), content_type="application/json")


async def log_in(request: web.Request) -> web.Response:
    """Set the cookie of a new login."""
    if is_local(request):
        raise ApiError(409, "local", "on the hub's own machine no login is needed")
    body = await params.parse_body(request, params.PasswordBody)
    access = request.app[ACCESS]
    password_hash = await access.owner.prove(body.password, source(request))
    agent = request.headers.get(hdrs.USER_AGENT, "")
    secret = await access.sessions.begin(password_hash, source(request), agent)
    response = web.Response(status=204)
    response.set_cookie(
        COOKIE, secret, max_age=LIFE_S, path="/", secure=True, httponly=True, samesite="Strict"
    )
    return response


async def log_out(request: web.Request) -> web.Response:
    """End this login, or all of them."""
    body = await params.parse_body(request, params.LogoutBody)
    access = request.app[ACCESS]
    own = await _login(request)
    response = web.Response(status=204)
    response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
    if body.everywhere:
        await access.sessions.end_all()
    elif own is not None:
        await access.sessions.end(own)
    return response


async def set_password(request: web.Request) -> web.Response:
    """Set the owner's password, on the hub's machine only: whoever sits there is the owner."""
    if not is_local(request):
        raise ApiError(403, "local_only", "the password is set on the hub's own machine")
    body = await params.parse_body(request, params.PasswordBody)
    access = request.app[ACCESS]
    await access.owner.set(body.password)
    access.sessions.cut_all()
    return web.Response(status=204)
