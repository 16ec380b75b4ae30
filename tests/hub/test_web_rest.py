"""REST: what is asked is answered from the store and the fleet, and what cannot be says why."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from minerva_hub.errors import StoreFullError
from minerva_hub.events import Gap, NewSound, SessionRemoved
from minerva_hub.web import handlers, params
from web_fakes import DAY_MS, TestHub, device, now_ms, running


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running(tmp_path) as running_hub:
        running_hub.fleet.add(device(), device("office", "Office", mute="button"))
        yield running_hub


async def get(hub: TestHub, path: str, status: int = 200) -> Any:
    response = await hub.client.get(path)
    body = await response.json(content_type=None)
    assert response.status == status, body
    kind = "application/json" if status < 300 else "application/problem+json"
    assert response.content_type == kind
    return body


async def post(hub: TestHub, path: str, body: object, status: int = 200) -> Any:
    response = await hub.client.post(path, json=body)
    answer = await response.json(content_type=None)
    assert response.status == status, answer
    return answer


async def conversation(hub: TestHub, start_ms: int | None = None, lines: int = 3) -> int:
    start = start_ms or now_ms() - 60_000
    session = await hub.store.begin_session("kitchen", "Kitchen", start)
    for n in range(lines):
        await hub.say(session.id, f"Speaker {'AB'[n % 2]}", f"apples number {n}", start_ms=start + n * 2000)
    return session.id


async def test_health_and_devices(hub: TestHub) -> None:
    health = await get(hub, "/api/health")
    assert [one["stage"] for one in health["engines"]] == ["speech", "transcribe", "diarize"]
    devices = await get(hub, "/api/devices")
    assert [one["id"] for one in devices["items"]] == ["kitchen", "office"]
    assert devices["items"][1]["mute"] == "button"


async def test_mute_and_mode_reach_the_fleet(hub: TestHub) -> None:
    assert (await post(hub, "/api/devices/kitchen/mute", {"on": True}))["mute"] == "hub"
    assert hub.fleet.infos["kitchen"].mute == "hub"
    assert (await post(hub, "/api/devices/kitchen/mute", {"on": False}))["mute"] == "off"
    assert (await post(hub, "/api/devices/kitchen/mode", {"mode": "events"}))["mode"] == "events"
    assert hub.fleet.infos["kitchen"].mode == "events"


async def test_what_the_fleet_refuses_is_explained(hub: TestHub) -> None:
    button = await post(hub, "/api/devices/office/mute", {"on": False}, 409)
    assert button == {
        "code": "refused",
        "message": "office was muted at its button; only the button ends that",
    }
    above = await post(hub, "/api/devices/kitchen/mode", {"mode": "full"}, 409)
    assert "above the ceiling speech" in above["message"]
    assert (await post(hub, "/api/devices/attic/mute", {"on": True}, 404))["code"] == "unknown_device"
    hub.fleet.add(device("hall", "Hall", online=False))
    assert (await post(hub, "/api/devices/hall/mute", {"on": True}, 409))["code"] == "timeout"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"on": "yes"}', ["Expected `bool`, got `str`", "$.on", '"yes"']),
        (b"{}", ["missing required field `on`", "allowed are: on"]),
        (b'{"on": true, "off": 1}', ["unknown field `off`", "allowed are: on"]),
        (b"[]", ["Expected `object`, got `array`"]),
    ],
)
async def test_bodies_are_checked(hub: TestHub, body: bytes, says: list[str]) -> None:
    response = await hub.client.post(
        "/api/devices/kitchen/mute", data=body, headers={"Content-Type": "application/json"}
    )
    problem = await response.json(content_type=None)
    assert (response.status, problem["code"]) == (400, "body")
    for text in says:
        assert text in problem["message"]
    assert hub.fleet.infos["kitchen"].mute == "off"


async def test_bodies_are_json_and_bounded(hub: TestHub) -> None:
    headers = {"Content-Type": "application/json"}
    broken = await hub.client.post("/api/devices/kitchen/mute", data=b'{"on": tru', headers=headers)
    assert (broken.status, (await broken.json(content_type=None))["code"]) == (400, "json")
    long = await hub.client.post("/api/devices/kitchen/mute", data=b" " * 5000, headers=headers)
    problem = await long.json(content_type=None)
    assert (long.status, problem["code"]) == (413, "body_size")
    assert "5000" in problem["message"] and str(params.MAX_BODY) in problem["message"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=501", ["limit='501'", "<= 500"]),
        ("limit=0", ["limit='0'", ">= 1"]),
        ("limit=many", ["limit='many'", "int"]),
        ("since=-1", ["since='-1'", ">= 0"]),
        ("q=" + "x" * 201, ["q=", "<= 200"]),
        ("colour=red", ["colour", "allowed are", "session"]),
        ("limit=1&limit=2", ["'limit' is given twice"]),
        ("before=1&after=1", ["either before or after"]),
    ],
)
async def test_queries_are_checked(hub: TestHub, query: str, says: list[str]) -> None:
    problem = await get(hub, f"/api/utterances?{query}", 400)
    assert problem["code"] == "query"
    for text in says:
        assert text in problem["message"]


async def test_sessions_page_by_page(hub: TestHub) -> None:
    ids = [await conversation(hub, now_ms() - (10 - n) * 100_000, 1) for n in range(5)]
    seen: list[int] = []
    page = await get(hub, "/api/sessions?limit=2")
    while True:
        seen += [one["id"] for one in page["items"]]
        if page["before"] is None:
            break
        page = await get(hub, f"/api/sessions?limit=2&before={page['before']}")
    assert seen == ids[::-1]


async def test_sessions_of_a_day_in_the_hubs_zone(hub: TestHub) -> None:
    noon = dt.datetime(2026, 3, 29, 12).timestamp()  # local time: a day of 23 hours in much of Europe
    inside = await conversation(hub, int(noon * 1000))
    session = await hub.store.end_session(inside, int(noon * 1000) + 9000)
    await conversation(hub, session.start_ms + DAY_MS)
    found = await get(hub, "/api/sessions?day=2026-03-29")
    assert [one["id"] for one in found["items"]] == [inside]
    assert "no such day" in (await get(hub, "/api/sessions?day=2026-02-30", 400))["message"]
    assert "allowed is YYYY-MM-DD" in (await get(hub, "/api/sessions?day=0001-01-01", 400))["message"]
    assert "either day" in (await get(hub, "/api/sessions?day=2026-03-29&since=1", 400))["message"]


async def test_one_session_or_none(hub: TestHub) -> None:
    id_ = await conversation(hub)
    assert (await get(hub, f"/api/sessions/{id_}"))["speakers"] == ["Speaker A", "Speaker B"]
    assert (await get(hub, "/api/sessions/999", 404))["code"] == "unknown_session"
    assert "id='x'" in (await get(hub, "/api/sessions/x", 400))["message"]


async def test_utterances_by_text_session_speaker_and_after(hub: TestHub) -> None:
    one, two = await conversation(hub), await conversation(hub)
    assert len((await get(hub, "/api/utterances"))["items"]) == 6
    found = await get(hub, f"/api/utterances?q=appl%20numb&session={two}&speaker=Speaker%20B")
    assert found["items"] == []  # only the last word may be a beginning
    found = await get(hub, f"/api/utterances?q=apples%20numb&session={two}&speaker=Speaker%20B")
    assert [line["text"] for line in found["items"]] == ["apples number 1"]
    page = await get(hub, f"/api/utterances?session={one}&limit=2")
    assert [line["text"][-1] for line in page["items"]] == ["1", "2"]
    older = await get(hub, f"/api/utterances?session={one}&limit=2&before={page['before']}")
    assert [line["text"][-1] for line in older["items"]] == ["0"]
    assert older["before"] is None
    newer = await get(hub, f"/api/utterances?after={page['items'][1]['id']}")
    assert {line["session_id"] for line in newer["items"]} == {two}


async def test_sounds_and_gaps(hub: TestHub) -> None:
    sound = NewSound(
        device="kitchen", room="Kitchen", label="doorbell", score=0.9, start_ms=1000, end_ms=1500
    )
    await hub.store.add_sound(sound)
    await hub.store.add_gap(Gap(device="kitchen", start_ms=2000, end_ms=3000, packets=5, reason="lost"))
    assert [one["label"] for one in (await get(hub, "/api/sounds?since=1000&until=1001"))["items"]] == [
        "doorbell"
    ]
    assert (await get(hub, "/api/sounds?until=1000"))["items"] == []
    assert [one["packets"] for one in (await get(hub, "/api/gaps?device=kitchen"))["items"]] == [5]
    assert (await get(hub, "/api/gaps?since=3000"))["items"] == []


@pytest.mark.parametrize("fmt", ["txt", "srt", "vtt", "json", "rttm"])
async def test_exports_are_files_with_every_line(
    hub: TestHub, fmt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "EXPORT_PAGE", 2)
    id_ = await conversation(hub, lines=5)
    response = await hub.client.get(f"/api/sessions/{id_}/export?format={fmt}")
    assert response.status == 200
    assert response.headers["Content-Disposition"].startswith('attachment; filename="')
    assert response.headers["Content-Disposition"].endswith(f'.{fmt}"')
    body = await response.text()
    if fmt == "json":
        assert len(json.loads(body)["utterances"]) == 5
    elif fmt == "rttm":
        assert body.count("SPEAKER ") == 5
    else:
        assert [body.count(f"apples number {n}") for n in range(5)] == [1] * 5


async def test_unknown_export_format(hub: TestHub) -> None:
    problem = await get(hub, f"/api/sessions/{await conversation(hub)}/export?format=doc", 400)
    assert "format='doc'" in problem["message"]


async def test_deleting_ends_a_session_and_tells_everybody(hub: TestHub) -> None:
    id_ = await conversation(hub)
    with hub.bus.subscribe() as events:
        response = await hub.client.delete(f"/api/sessions/{id_}")
        assert (response.status, await response.read()) == (204, b"")
        seen = [await anext(events) for _ in range(len(events))]
    assert hub.fleet.ended == [id_]  # it was going on
    assert seen[-1] == SessionRemoved(id=id_)
    assert (await get(hub, "/api/utterances?q=apples"))["items"] == []
    assert (await hub.client.delete(f"/api/sessions/{id_}")).status == 404


async def test_a_session_ends_when_asked(hub: TestHub) -> None:
    id_ = await conversation(hub)
    ended = await post(hub, f"/api/sessions/{id_}/end", {})
    assert ended["end_ms"] is not None and hub.fleet.ended == [id_]
    assert (await post(hub, "/api/sessions/999/end", {}, 404))["code"] == "unknown_session"


async def test_a_full_disk_and_an_unforeseen_failure(
    hub: TestHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    id_ = await conversation(hub)

    async def full(_: int) -> bool:
        raise StoreFullError("the disk is full")

    async def broken(_: int) -> bool:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(hub.store, "delete_session", full)
    response = await hub.client.delete(f"/api/sessions/{id_}")
    assert (response.status, await response.json(content_type=None)) == (
        507,
        {"code": "disk_full", "message": "the disk is full"},
    )
    monkeypatch.setattr(hub.store, "delete_session", broken)
    response = await hub.client.delete(f"/api/sessions/{id_}")
    assert response.status == 500
    assert "secret" not in await response.text()
    assert "secret detail" in caplog.text


async def test_what_does_not_exist(hub: TestHub) -> None:
    assert (await get(hub, "/api/nope", 404))["code"] == "not_found"
    response = await hub.client.put("/api/health", json={})
    assert (response.status, response.headers["Allow"]) == (405, "GET")
    assert (await hub.client.get("/page/../web/guard.py")).status == 404
    assert (await hub.client.get("/page/")).status in (403, 404)
