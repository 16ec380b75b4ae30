"""The table of routes: requests are dispatched from it and /api/openapi.json is generated from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from minerva_hub import events
from minerva_hub.auth import is_local
from minerva_hub.exports import Export
from minerva_hub.releases import BUNDLE, MANIFEST, SIGNATURE
from minerva_hub.web import handlers, login, models, params, updates, uploads
from minerva_hub.web import update_params as shapes
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
    handler: Callable[[Any], Awaitable[Any]] | None = None  # None: `raw` does, or another face
    raw: Handler | None = None  # answers the request itself, as what it does to cookies is no JSON
    form: tuple[str, ...] = ()  # the files that its body carries as multipart/form-data


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


def _owner(
    method: str, path: str, raw: Handler, answer: Any, *errors: int, body: type[params.Params] | None = None
) -> Route:
    name = f"owner_{raw.__name__}"
    return Route(method, path, name, raw.__doc__ or name, answer, errors, body_type=body, raw=raw)


_SESSION: dict[str, Any] = {"path_type": params.SessionPath}
_DEVICE: dict[str, Any] = {"path_type": params.DevicePath}
_MODEL: dict[str, Any] = {"path_type": models.ModelPath}
_ITEM: dict[str, Any] = {"path_type": shapes.ItemPath}

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
    _owner("GET", "/api/owner", login.state, params.OwnerState),
    _owner("POST", login.LOGIN, login.log_in, None, 409, 429, body=params.PasswordBody),
    _owner("POST", login.LOGOUT, login.log_out, None, body=params.LogoutBody),
    _owner("POST", "/api/owner/password", login.set_password, None, 409, body=params.PasswordBody),
    _route(
        "GET", "/api/devices/{id}/updates", updates.device_updates, shapes.DeviceUpdates, 404, **_DEVICE
    ),
    _route("GET", "/api/releases", updates.releases, shapes.ReleaseList),
    Route(
        "POST", "/api/releases", "upload_release", uploads.upload.__doc__ or "", events.Release,
        (408, 409, 413, 415, 422), raw=uploads.upload, form=(MANIFEST, SIGNATURE, BUNDLE),
    ),
    _route("GET", "/api/releases/refused", updates.refused_releases, shapes.RefusedList),
    _route("DELETE", "/api/releases/{id}", updates.delete_release, None, 404, 409, **_ITEM),
    _route("GET", "/api/keyset", updates.keyset, shapes.KeysState),
    _route(
        "PUT", "/api/keyset", updates.set_keyset, shapes.KeysState, 403, 409, 422, body_type=shapes.KeysBody
    ),
    _route("GET", "/api/groups", updates.groups, shapes.GroupList),
    _route(
        "PUT", "/api/groups/{name}", updates.set_group, events.Group, 404, 409,
        path_type=shapes.GroupPath, body_type=shapes.GroupBody,
    ),
    _route("DELETE", "/api/groups/{name}", updates.delete_group, None, 404, path_type=shapes.GroupPath),
    _route("GET", "/api/rollouts", updates.rollouts, shapes.RolloutList),
    _route(
        "POST", "/api/rollouts", updates.start_rollout, events.Rollout, 404, 409, body_type=shapes.RolloutBody
    ),
    _route("GET", "/api/rollouts/{id}", updates.rollout, shapes.RolloutDetails, 404, **_ITEM),
    *(
        _route(
            "POST", f"/api/rollouts/{{id}}/{wish}", handler, events.Rollout, 404, 409,
            **_ITEM, body_type=params.Nothing,
        )
        for wish, handler in (
            ("pause", updates.pause_rollout), ("resume", updates.resume_rollout),
            ("stop", updates.stop_rollout),
        )
    ),
    _route("GET", "/api/models", models.models, models.ModelList, 409),
    *(
        _route(
            "POST", f"/api/models/{{name}}/{wish}", handler, events.ModelInfo, 404, 409,
            **_MODEL, body_type=params.Nothing,
        )
        for wish, handler in (
            ("pull", models.pull_model), ("verify", models.verify_model), ("cancel", models.cancel_model),
        )
    ),
    _route("DELETE", "/api/models/{name}", models.remove_model, None, 404, 409, **_MODEL),
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
            local=is_local(request),
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
