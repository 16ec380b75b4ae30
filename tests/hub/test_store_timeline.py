"""The store's records: what goes in comes out, in the promised order and under the promised filters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minerva_hub.errors import StoreError, UnknownSessionError
from minerva_hub.events import (
    DeviceRecord,
    Gap,
    NewSound,
    NewUtterance,
    ResumePoint,
    Session,
    Utterance,
    Word,
)
from minerva_hub.store import MAX_ROWS, Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "hub")
    yield store
    await store.close()


JUNK = st.lists(
    st.sampled_from([*'"*^():{}-+,.\0 \ud800', " AND ", " OR ", "NOT ", "NEAR(", "text:", "one"]), max_size=80
).map("".join)


def said(session: Session, text: str, start_ms: int, speaker: str = "Speaker A") -> NewUtterance:
    words = tuple(
        Word(text=word, start_ms=start_ms + 100 * n, end_ms=start_ms + 100 * n + 90, confidence=0.5)
        for n, word in enumerate(text.split())
    )
    return NewUtterance(
        session_id=session.id,
        device=session.device,
        room=session.room,
        speaker=speaker,
        start_ms=start_ms,
        end_ms=start_ms + 1000,
        text=text,
        words=words,
        engine="test",
        language="en",
    )


def point(seq: int, boot_id: str = "b1", stream: int = 0, offset: int = 7) -> ResumePoint:
    return ResumePoint(
        device="kitchen", boot_id=boot_id, stream=stream, seq=seq, end_ms=seq * 60, clock_offset_ms=offset
    )


def ids(utterances: list[Utterance]) -> list[int]:
    return [utterance.id for utterance in utterances]


async def test_an_utterance_comes_back_whole(store: Store) -> None:
    session = await store.begin_session("kitchen", "Kitchen", 1_000)
    new = said(session, "good morning everybody", 1_500)
    [stored] = await store.commit([new], None)
    assert stored.words == new.words and stored.text == new.text and stored.engine == "test"
    assert await store.utterances() == [stored]


async def test_sessions_count_and_name_their_speakers(store: Store) -> None:
    session = await store.begin_session("kitchen", "Kitchen", 1_000)
    assert await store.open_sessions() == [session]
    await store.commit(
        [said(session, "b", 2_000, "Speaker B"), said(session, "a", 3_000), said(session, "c", 4_000)], None
    )
    ended = await store.end_session(session.id, 9_000)
    assert (ended.end_ms, ended.utterances, ended.speakers) == (9_000, 3, ("Speaker A", "Speaker B"))
    assert await store.session(session.id) == ended
    assert await store.open_sessions() == []


async def test_a_session_never_ends_before_it_began(store: Store) -> None:
    session = await store.begin_session("kitchen", "Kitchen", 5_000)
    assert (await store.end_session(session.id, 10)).end_ms == 5_000


async def test_sessions_are_paged_newest_first(store: Store) -> None:
    made = [await store.begin_session("kitchen", "Kitchen", 1_000 * n) for n in range(5)]
    other = await store.begin_session("hall", "Hall", 2_500)
    await store.end_session(made[0].id, 900)
    everything = [made[4], made[3], other, made[2], made[1]]
    assert (await store.sessions())[:5] == everything
    first = await store.sessions(limit=2)
    assert first + await store.sessions(limit=3, before_id=first[-1].id) == everything
    assert await store.sessions(device="hall") == [other]
    assert made[0].id not in {session.id for session in await store.sessions(since_ms=901)}
    assert [session.id for session in await store.sessions(until_ms=1_000)] == [made[0].id]


async def test_filters_and_paging_of_utterances(store: Store) -> None:
    kitchen = await store.begin_session("kitchen", "Kitchen", 0)
    hall = await store.begin_session("hall", "Hall", 0)
    first, late, hall_one, early = await store.commit(
        [
            said(kitchen, "one", 10_000),
            said(kitchen, "two", 30_000, "Speaker B"),
            said(hall, "three", 20_000),
            said(kitchen, "resent after an outage", 5_000),
        ],
        None,
    )
    assert ids(await store.utterances()) == [early.id, first.id, hall_one.id, late.id]
    assert ids(await store.utterances(limit=2)) == [hall_one.id, late.id]
    assert ids(await store.utterances(limit=2, before_id=hall_one.id)) == [early.id, first.id]
    assert ids(await store.utterances(after_id=first.id)) == [late.id, hall_one.id, early.id]
    assert ids(await store.utterances(device="hall")) == [hall_one.id]
    assert ids(await store.utterances(speaker="Speaker B")) == [late.id]
    assert ids(await store.utterances(session_id=kitchen.id)) == [early.id, first.id, late.id]
    assert ids(await store.utterances(since_ms=10_000, until_ms=30_000)) == [first.id, hall_one.id]
    assert await store.utterances(before_id=999) == []


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": MAX_ROWS + 1}, {"before_id": 1, "after_id": 1}])
async def test_wrong_paging_is_refused(store: Store, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"limit|not both"):
        await store.utterances(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("coffee", True),
        ("COFFEE please", True),
        ("please coffee", True),
        ("cof", True),
        ("cof please", False),
        ("please cof", True),
        ("tea", False),
        ("creme brulee", True),
        ("don't", True),
        ("coffee !!!", True),
        ("!!!", False),
        ("", True),
        (" \t", True),
        ("NOT tea", False),
        ('"', False),
    ],
)
async def test_search_finds_words(store: Store, q: str, found: bool) -> None:
    session = await store.begin_session("kitchen", "Kitchen", 0)
    await store.commit([said(session, "Don't spill the coffee, please: crème brûlée!", 1_000)], None)
    assert bool(await store.utterances(q=q)) is found


async def test_search_takes_any_text(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    session = await store.begin_session("kitchen", "Kitchen", 0)
    [stored] = await store.commit([said(session, "one two three", 0)], None)

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(JUNK | st.text(max_size=200))
    async def search(q: str) -> None:
        await store.utterances(q=q)

    @settings(max_examples=50, deadline=None)
    @given(st.permutations(["one", "two", "three"]), st.sampled_from(['"', "*", "(", " - ", "^"]))
    async def search_around(words: list[str], junk: str) -> None:
        assert await store.utterances(q=f" {junk} ".join(words)) == [stored]

    await run_hypothesis(search)
    await run_hypothesis(search_around)
    await store.close()


async def run_hypothesis(test: object) -> None:
    """Run a hypothesis test with an async body in a thread, its bodies on this loop."""
    loop = asyncio.get_running_loop()
    handle = test.hypothesis  # type: ignore[attr-defined]
    body = handle.inner_test

    def inner(*args: object, **kwargs: object) -> None:
        asyncio.run_coroutine_threadsafe(body(*args, **kwargs), loop).result(30)

    handle.inner_test = inner
    await asyncio.to_thread(test)  # type: ignore[arg-type]


async def test_relabelling_goes_with_the_commit(store: Store) -> None:
    session = await store.begin_session("kitchen", "Kitchen", 0)
    [old] = await store.commit([said(session, "one", 0)], None)
    [new] = await store.commit([said(session, "two", 2_000)], point(5), {old.id: "Speaker C", 999: "nobody"})
    assert [u.speaker for u in await store.utterances()] == ["Speaker C", "Speaker A"]
    assert await store.utterances(q="one", speaker="Speaker C") != []
    assert await store.resume("kitchen", "b1", 0) == point(5)
    assert new.id == old.id + 1


async def test_a_commit_to_a_deleted_session_stores_nothing_of_it(store: Store) -> None:
    gone = await store.begin_session("kitchen", "Kitchen", 0)
    kept = await store.begin_session("hall", "Hall", 0)
    [old] = await store.commit([said(kept, "old", 0)], point(1))
    assert await store.delete_session(gone.id) and not await store.delete_session(gone.id)
    with pytest.raises(UnknownSessionError, match=f"session {gone.id} "):
        await store.commit([said(kept, "one", 0), said(gone, "two", 0)], point(9), {old.id: "Speaker Z"})
    assert await store.utterances() == [old]
    assert await store.resume("kitchen", "b1", 0) == point(1)
    with pytest.raises(UnknownSessionError):
        await store.end_session(gone.id, 5)


async def test_a_deleted_conversation_is_nowhere_in_the_files(store: Store, tmp_path: Path) -> None:
    session = await store.begin_session("kitchen", "Kitchen", 0)
    kept = await store.begin_session("kitchen", "Kitchen", 0)
    for n in range(30):
        await store.commit(
            [said(session, f"xyzzyplugh number {n} " * 20, n), said(kept, "harmless", n)], None
        )
    assert any(b"xyzzyplugh" in path.read_bytes() for path in (tmp_path / "hub").iterdir())
    await store.delete_session(session.id)
    assert not [p for p in (tmp_path / "hub").iterdir() if b"xyzzy" in p.read_bytes()]
    assert await store.utterances(q="xyzzyplugh") == []
    assert len(await store.utterances(q="harmless")) == 30


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [(5, 6, 6), (6, 5, 6), (5, 5, 5), (2**32 - 2, 3, 3), (3, 2**32 - 2, 3), (0, 2**31 - 1, 2**31 - 1)],
)
async def test_a_resume_point_only_goes_forwards(store: Store, old: int, new: int, kept: int) -> None:
    await store.save_resume(point(old))
    await store.save_resume(point(new))
    assert await store.resume("kitchen", "b1", 0) == point(kept)


async def test_streams_and_the_newest_boots_are_apart(store: Store) -> None:
    for n in range(6):
        await store.save_resume(point(n, boot_id=f"b{n}"))
        await store.save_resume(point(n + 50, boot_id=f"b{n}", stream=1))
    kept = [n for n in range(6) if await store.resume("kitchen", f"b{n}", 0) is not None]
    assert kept == [2, 3, 4, 5]
    assert await store.resume("kitchen", "b5", 1) == point(55, boot_id="b5", stream=1)
    assert await store.resume("hall", "b5", 1) is None


async def test_devices(store: Store) -> None:
    hall = DeviceRecord(id="hall", room="Hall", token_hash="sha256:00", created_ms=1)
    attic = DeviceRecord(id="attic", room="Attic", token_hash="sha256:01", created_ms=2)
    await store.add_device(hall)
    await store.add_device(attic)
    with pytest.raises(StoreError, match="'hall' is registered already"):
        await store.add_device(hall)
    assert await store.devices() == [attic, hall]
    assert await store.device("hall") == hall and await store.device("cellar") is None
    assert await store.remove_device("hall") and not await store.remove_device("hall")
    assert await store.devices() == [attic]
    await store.set_wish("attic", "events", True)
    wished = await store.device("attic")
    assert wished is not None and (wished.mode, wished.muted) == ("events", True)


async def test_removing_a_device_keeps_what_it_heard_but_not_its_place(store: Store) -> None:
    await store.add_device(DeviceRecord(id="kitchen", room="K", token_hash="sha256:00", created_ms=1))
    session = await store.begin_session("kitchen", "Kitchen", 0)
    await store.commit([said(session, "one", 0)], point(5))
    await store.remove_device("kitchen")
    assert await store.resume("kitchen", "b1", 0) is None
    assert len(await store.utterances(device="kitchen")) == 1


async def test_sounds_and_gaps(store: Store) -> None:
    made = [
        await store.add_sound(
            NewSound(device="hall", room="Hall", label="bark", score=0.9, start_ms=n, end_ms=n + 5)
        )
        for n in (30, 10, 20)
    ]
    assert await store.sounds(limit=2) == [made[2], made[0]]
    assert await store.sounds(since_ms=10, until_ms=20) == [made[1]]
    gap = Gap(device="hall", start_ms=5, end_ms=65, packets=1, reason="overwritten")
    await store.add_gap(gap)
    await store.add_gap(Gap(device="attic", start_ms=5, end_ms=65, packets=2, reason="lost"))
    assert await store.gaps("hall") == [gap]
    assert await store.gaps(since_ms=65) == []
    assert await store.gap_counts() == {"attic": 1, "hall": 1}
