"""Sessions, speakers and the commit, with the real store and bus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from minerva_hub.bus import Bus
from minerva_hub.config import SessionConfig
from minerva_hub.diarize import Assignment
from minerva_hub.errors import StoreFullError
from minerva_hub.events import ResumePoint, SpeakersChanged, UtteranceAdded, Word
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

    def add(self, voices: Any) -> Assignment:
        new = {key: f"Speaker {voice}" for key, voice, _ in voices}
        changed = dict.fromkeys(self.keys, self.relabel) if self.relabel else {}
        self.keys += new
        return Assignment(new, changed)


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
