"""The table of routes: requests are dispatched from it and /api/openapi.json is generated from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from minerva_hub import events
from minerva_hub.exports import Export
from minerva_hub.web import handlers, params
from minerva_hub.web.faces import FACES
from minerva_hub.web.problems import Handler


@dataclass(frozen=True)
class Route:
    """One operation. `answer` is what a success carries; `media` its content types where it is not JSON."""

    method: str
    path: str
    name: str
    summary: str
    answer: Any
    errors: tuple[int, ...] = ()
    path_type: type[params.Params] = params.Nothing
    query_type: type[params.Params] = params.Nothing
    body_type: type[params.Params] | None = None
    media: tuple[str, ...] = ("application/json",)
    handler: Callable[[Any], Awaitable[Any]] | None = None  # None: another face answers it


def _route(
    method: str,
    path: str,
    handler: Callable[[Any], Awaitable[Any]],
    answer: Any,
    *errors: int,
    **types: Any,
) -> Route:
    name = handler.__name__
    return Route(method, path, name, handler.__doc__ or name, answer, errors, handler=handler, **types)


_SESSION: dict[str, Any] = {"path_type": params.SessionPath}
_DEVICE: dict[str, Any] = {"path_type": params.DevicePath}

ROUTES: tuple[Route, ...] = (
    _route("GET", "/api/health", handlers.health, events.HubHealth),
    _route("GET", "/api/devices", handlers.devices, params.DeviceList),
    _route(
        "POST", "/api/devices/{id}/mute", handlers.mute, events.DeviceInfo, 404, 409,
        **_DEVICE, body_type=params.MuteBody,
    ),
    _route(
        "POST", "/api/devices/{id}/mode", handlers.mode, events.DeviceInfo, 404, 409,
        **_DEVICE, body_type=params.ModeBody,
    ),
    _route("GET", "/api/sessions", handlers.sessions, params.SessionPage, query_type=params.SessionQuery),
    _route("GET", "/api/sessions/{id}", handlers.session, events.Session, 404, **_SESSION),
    _route("DELETE", "/api/sessions/{id}", handlers.delete_session, None, 404, **_SESSION),
    _route(
        "POST", "/api/sessions/{id}/end", handlers.end_session, events.Session, 404, 409,
        **_SESSION, body_type=params.Nothing,
    ),
    _route(
        "GET", "/api/sessions/{id}/export", handlers.export_session, Export, 404,
        **_SESSION, query_type=params.ExportQuery,
        media=("text/plain", "application/x-subrip", "text/vtt", "application/json"),
    ),
    _route(
        "GET", "/api/utterances", handlers.utterances, params.UtterancePage,
        query_type=params.UtteranceQuery,
    ),
    _route("GET", "/api/sounds", handlers.sounds, params.SoundList, query_type=params.Range),
    _route("GET", "/api/gaps", handlers.gaps, params.GapList, query_type=params.GapQuery),
    Route(
        "GET", "/api/events", "live_events",
        "Live events (server-sent): `event:` is the record's type, `data:` the record; a snapshot first.",
        events.StreamEvent, (503,), media=("text/event-stream",),
    ),
)  # fmt: skip


def endpoint(route: Route) -> Handler:
    """The aiohttp handler of a route: parse, call, encode."""
    handler = route.handler
    assert handler is not None  # noqa: S101 - only called for routes that have one

    async def serve(request: web.Request) -> web.StreamResponse:
        call = handlers.Call(
            request.app[FACES],
            params.parse_path(request, route.path_type),
            params.parse_query(request, route.query_type),
            await params.parse_body(request, route.body_type) if route.body_type else None,
        )
        answer = await handler(call)
        if answer is None:
            return web.Response(status=204)
        if isinstance(answer, Export):
            return _attachment(answer)
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    return serve


def _attachment(file: Export) -> web.Response:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in file.filename)
    return web.Response(
        body=file.body.encode(),
        headers={
            "Content-Type": file.content_type,
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )
