"""Puts the faces for people and programs on an application: guard, REST, document, page."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import msgspec
from aiohttp import web

from minerva_hub.bus import Bus
from minerva_hub.events import HubHealth
from minerva_hub.store import Store
from minerva_hub.web.faces import FACES, Faces, FleetFace
from minerva_hub.web.guard import Guard, add_headers
from minerva_hub.web.openapi import document
from minerva_hub.web.problems import as_problems
from minerva_hub.web.routes import ROUTES, endpoint

PAGE = Path(__file__).parent.parent / "page"


def setup(
    app: web.Application,
    *,
    store: Store,
    bus: Bus,
    fleet: FleetFace,
    health: Callable[[], HubHealth],
    names: Collection[str] = (),
) -> None:
    """Add the page at /, REST under /api and the guard of the whole application.

    `names` are the hub's own on the network. /api/events is in the document, but `minerva_hub.sse` serves it.
    """
    app[FACES] = Faces(store=store, bus=bus, fleet=fleet, health=health)
    app.middlewares.append(as_problems)
    app.middlewares.append(Guard(names).middleware)
    app.on_response_prepare.append(add_headers)
    for route in ROUTES:
        if route.handler is not None:
            app.router.add_route(route.method, route.path, endpoint(route))
    app.router.add_get("/api/openapi.json", _openapi)
    app.router.add_get("/", _index)
    app.router.add_static("/page", PAGE)


async def _openapi(request: web.Request) -> web.Response:
    described = document(ROUTES, request.app[FACES].health().version)
    return web.Response(body=msgspec.json.encode(described), content_type="application/json")


async def _index(request: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html")
