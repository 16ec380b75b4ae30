"""Models over REST: one pull at a time, with progress in the events, cancel, verify and remove."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from minerva_hub.events import ModelChanged, ModelInfo
from minerva_hub.models import records
from web_fakes import TestHub

from tests.fakes.file_server import FileServer, file_server
from tests.fakes.model_list import listed, table

DATA = b"network" * 100_000


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FileServer]:
    async with file_server() as running:
        listed(
            monkeypatch,
            table("net", running.url, 'name = "net.tflite"'),
            table("far", "https://127.0.0.1:1", 'name = "far.onnx"', kind="sherpa-embedding"),
            table("asked", running.url, kind="pyannote", more="gated = true\n"),
        )
        yield running


async def ask(hub: TestHub, method: str, path: str) -> tuple[int, Any]:
    body = {"json": {}} if method == "POST" else {}
    async with hub.client.request(method, f"/api/models{path}", **body) as response:
        return response.status, await response.json() if response.status != 204 else None


async def ended(changes: Any) -> list[ModelInfo]:
    """What the bus told until the job's end."""
    told: list[ModelInfo] = []
    async with asyncio.timeout(10):
        async for event in changes:
            if isinstance(event, ModelChanged):
                told.append(event.model)
                if event.model.job is None or event.model.job.state != "running":
                    return told
    raise AssertionError("the bus ended first")


async def test_a_model_is_pulled_verified_and_removed(page_hub: TestHub, server: FileServer) -> None:
    server.put("/resolve/main/net.tflite", DATA)
    status, answer = await ask(page_hub, "GET", "")
    assert status == 200
    assert {one["name"]: one["state"] for one in answer["items"]} == dict.fromkeys(
        ("net", "far", "asked"), "absent"
    )
    assert server.asked == []  # to look costs no request
    with page_hub.bus.subscribe() as changes:
        status, begun = await ask(page_hub, "POST", "/net/pull")
        assert status == 200 and begun["job"]["state"] == "running"
        last = (await ended(changes))[-1]
        assert last.state == "ready" and last.trust == "recorded"
        assert last.job is not None
        assert (last.job.action, last.job.state, last.job.done_bytes) == ("pull", "done", len(DATA))
        assert (await ask(page_hub, "POST", "/net/verify"))[0] == 200
        last = (await ended(changes))[-1]
        assert last.job is not None and (last.job.action, last.job.state) == ("verify", "done")
        assert (await ask(page_hub, "DELETE", "/net")) == (204, None)
        assert (await ended(changes))[-1].state == "absent"
    assert len(server.asked) == 1


async def test_one_at_a_time_and_cancelled_with_what_came_kept(
    page_hub: TestHub, server: FileServer, tmp_path: Path
) -> None:
    server.put("/resolve/main/net.tflite", DATA, stall_after=500_000)
    with page_hub.bus.subscribe() as changes:
        await ask(page_hub, "POST", "/net/pull")
        for method, path in (("POST", "/far/pull"), ("POST", "/net/pull"), ("DELETE", "/net")):
            status, problem = await ask(page_hub, method, path)
            assert status == 409
            assert problem["message"] == "the model net is being pulled; wait for it, or cancel it"
        part = tmp_path / "hub" / "models" / "net" / "net.tflite.part"
        async with asyncio.timeout(10):
            while not server.asked or not part.exists():
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
        status, answer = await ask(page_hub, "POST", "/net/cancel")
        assert status == 200
        assert (answer["state"], answer["job"]["state"]) == ("partial", "cancelled")
        assert (await ended(changes))[-1].job == last_job(answer)
    assert part.stat().st_size == 500_000
    server.put("/resolve/main/net.tflite", DATA)
    with page_hub.bus.subscribe() as changes:
        await ask(page_hub, "POST", "/net/pull")
        assert (await ended(changes))[-1].state == "ready"
    assert server.ranges[-1] == "bytes=500000-"


def last_job(answer: dict[str, Any]) -> Any:
    import msgspec

    return msgspec.convert(answer, ModelInfo).job


async def test_what_fails_is_told_where_the_model_is(page_hub: TestHub, server: FileServer) -> None:
    with page_hub.bus.subscribe() as changes:
        await ask(page_hub, "POST", "/far/pull")
        job = (await ended(changes))[-1].job
        assert job is not None and job.state == "failed"
        assert job.message == "127.0.0.1 cannot be reached; is this computer on the internet?"
    (far,) = [one for one in (await ask(page_hub, "GET", ""))[1]["items"] if one["name"] == "far"]
    assert far["job"]["message"] == job.message  # also for who comes later
    for method, path, status, says in (
        ("POST", "/asked/pull", 409, "asks for an account and your consent"),
        ("POST", "/net/verify", 409, "is not on this disk"),
        ("POST", "/net/cancel", 409, "nothing is being done with the model net"),
        ("POST", "/nett/pull", 404, "did you mean net?"),
        ("DELETE", "/nett", 404, "did you mean net?"),
        ("POST", "/..%2fnet/pull", 400, "name='../net'"),
    ):
        code, problem = await ask(page_hub, method, path)
        assert code == status and says in problem["message"]


async def test_a_damaged_model_is_shown_and_verified(
    page_hub: TestHub, server: FileServer, tmp_path: Path
) -> None:
    server.put("/resolve/main/net.tflite", DATA)
    folder = tmp_path / "hub" / "models"
    with page_hub.bus.subscribe() as changes:
        await ask(page_hub, "POST", "/net/pull")
        await ended(changes)
        (folder / "net" / "net.tflite").write_bytes(DATA[::-1])
        await ask(page_hub, "POST", "/net/verify")
        last = (await ended(changes))[-1]
        assert last.state == "damaged" and last.job is not None
        assert last.job.message == "net.tflite has another hash than was recorded"
    (folder / records.FILE).write_text("{")
    status, problem = await ask(page_hub, "GET", "")
    assert status == 409 and "models.lock.json is damaged" in problem["message"]


async def test_another_process_that_pulls_is_told(
    page_hub: TestHub, server: FileServer, tmp_path: Path
) -> None:
    with records.busy(tmp_path / "hub" / "models"), page_hub.bus.subscribe() as changes:
        await ask(page_hub, "POST", "/net/pull")
        job = (await ended(changes))[-1].job
        assert job is not None and "another process is busy" in job.message
    assert server.asked == []
