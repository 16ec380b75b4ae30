"""The route of /link: negotiates the protocol and runs a Link."""

from __future__ import annotations

from aiohttp import WSCloseCode, web
from minerva import messages, wire

from minerva_hub.link.hub import MAX_LINKS, LinkHub
from minerva_hub.link.socket import HEARTBEAT_S, MAX_FRAME, Link

_HUB = web.AppKey("link_hub", LinkHub)


class _OpenLinks(set[Link]):
    """The links that are open."""


_OPEN = web.AppKey("open_links", _OpenLinks)


def setup(app: web.Application, hub: LinkHub) -> None:
    """Add /link to the application; open links are told and closed when it stops."""
    app[_HUB] = hub
    app[_OPEN] = _OpenLinks()
    app.router.add_get("/link", _link)
    app.on_shutdown.append(_close_all)


async def _link(request: web.Request) -> web.WebSocketResponse:
    hub = request.app[_HUB]
    ws = web.WebSocketResponse(
        protocols=(wire.SUBPROTOCOL,), heartbeat=HEARTBEAT_S, max_msg_size=MAX_FRAME, compress=False
    )
    await ws.prepare(request)
    if ws.ws_protocol != wire.SUBPROTOCOL:
        offered = ascii(request.headers.get("Sec-WebSocket-Protocol", "none")[:40])
        await _refuse(
            ws, "unsupported_version", f"subprotocol {offered} offered; {wire.SUBPROTOCOL} is spoken"
        )
        return ws
    if len(request.app[_OPEN]) >= MAX_LINKS:
        hub.drops["overloaded"] += 1
        await _refuse(ws, "overloaded", f"this hub holds {MAX_LINKS} links already; try later")
        return ws
    link = Link(ws, hub, request)
    request.app[_OPEN].add(link)
    try:
        await link.run()
    finally:
        request.app[_OPEN].discard(link)
    return ws


async def _refuse(ws: web.WebSocketResponse, code: str, text: str) -> None:
    await ws.send_str(messages.encode_message(messages.error_message(code, text, True), messages.FROM_HUB))
    await ws.close(code=WSCloseCode.POLICY_VIOLATION, message=code.encode())


async def _close_all(app: web.Application) -> None:
    links = app[_OPEN]
    for link in tuple(links):
        link.close("overloaded", "the hub is stopping; try again")
