"""Live events: a snapshot first, every bus event after it in order, bounds for slow and for many clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from minerva_hub import sse
from minerva_hub.events import (
    DeviceChanged,
    Gap,
    GapRecorded,
    Level,
    Partial,
    SessionRemoved,
    Speaking,
    StreamEvent,
    UtteranceAdded,
)
from web_fakes import TestHub, device, now_ms, running


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running(tmp_path) as running_hub:
        yield running_hub


class Frames:
    """The frames of a stream, as a browser takes them apart."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.comments = 0
        self.fields: dict[str, str] = {}

    async def next(self) -> dict[str, Any]:
        """The next event: its fields, with `data` decoded."""
        async with asyncio.timeout(5):
            while True:
                line = (await self.response.content.readline()).decode().rstrip("\n")
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    self.fields[name] = value
                else:
                    fields, self.fields = self.fields, {}
                    if "data" in fields:
                        return fields | {"data": json.loads(fields["data"])}
                    if self.response.content.at_eof():
                        raise EOFError
                    self.retry = fields.get("retry")


@asynccontextmanager
async def stream(hub: TestHub) -> AsyncIterator[Frames]:
    async with hub.client.get("/api/events") as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Frames(response)


def speaking(state: str, id_: str = "kitchen", since_ms: int = 0) -> Speaking:
    return Speaking(device=id_, room="Kitchen", state=state, since_ms=since_ms)  # type: ignore[arg-type]


def partial(committed: str, tail: str = "", id_: str = "kitchen") -> Partial:
    return Partial(device=id_, room="Kitchen", since_ms=0, until_ms=500, committed=committed, tail=tail)


def level(n: int) -> Level:
    return Level(device="kitchen", rms_db=-40.0, peak_db=-20.0, at_ms=n)


async def test_heartbeat_and_snapshot_come_first(hub: TestHub) -> None:
    hub.fleet.add(device())
    hub.bus.publish(speaking("speaking"))  # not yet seen by the stream's own watch: no race
    hub.bus.publish(partial("", "good"))
    hub.bus.publish(partial("good", "mor"))
    async with stream(hub) as frames:
        first = await frames.next()
    assert frames.comments == 1
    assert frames.retry == str(sse.RETRY_MS)
    assert first["event"] == first["data"]["type"] == "snapshot"
    assert [one["id"] for one in first["data"]["devices"]] == ["kitchen"]
    assert first["data"]["health"]["hub_id"] == "0123456789abcdef"
    assert [one["state"] for one in first["data"]["speaking"]] == ["speaking"]
    assert [(one["committed"], one["tail"]) for one in first["data"]["partials"]] == [("good", "mor")]


async def test_who_stopped_or_left_is_not_in_the_snapshot(hub: TestHub) -> None:
    gone = device("hall", "Hall", online=False)
    hub.fleet.add(device(), device("hall", "Hall"))
    for id_ in ("kitchen", "hall", "unregistered"):
        hub.bus.publish(speaking("speaking", id_))
        hub.bus.publish(partial("we", "need", id_))
    hub.bus.publish(speaking("idle"))
    hub.bus.publish(DeviceChanged(device=gone))
    async with stream(hub) as frames:
        snapshot = (await frames.next())["data"]
    assert (snapshot["speaking"], snapshot["partials"]) == ([], [])


async def test_a_new_beginning_has_no_words_of_the_one_before(hub: TestHub) -> None:
    hub.fleet.add(device())
    for event in (speaking("speaking"), partial("we", "need"), speaking("transcribing")):
        hub.bus.publish(event)
    async with stream(hub) as frames:
        assert len((await frames.next())["data"]["partials"]) == 1
        hub.bus.publish(speaking("speaking", since_ms=9000))
        async with stream(hub) as later:
            assert (await later.next())["data"]["partials"] == []


async def test_every_event_arrives_in_order_as_its_record(hub: TestHub) -> None:
    async with stream(hub) as frames:
        await frames.next()
        session = await hub.store.begin_session("kitchen", "Kitchen", now_ms())
        said = await hub.say(session.id, "Speaker A", "line one\nline two \u2028 end", publish=False)
        gap = Gap(device="kitchen", start_ms=1, end_ms=2, packets=3, reason="lost")
        sent = [
            UtteranceAdded(utterance=said),
            level(1),
            speaking("transcribing"),
            GapRecorded(gap=gap),
            SessionRemoved(id=session.id),
        ]
        for event in sent:
            hub.bus.publish(event)
        got = [await frames.next() for _ in sent]
    assert [msgspec.convert(one["data"], StreamEvent) for one in got] == sent
    assert [one["event"] for one in got] == ["utterance", "level", "speaking", "gap", "session_removed"]
    ids = [int(one["id"]) for one in got]
    assert ids == sorted(set(ids))


async def test_quiet_streams_have_a_heartbeat(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.02)
    async with stream(hub) as frames:
        await frames.next()
        await asyncio.sleep(0.2)
        hub.bus.publish(level(7))  # an event after heartbeats is neither lost nor late
        assert (await frames.next())["data"]["at_ms"] == 7
    assert frames.comments >= 3


async def test_a_slow_client_loses_levels_first_and_is_told(
    hub: TestHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "QUEUE", 8)
    session = await hub.store.begin_session("kitchen", "Kitchen", now_ms())
    said = [await hub.say(session.id, "Speaker A", f"line {n}", publish=False) for n in range(4)]
    async with stream(hub) as frames:
        await frames.next()
        for n in range(20):  # in one go: the stream's task has no turn in between
            hub.bus.publish(level(n))
            if n % 5 == 0:
                hub.bus.publish(UtteranceAdded(utterance=said[n // 5]))
        got = [await frames.next() for _ in range(9)]
    told = [one["data"]["count"] for one in got if one["event"] == "dropped"]
    assert told == [16]
    assert [one["data"]["utterance"]["id"] for one in got if one["event"] == "utterance"] == [
        one.id for one in said
    ]
    assert [one["data"]["at_ms"] for one in got if one["event"] == "level"] == [16, 17, 18, 19]


async def test_one_client_too_many_is_refused_and_a_leaver_makes_room(
    hub: TestHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_CLIENTS", 1)
    async with stream(hub) as frames:
        await frames.next()
        refused = await hub.client.get("/api/events")
        assert refused.status == 503
        assert (await refused.json())["code"] == "too_many_clients"
        frames.response.close()
    for _ in range(100):
        if hub.streams.clients == 0:
            break
        hub.bus.publish(level(1))
        await asyncio.sleep(0.01)
    async with stream(hub) as frames:
        assert (await frames.next())["event"] == "snapshot"


async def test_a_client_that_reads_nothing_is_let_go(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "STALL_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.client.port, limit=1024)
    writer.write(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert await reader.readuntil(b"snapshot")
    big = partial("", "x" * 200_000)
    for _ in range(400):
        if hub.streams.clients == 0:
            break
        hub.bus.publish(big)
        await asyncio.sleep(0.01)
    assert hub.streams.clients == 0
    writer.close()


async def test_streams_end_when_the_hub_stops(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        response = await hub.client.get("/api/events")
        frames = Frames(response)
        await frames.next()
        await hub.streams.stop(hub.client.app)  # type: ignore[arg-type]
        with pytest.raises(EOFError):
            await frames.next()
