"""Sessions, speakers and the commit, with the real store and bus."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from minerva_hub.bus import Bus
from minerva_hub.config import SessionConfig
from minerva_hub.diarize import Assignment
from minerva_hub.errors import StoreFullError
from minerva_hub.events import ResumePoint, SessionChanged, SpeakersChanged, UtteranceAdded, Word
from minerva_hub.pipeline import conversations as module
from minerva_hub.pipeline.conversations import Conversations
from minerva_hub.pipeline.scribe import Draft
from minerva_hub.store import Store

NOW_MS = 1_800_000_000_000


class Book:
    """Labels a voice by its name; told to, relabels everything."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.relabel = ""
        self.at_the_end: dict[int, str] | Exception = {}
        self.told: dict[int, str] = {}

    def add(self, voices: Any) -> Assignment:
        new = {key: f"Speaker {voice}" for key, voice, _ in voices}
        changed = dict.fromkeys(self.keys, self.relabel) if self.relabel else {}
        self.keys += new
        return Assignment(new, changed)

    def settle(self, before: Any = None) -> dict[int, str]:
        self.told = dict(before)
        if isinstance(self.at_the_end, Exception):
            raise self.at_the_end
        return self.told | self.at_the_end


class Diarizer:
    def __init__(self) -> None:
        self.books: list[Book] = []

    def open_book(self) -> Book:
        self.books.append(Book())
        return self.books[-1]


def draft(text: str, voice: str = "A", start_ms: int = NOW_MS) -> Draft:
    words = (Word(text=text, start_ms=start_ms, end_ms=start_ms + 900),)
    return Draft(text, words, start_ms, start_ms + 900, "en", voice)


def point(seq: int) -> ResumePoint:
    return ResumePoint(device="kitchen", boot_id="b", stream=0, seq=seq, end_ms=NOW_MS, clock_offset_ms=0)


class World:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.bus = Bus()
        self.events = self.bus.subscribe()
        self.diarizer = Diarizer()
        self.warnings: dict[str, str | None] = {}
        self.open = Conversations(
            store, self.bus, SessionConfig(quiet_s=10), lambda: self.diarizer, self.warnings.__setitem__
        )  # type: ignore[arg-type]

    async def say(self, text: str, voice: str = "A", device: str = "kitchen", seq: int = 1) -> Any:
        (said,) = await self.open.add(device, device.title(), "test", [draft(text, voice)], point(seq))
        return said

    def seen(self, kind: type) -> list[Any]:
        return [event for event in self.events._events if isinstance(event, kind)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await Store.open(tmp_path)
    yield World(store)
    await store.close()


async def test_what_is_said_on_a_device_is_one_session(world: World) -> None:
    first, second = await world.say("hello"), await world.say("there", "B")
    other = await world.say("elsewhere", device="study")
    assert first.session_id == second.session_id != other.session_id
    assert [event.utterance.text for event in world.seen(UtteranceAdded)] == ["hello", "there", "elsewhere"]
    session = await world.store.session(first.session_id)
    assert session is not None and session.speakers == ("Speaker A", "Speaker B")


async def test_the_words_and_the_resume_point_are_one_transaction(world: World) -> None:
    await world.say("hello", seq=42)
    kept = await world.store.resume("kitchen", "b", 0)
    assert kept is not None and kept.seq == 42


async def test_relabelled_lines_are_stored_and_told(world: World) -> None:
    first = await world.say("hello")
    world.diarizer.books[0].relabel = "Speaker Z"
    await world.say("again")
    (told,) = world.seen(SpeakersChanged)
    assert told.speakers == {str(first.id): "Speaker Z"}
    stored = await world.store.utterances(session_id=first.session_id)
    assert [u.speaker for u in stored] == ["Speaker Z", "Speaker A"]


async def test_quiet_ends_a_session_unless_text_is_to_come(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await world.say("hello")
    await world.open.end_quiet(lambda device: False)
    assert (await world.store.session(first.session_id)).end_ms is None  # type: ignore[union-attr]
    later = time.monotonic() + 11
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    await world.open.end_quiet(lambda device: True)
    assert (await world.store.session(first.session_id)).end_ms is None  # type: ignore[union-attr]
    await world.open.end_quiet(lambda device: False)
    assert (await world.store.session(first.session_id)).end_ms == first.end_ms  # type: ignore[union-attr]
    again = await world.say("hello again")
    assert again.session_id != first.session_id
    assert len(world.diarizer.books) == 2, "labels and voices die with their session"


async def test_the_owner_ends_a_session(world: World) -> None:
    first = await world.say("hello")
    await world.open.end(first.session_id)
    await world.open.end(first.session_id)
    assert (await world.say("more")).session_id != first.session_id


async def test_a_session_deleted_while_it_goes_on_is_followed_by_another(world: World) -> None:
    first = await world.say("secret")
    await world.store.delete_session(first.session_id)
    second = await world.say("harmless")
    assert second.session_id != first.session_id
    assert [u.text for u in await world.store.utterances()] == ["harmless"]


async def test_text_waits_while_the_disk_is_full_and_nothing_is_said_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    await world.say("before")
    commit, full = world.store.commit, asyncio.Event()

    async def maybe(*arguments: Any) -> Any:
        if not full.is_set():
            raise StoreFullError("the disk is full")
        return await commit(*arguments)

    monkeypatch.setattr(world.store, "commit", maybe)
    waiting = asyncio.create_task(world.say("during"))
    await asyncio.sleep(0.05)
    assert not waiting.done() and "disk is full" in str(world.warnings["disk"])
    full.set()
    await waiting
    assert world.warnings["disk"] is None
    assert [u.text for u in await world.store.utterances()] == ["before", "during"]
    assert len(world.diarizer.books[0].keys) == 2


async def test_sessions_left_open_by_a_killed_hub_are_ended_at_their_last_word(world: World) -> None:
    first = await world.say("hello")
    fresh = World(world.store)
    await fresh.open.end_left_open()
    session = await world.store.session(first.session_id)
    assert session is not None and session.end_ms == first.end_ms


async def speakers(world: World, session_id: int) -> list[str]:
    return [said.speaker for said in await world.store.utterances(session_id=session_id)]


async def test_at_the_end_of_a_session_everybody_is_told_apart_anew(world: World) -> None:
    first, second, third = [
        await world.say(text, voice) for text, voice in (("a", "A"), ("b", "B"), ("c", "A"))
    ]
    world.diarizer.books[0].at_the_end = {0: "Speaker A", 1: "Speaker A", 2: "Speaker C"}
    await world.open.end(first.session_id)
    assert await speakers(world, first.session_id) == ["Speaker A", "Speaker A", "Speaker C"]
    (told,) = world.seen(SpeakersChanged)
    assert told.speakers == {str(second.id): "Speaker A", str(third.id): "Speaker C"}
    ended = world.seen(SessionChanged)[-1].session
    assert ended.end_ms is not None and ended.speakers == ("Speaker A", "Speaker C")


async def test_what_people_changed_meanwhile_is_what_the_book_is_told_and_stands(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await world.say("a"), await world.say("b", "B")
    await world.store.commit([], None, {first.id: "Anna"})
    book = world.diarizer.books[0]
    book.at_the_end = {0: "Anna", 1: "Anna"}
    settle = world.store.settle_session

    async def renamed_just_before(*arguments: Any) -> Any:
        await world.store.commit([], None, {second.id: "Ben"})
        return await settle(*arguments)

    monkeypatch.setattr(world.store, "settle_session", renamed_just_before)
    await world.open.end(first.session_id)
    assert book.told == {0: "Anna", 1: "Speaker B"}
    assert await speakers(world, first.session_id) == ["Anna", "Ben"]
    assert not world.seen(SpeakersChanged)


async def test_what_is_added_while_a_session_ends_is_in_it_or_in_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await world.say("a")
    commit, go_on = world.store.commit, asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        await go_on.wait()
        return await commit(*arguments)

    monkeypatch.setattr(world.store, "commit", slow)
    adding = asyncio.create_task(world.say("b"))
    await asyncio.sleep(0.05)
    ending = asyncio.create_task(world.open.end(first.session_id))
    await asyncio.sleep(0.05)
    assert not ending.done()
    go_on.set()
    assert (await adding).session_id == first.session_id
    await ending
    assert len(world.diarizer.books[0].told) == 2
    assert (await world.say("c")).session_id != first.session_id


async def test_an_engine_that_fails_at_the_end_leaves_the_labels_and_ends_the_session(world: World) -> None:
    first = await world.say("a", "B")
    world.diarizer.books[0].at_the_end = RuntimeError("no")
    await world.open.end(first.session_id)
    session = await world.store.session(first.session_id)
    assert session is not None and session.end_ms == first.end_ms
    assert await speakers(world, first.session_id) == ["Speaker B"]
    assert "stay as they were" in str(world.warnings["speakers"])


async def test_a_session_deleted_before_its_end_is_not_missed(world: World) -> None:
    first = await world.say("a")
    await world.store.delete_session(first.session_id)
    await world.open.end(first.session_id)
    assert "disk" not in world.warnings or world.warnings["disk"] is None


KILLED = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import tests.hub.test_conversations as t
from minerva_hub.store import sessions, Store

async def main() -> None:
    world = t.World(await Store.open(Path({folder!r})))
    said = [await world.say(text, "B") for text in "abc"]
    world.diarizer.books[0].at_the_end = dict.fromkeys(range(3), "Speaker Z")
    sessions.end_session = lambda *_: os.kill(os.getpid(), 9)  # within the transaction, labels are updated
    await world.open.end(said[0].session_id)

asyncio.run(main())
"""


async def test_a_hub_killed_while_it_settles_a_session_loses_nothing(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    script = KILLED.format(tests=root, folder=str(tmp_path))
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    assert await asyncio.wait_for(died.wait(), 60) == -9
    store = await Store.open(tmp_path)
    try:
        world = World(store)
        (session,) = await store.open_sessions()
        await world.open.end_left_open()
        said = await store.utterances(session_id=session.id)
        assert [u.speaker for u in said] == ["Speaker B"] * 3
        ended = await store.session(session.id)
        assert ended is not None and ended.end_ms == said[-1].end_ms
    finally:
        await store.close()
