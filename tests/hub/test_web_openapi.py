"""The contract: every route's real answers, and its refusals, are what /api/openapi.json says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ddi_hub import new_release
from minerva_hub.auth import hash_token
from minerva_hub.events import DeviceRecord, Feedback, Gap, Level, NewSound, RefusedRelease, Speaking
from minerva_hub.store.campaigns import NewRollout
from minerva_hub.web.routes import ROUTES, Route
from web_fakes import TestHub, device, now_ms, running

from tests.fakes.file_server import file_server
from tests.fakes.model_list import listed, table
from tests.fakes.ota_release import OWNER, keyset

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip
KNOWN = {  # keywords that `fits` understands; another one in the document fails the test
    "$ref", "anyOf", "type", "enum", "properties", "required", "items", "additionalProperties", "minimum",
    "maximum", "minLength", "maxLength", "pattern", "default", "title", "description", "discriminator",
}  # fmt: skip


class Document:
    """The OpenAPI document, able to say whether a value fits a schema."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def fits(self, value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
        """What is wrong with `value`; empty when it fits. Unknown properties are wrong."""
        assert set(schema) <= KNOWN, set(schema) - KNOWN
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/components/schemas/")
            return self.fits(value, self.raw["components"]["schemas"][name], at)
        if "anyOf" in schema:
            tried = [self.fits(value, one, at) for one in schema["anyOf"]]
            return [] if [] in tried else [f"{at}: fits none: {tried}"]
        if "enum" in schema:
            return [] if value in schema["enum"] else [f"{at}: {value!r} not in {schema['enum']}"]
        kind = schema.get("type")
        if kind and (not isinstance(value, TYPES[kind]) or (kind != "boolean" and isinstance(value, bool))):
            return [f"{at}: {value!r} is not {kind}"]
        if kind == "object":
            return self._object(value, schema, at)
        if kind == "array":
            return [
                wrong
                for i, one in enumerate(value)
                for wrong in self.fits(one, schema["items"], f"{at}[{i}]")
            ]
        return []

    def _object(self, value: dict[str, Any], schema: dict[str, Any], at: str) -> list[str]:
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        wrong = [f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, one in value.items():
            if name in known:
                wrong += self.fits(one, known[name], f"{at}.{name}")
            elif isinstance(rest, dict):
                wrong += self.fits(one, rest, f"{at}.{name}")
            else:
                wrong.append(f"{at}.{name} is not in the document")
        return wrong

    def check(self, route: Route, status: int, media: str, value: Any) -> None:
        """Assert that an answer of a route is documented and fits."""
        responses = self.raw["paths"][route.path][route.method.lower()]["responses"]
        assert str(status) in responses, f"{route.method} {route.path} answered {status}: undocumented"
        content = responses[str(status)].get("content")
        if content is None:
            assert value is None
            return
        assert media in content, f"{route.method} {route.path} answered {media}: undocumented"
        assert self.fits(value, content[media]["schema"]) == []


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TestHub]:
    async with file_server() as server, running(tmp_path) as running_hub:
        server.put("/resolve/main/net", b"network", stall_after=3)
        listed(monkeypatch, table("all", server.url, 'name = "net"', 'name = "more"'))
        (tmp_path / "models" / "all").mkdir(parents=True)
        for name in ("net", "more"):
            (tmp_path / "models" / "all" / name).write_bytes(b"network")
        running_hub.fleet.add(device(drops={"packets": 3}, since_ms=1, board="virtual"))
        session = await running_hub.store.begin_session("kitchen", "Kitchen", now_ms())
        await running_hub.say(session.id, "Speaker A", "hello there")
        sound = NewSound(device="kitchen", room="Kitchen", label="bark", score=0.5, start_ms=1, end_ms=2)
        await running_hub.store.add_sound(sound)
        await running_hub.store.add_gap(Gap(device="kitchen", start_ms=1, end_ms=2, packets=1, reason="lost"))
        await with_updates(running_hub)
        yield running_hub


async def with_updates(hub: TestHub) -> None:
    """Two releases, the first of which a rollout brings to the kitchen, and a group."""
    record = DeviceRecord(id="kitchen", room="Kitchen", token_hash=hash_token("secret"), created_ms=0)
    await hub.store.add_device(record)
    updates = hub.store.updates
    for version in ("1", "2"):
        await updates.add_release(new_release(version, version * 64, {"files.bin": b"x"}))
    await updates.set_group("all", ["kitchen"])
    await updates.add_refused(RefusedRelease(at_ms=1, code="expired", message="it expired"))
    rollout = NewRollout(
        release=1, target="all devices", success_percent=75, error_percent=20, silent_s=3600,
        stages=(("kitchen", 0),), skipped={"study": "runs rust"},
    )  # fmt: skip
    await updates.add_rollout(rollout)
    action = (await updates.work("kitchen")).action or 0
    await updates.take("kitchen", action)
    said = Feedback(action=action, at_ms=2, execution="proceeding", finished="none", details=("fetching",))
    await updates.tell("kitchen", said)
    await updates.set_attributes("kitchen", {"board": "virtual"})


async def document(hub: TestHub) -> Document:
    return Document(await (await hub.client.get("/api/openapi.json")).json())


BODIES = {
    "mute": {"on": True}, "mode": {"mode": "events"}, "set_keyset": {"text": keyset(OWNER).decode()},
    "set_group": {"devices": ["kitchen"]}, "start_rollout": {"release": 1, "target": {"group": "all"}},
}  # fmt: skip
UNKNOWN = BODIES | {"set_group": {"devices": ["attic"]}, "start_rollout": {"release": 999}}
REST = [route for route in ROUTES if route.handler is not None]


def address(route: Route, known: bool) -> str:
    device_id, number, name = ("kitchen", "1", "all") if known else ("attic", "999", "none")
    if known and route.name == "delete_release":
        number = "2"  # a rollout uses the first one
    path = route.path.replace("{name}", name)
    return path.replace("{id}", device_id if "/devices/" in path else number)


@pytest.mark.parametrize("route", REST, ids=lambda route: route.name)
async def test_a_success_is_as_documented(hub: TestHub, route: Route) -> None:
    said = await document(hub)
    if route.name == "resume_rollout":
        await hub.client.post("/api/rollouts/1/pause", json={})
    if route.name == "cancel_model":
        await hub.client.post("/api/models/all/pull", json={})
    response = await hub.client.request(
        route.method, address(route, True), json=BODIES.get(route.name, {}) if route.body_type else None
    )
    assert response.status in (200, 204)
    text = await response.text()
    value = None if response.status == 204 else text
    if response.content_type == "application/json":
        value = json.loads(text)
    said.check(route, response.status, response.content_type, value)


def refusals() -> list[Any]:
    """Each route with each way in which it can be asked wrongly."""
    found = []
    for route in REST:
        kinds = ["bad query", "other host"]
        kinds += ["unknown thing"] if "{" in route.path or route.name in {"start_rollout"} else []
        kinds += ["bad body", "wrong type"] if route.body_type else []
        found += [pytest.param(route, what, id=f"{route.name}-{what}") for what in kinds]
    return found


@pytest.mark.parametrize(("route", "what"), refusals())
async def test_a_refusal_is_as_documented(hub: TestHub, route: Route, what: str) -> None:
    path, headers, data = address(route, True), {"Content-Type": "application/json"}, b"{}"
    if what == "unknown thing":
        path = address(route, False)
    elif what == "bad query":
        path += "?nonsense=1"
    elif what == "other host":
        headers["Host"] = "evil.example"
    elif what == "bad body":
        data = b'{"nonsense": 1}'
    else:
        headers["Content-Type"] = "text/plain"
    if what == "unknown thing" and route.name in UNKNOWN:
        data = json.dumps(UNKNOWN[route.name]).encode()
    response = await hub.client.request(
        route.method, path, data=data if route.body_type else None, headers=headers
    )
    assert response.status >= 400
    problem = await response.json(content_type=None)
    assert set(problem) == {"code", "message"}
    (await document(hub)).check(route, response.status, response.content_type, problem)


async def test_events_are_as_documented(hub: TestHub) -> None:
    said = await document(hub)
    (route,) = [route for route in ROUTES if route.name == "live_events"]
    async with hub.client.get(route.path) as response:
        hub.bus.publish(Level(device="kitchen", rms_db=-40.0, peak_db=-20.0, at_ms=1))
        hub.bus.publish(Speaking(device="kitchen", room="Kitchen", state="idle", since_ms=1))
        await hub.say(1, "Speaker B", "and again")
        seen = 0
        while seen < 4:
            line = (await response.content.readline()).decode()
            if line.startswith("data: "):
                said.check(route, 200, "text/event-stream", json.loads(line.removeprefix("data: ")))
                seen += 1


async def test_all_that_is_served_under_api_is_documented(hub: TestHub) -> None:
    said = await document(hub)
    served = {
        (route.method, route.resource.canonical)
        for route in hub.client.app.router.routes()  # type: ignore[union-attr]
        if route.resource and route.resource.canonical.startswith("/api/") and route.method != "HEAD"
    }
    documented = {(method.upper(), path) for path, item in said.raw["paths"].items() for method in item}
    assert served - {("GET", "/api/openapi.json")} == documented


async def test_parameters_bodies_and_references(hub: TestHub) -> None:
    said = await document(hub)
    listed = said.raw["paths"]["/api/utterances"]["get"]["parameters"]
    limit = next(one for one in listed if one["name"] == "limit")
    assert limit["in"] == "query" and not limit["required"]
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}
    assert {one["name"] for one in listed} == {
        "q", "session", "since", "until", "device", "speaker", "limit", "before", "after",
    }  # fmt: skip
    path = said.raw["paths"]["/api/devices/{id}/mode"]["post"]
    assert [(one["name"], one["in"], one["required"]) for one in path["parameters"]] == [("id", "path", True)]
    assert path["requestBody"]["required"]
    text = json.dumps(said.raw)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(said.raw["components"]["schemas"])
    operations = [op["operationId"] for item in said.raw["paths"].values() for op in item.values()]
    assert len(operations) == len(set(operations))


def test_the_checker_itself_finds_faults() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    checker = Document({})
    assert checker.fits({"a": 1}, schema) == []
    for wrong in ({}, {"a": "1"}, {"a": True}, {"a": 1, "b": 2}, []):
        assert checker.fits(wrong, schema)
