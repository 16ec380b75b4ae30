"""People whom the owner enrolled by name: who is recognised, who stays unknown, and what is kept of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.diarize.enrol import ENOUGH_S, Known, enrolled, recognise
from minerva_hub.diarize.space import Voice
from minerva_hub.errors import ConflictError, StoreError, UnknownItemError
from minerva_hub.events import NewEnrolment
from minerva_hub.store import Store
from minerva_hub.store.enrolments import MAX_EACH, MAX_PEOPLE, MAX_PLACE

from tests.hub.line_space import Line, voice


def known(name: str, place: float, space: str = "line") -> Known:
    return Known(name, space, voice(place, 9.0))


@pytest.mark.parametrize(
    ("speakers", "people", "found"),
    [
        ({"Speaker A": 0.0}, [known("Anna", 0.1)], {"Speaker A": "Anna"}),
        ({"Speaker A": 0.0}, [known("Anna", 0.6)], {}),  # the nearest, and not near enough
        ({"Speaker A": 0.0}, [], {}),
        ({}, [known("Anna", 0.0)], {}),
        # Two who are alike: neither is told.
        ({"Speaker A": 0.0}, [known("Anna", 0.1), known("Ben", -0.2)], {}),
        ({"Speaker A": 0.0}, [known("Anna", 0.1), known("Ben", 3.0)], {"Speaker A": "Anna"}),
        # Several voices of one person are no competitors.
        ({"Speaker A": 0.0}, [known("Anna", 0.1), known("Anna", -0.2)], {"Speaker A": "Anna"}),
        # A person is one speaker, the likest.
        ({"Speaker A": 0.3, "Speaker B": 0.1}, [known("Anna", 0.0)], {"Speaker B": "Anna"}),
        (
            {"Speaker A": 5.0, "Speaker B": 0.1},
            [known("Anna", 0), known("Ben", 5)],
            {"Speaker A": "Ben", "Speaker B": "Anna"},
        ),
        # Another engine's numbers mean nothing here.
        ({"Speaker A": 0.0}, [known("Anna", 0.0, "another")], {}),
    ],
)
def test_who_is_recognised(speakers: dict[str, float], people: list[Known], found: dict[str, str]) -> None:
    assert recognise(Line(), {label: voice(at, 9.0) for label, at in speakers.items()}, people) == found


def test_who_said_too_little_is_unknown_and_not_enrolled() -> None:
    short = voice(0.0, ENOUGH_S - 0.1)
    assert recognise(Line(), {"Speaker A": short}, [known("Anna", 0.0)]) == {}
    with pytest.raises(ValueError, match=r"Anna: 4\.9 s of voice; to enrol somebody takes 5 s"):
        enrolled(Line(), "Anna", [short])
    both = enrolled(Line(), "Anna", [voice(0.0, 3.0), voice(1.0, 3.0)])
    assert (both.name, both.space, both.voice.place.tolist()) == ("Anna", "line", [0.5])


@given(
    st.dictionaries(st.sampled_from(["Speaker A", "Speaker B", "Speaker C"]), st.floats(-3, 3)),
    st.lists(st.tuples(st.sampled_from(["Anna", "Ben", "Cleo"]), st.floats(-3, 3)), max_size=6),
)
def test_nobody_is_somebody_whom_they_are_not_like(
    speakers: dict[str, float], people: list[tuple[str, float]]
) -> None:
    heard = {label: voice(at, 9.0) for label, at in speakers.items()}
    found = recognise(Line(), heard, [known(*one) for one in people])
    assert len(set(found.values())) == len(found)
    for label, name in found.items():
        away = {n: min(abs(at - speakers[label]) for m, at in people if m == n) for n, _ in people}
        assert away[name] <= 1 - Line().rules.known + 1e-9
        assert all(away[name] < other for n, other in away.items() if n != name)


# --- what is kept -------------------------------------------------------------------------------------------


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path)
    yield store
    await store.close()


def new(name: str = "Anna", space: str = "line", place: tuple[float, ...] = (0.25, -1.5)) -> NewEnrolment:
    return NewEnrolment(name=name, space=space, place=place, voiced_s=9.5, created_ms=1_800_000_000_000)


async def test_a_voice_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    place = tuple(np.random.default_rng(1).normal(size=192).tolist())
    first = await store.enrolments.add(new(place=place))
    await store.enrolments.add(new("Ben", "another"))
    await store.close()
    again = await Store.open(tmp_path)
    assert await again.enrolments.all("line") == [first]
    assert [one.name for one in await again.enrolments.all()] == ["Anna", "Ben"]
    voice_again = Voice(np.array(first.place), first.voiced_s)
    assert voice_again.place.tolist() == list(place)
    await again.close()


async def test_a_removed_voice_is_nowhere_in_the_files(store: Store, tmp_path: Path) -> None:
    mark = 1234567.891
    wanted = np.array([mark]).tobytes()
    first = await store.enrolments.add(new(place=(mark,) * 64))
    await store.enrolments.add(new(place=(mark,) * 64))
    await store.enrolments.add(new("Ben"))

    def files() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.glob("minerva.db*"))

    assert wanted in files()
    assert await store.enrolments.remove(first.id)
    assert not await store.enrolments.remove(first.id)
    assert await store.enrolments.remove_person("Anna") == 1
    assert await store.enrolments.remove_person("Anna") == 0
    assert wanted not in files()
    assert [one.name for one in await store.enrolments.all()] == ["Ben"]


async def test_people_are_renamed_and_joined(store: Store) -> None:
    for name in ("Anna", "Ann", "Ben"):
        await store.enrolments.add(new(name))
    assert await store.enrolments.rename("Ann", "Anna") == 1
    assert [one.name for one in await store.enrolments.all()] == ["Anna", "Anna", "Ben"]
    with pytest.raises(UnknownItemError, match="nobody is enrolled as 'Ann'"):
        await store.enrolments.rename("Ann", "Cleo")


async def test_how_many_may_be_kept(store: Store) -> None:
    for _ in range(MAX_EACH):
        await store.enrolments.add(new())
    with pytest.raises(ConflictError, match="Anna has 8 voices"):
        await store.enrolments.add(new())
    await store.enrolments.add(new("Ann"))
    with pytest.raises(ConflictError, match="Anna would have 9 voices"):
        await store.enrolments.rename("Ann", "Anna")
    for number in range(MAX_PEOPLE - 2):
        await store.enrolments.add(new(f"Person {number}"))
    with pytest.raises(ConflictError, match="64 people are enrolled"):
        await store.enrolments.add(new("One more"))


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (new(""), "is no name"),
        (new("  "), "is no name"),
        (new("x" * 81), "1 to 80 printable characters"),
        (new("An\nna"), "is no name"),
        (new("\u202eannA"), "is no name"),
        (new(place=()), "a voice of 0 numbers"),
        (new(place=(0.0,) * (MAX_PLACE + 1)), "allowed are 1 to 4096"),
        (new(place=(float("nan"),)), "not finite"),
    ],
)
async def test_what_is_no_name_or_voice_is_refused(store: Store, one: NewEnrolment, why: str) -> None:
    with pytest.raises(StoreError, match=why):
        await store.enrolments.add(one)
    assert await store.enrolments.all() == []
