"""Notes on their way into the store: bounded by device, joined, kept while the disk is full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from minerva_hub.bus import Bus
from minerva_hub.errors import StoreFullError
from minerva_hub.events import Gap, NewSound
from minerva_hub.pipeline.notes import MAX_OF_DEVICE, Notes
from minerva_hub.store import Store

NOW_MS = 1_800_000_000_000


def gap(start: int, end: int, device: str = "kitchen") -> Gap:
    return Gap(device=device, start_ms=NOW_MS + start, end_ms=NOW_MS + end, packets=1, reason="overwritten")


def sound(device: str = "kitchen") -> NewSound:
    return NewSound(
        device=device, room="Kitchen", label="loud_sound", score=1.0, start_ms=NOW_MS, end_ms=NOW_MS + 1
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path)
    yield store
    await store.close()


async def until_written(notes: Notes, done: Any) -> None:
    task = asyncio.create_task(notes.run())
    async with asyncio.timeout(5):
        while not await done():
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_gaps_that_follow_each_other_are_one(store: Store) -> None:
    notes = Notes(store, Bus(), lambda key, text: None, lambda gap: None)
    for start in (0, 60, 120):
        notes.put(gap(start, start + 60))
    notes.put(gap(500, 560))
    assert len(notes) == 2
    await until_written(notes, lambda: store.gaps())
    first, second = await store.gaps()
    assert (first.packets, first.end_ms - first.start_ms, second.packets) == (3, 180, 1)


async def test_one_device_cannot_crowd_out_another(store: Store) -> None:
    notes = Notes(store, Bus(), lambda key, text: None, lambda gap: None)
    for number in range(5 * MAX_OF_DEVICE):
        notes.put(gap(1000 * number, 1000 * number + 60))
    notes.put(sound("study"))
    assert notes.dropped == 4 * MAX_OF_DEVICE
    await until_written(notes, lambda: store.sounds())
    assert len(await store.gaps()) == MAX_OF_DEVICE
    notes.put(gap(0, 60))
    assert notes.dropped == 4 * MAX_OF_DEVICE, "written ones make room again"


async def test_notes_wait_while_the_disk_is_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: dict[str, str | None] = {}
    notes = Notes(store, Bus(), warnings.__setitem__, lambda gap: None, retry_s=0.01)
    add, tries = store.add_sound, 0

    async def full_twice(what: NewSound) -> Any:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise StoreFullError("the disk is full")
        return await add(what)

    monkeypatch.setattr(store, "add_sound", full_twice)
    notes.put(sound())
    await until_written(notes, lambda: store.sounds())
    assert tries == 3
    await asyncio.sleep(0)
    assert warnings["notes"] is None
