"""Puts the faces for people and programs on an application: guard, REST, document, page."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec
from aiohttp import web

from minerva_hub.auth import Access
from minerva_hub.bus import Bus
from minerva_hub.download import ModelJobs
from minerva_hub.events import HubHealth
from minerva_hub.store import Store
from minerva_hub.web import flasher
from minerva_hub.web.faces import FACES, Faces, FleetFace, Updating
from minerva_hub.web.guard import Guard, add_headers, is_of_devices
from minerva_hub.web.login import ACCESS, LOGIN_PAGE, PAGE, doorkeeper, login_page
from minerva_hub.web.openapi import document
from minerva_hub.web.problems import as_problems
from minerva_hub.web.routes import ROUTES, endpoint


def setup(
    app: web.Application,
    *,
    store: Store,
    bus: Bus,
    fleet: FleetFace,
    updates: Updating,
    models: ModelJobs,
    health: Callable[[], HubHealth],
    access: Access,
    names: Collection[str] = (),
) -> None:
    """Add the page at /, REST under /api and the guard of the whole application.

    `names` are the hub's own on the network. /api/events is in the document, but `minerva_hub.sse` serves it.
    """
    app[FACES] = Faces(store=store, bus=bus, fleet=fleet, updates=updates, models=models, health=health)
    app.middlewares.append(as_problems)
    app.middlewares.append(Guard(names).middleware)
    app[ACCESS] = access
    app.middlewares.append(doorkeeper(is_of_devices))
    app.on_response_prepare.append(add_headers)
    for route in ROUTES:
        if route.raw is not None:
            app.router.add_route(route.method, route.path, route.raw)
        elif route.handler is not None:
            app.router.add_route(route.method, route.path, endpoint(route))
    app.router.add_get("/api/openapi.json", _openapi)
    app.router.add_get("/", _index)
    app.router.add_get(LOGIN_PAGE, login_page)
    flasher.setup(app)
    app.router.add_static("/page", PAGE)


async def _openapi(request: web.Request) -> web.Response:
    described = document(ROUTES, request.app[FACES].health().version)
    return web.Response(body=msgspec.json.encode(described), content_type="application/json")


async def _index(request: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html")
