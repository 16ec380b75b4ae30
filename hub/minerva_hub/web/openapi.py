"""/api/openapi.json, generated from the table of routes and the types that parse and answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from minerva_hub.web import uploads
from minerva_hub.web.login import COOKIE
from minerva_hub.web.params import Nothing
from minerva_hub.web.problems import Problem
from minerva_hub.web.routes import Route

_TEMPLATE = "#/components/schemas/{name}"
_ALWAYS = {  # what any request may be answered with
    400: "A parameter or the body is not what is allowed",
    401: "The owner's login is needed, or is wrong; never on the hub's own machine",
    403: "Another site's page asked, or this is done on the hub's own machine only",
    421: "The Host header names another host",
    500: "The hub failed; its log says why",
    503: "The database, or a free place, is not to be had now",
}
_SOMETIMES = _ALWAYS | {
    404: "There is no such thing",
    409: "What is asked is not possible now, and why",
    408: "The body stopped coming",
    413: "The body is too long",
    415: "The body has another content type",
    422: "The release, or key set, is refused: the code is one of docs/ota.md",
    429: "Too many wrong attempts; Retry-After says when the next is heard",
}
_OF_BODIES = {413: "The body is too long", 415: "The body is not JSON"}


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `routes`."""
    routes = tuple(routes)
    shown = [r.answer for r in routes if _is_json(r)] + [r.body_type for r in routes if r.body_type]
    asked = [t for r in routes for t in (r.path_type, r.query_type)]
    _, components = msgspec.json.schema_components([*shown, *asked, Problem], ref_template=_TEMPLATE)
    _, kept = msgspec.json.schema_components([*shown, Problem], ref_template=_TEMPLATE)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Minerva hub",
            "version": version,
            "description": "Who said what, on your own network. Times are Unix milliseconds UTC.",
        },
        "security": [{}, {"login": []}, {"password": []}],
        "paths": paths,
        "components": {
            "schemas": kept,
            "securitySchemes": {
                "login": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "password": {"type": "http", "scheme": "basic", "description": "User `owner`, over TLS."},
            },
        },
    }


def _is_json(route: Route) -> bool:
    return route.answer is not None and route.media[0] in ("application/json", "text/event-stream")


def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_TEMPLATE)
    return schema


def _operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [
            *_parameters(route.path_type, "path", components),
            *_parameters(route.query_type, "query", components),
        ],
        "responses": _responses(route),
    }
    if route.form:
        files = {
            name: {"type": "string", "contentMediaType": "application/octet-stream"} for name in route.form
        }
        form = {"type": "object", "properties": files, "required": list(route.form)}
        operation["requestBody"] = {"required": True, "content": {uploads.FORM: {"schema": form}}}
    if route.body_type is not None:
        operation["requestBody"] = {
            "required": route.body_type is not Nothing,
            "content": {"application/json": {"schema": _schema(route.body_type)}},
        }
    return operation


def _parameters(kind: Any, place: str, components: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, schema in components[kind.__name__]["properties"].items():
        given = {key: schema[key] for key in schema if key not in ("default", "description", "anyOf")}
        options = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
        if options:
            given |= options[0]
        described = given.pop("description", None) or schema.get("description")
        if schema.get("default") is not None:
            given["default"] = schema["default"]
        found.append(
            {"name": name, "in": place, "required": place == "path", "schema": given}
            | ({"description": described} if described else {})
        )
    return found


def _responses(route: Route) -> dict[str, Any]:
    if route.answer is None:
        success: dict[str, Any] = {"204": {"description": "Done"}}
    else:
        schema = _schema(route.answer) if _is_json(route) else {"type": "string"}
        success = {
            "200": {"description": "Done", "content": {media: {"schema": schema} for media in route.media}}
        }
    problems = _ALWAYS | {status: _SOMETIMES[status] for status in route.errors}
    if route.body_type is not None:
        problems |= _OF_BODIES
    return success | {
        str(status): {
            "description": text,
            "content": {"application/problem+json": {"schema": _schema(Problem)}},
        }
        for status, text in sorted(problems.items())
    }
