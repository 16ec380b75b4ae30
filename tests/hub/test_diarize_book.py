"""How voices become speakers: joining, counting, labels and names that stay. Engines do not matter here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.diarize.base import MULTIPLE, Bounds
from minerva_hub.diarize.book import MAX_TURNS, SessionBook
from minerva_hub.diarize.carry import carry_over, is_made_up
from minerva_hub.diarize.cluster import group
from minerva_hub.diarize.space import Voice, alike, pooled

from tests.hub.line_space import Line, voice


def grouped(*voices: Voice, least: int = 1, most: int = 8) -> list[list[int]]:
    return group(Line(), voices, Bounds(least, most))


@pytest.mark.parametrize(
    ("voices", "groups"),
    [
        ([], []),
        ([voice(0)], [[0]]),
        ([voice(0, 0.1)], [[0]]),
        ([voice(0), voice(5), voice(0.2)], [[0, 2], [1]]),
        ([voice(5), voice(0), voice(9), voice(0.2), voice(5.1)], [[0, 4], [1, 3], [2]]),
        ([voice(0, 0.1), voice(5, 0.1)], [[0, 1]]),  # nobody said enough to be somebody
        ([voice(0), voice(2, 0.6), voice(0)], [[0, 1, 2]]),  # too little to be sure of somebody new
        ([voice(0), voice(2, 1.3), voice(0)], [[0, 2], [1]]),
        ([voice(0), voice(2, 0.6)], [[0], [1]]),  # it is much of what was said so far
        ([voice(0), voice(6, 0.6), voice(0)], [[0, 2], [1]]),  # little, and beyond doubt
    ],
)
def test_groups(voices: list[Voice], groups: list[list[int]]) -> None:
    assert grouped(*voices) == groups


def test_bounds_hold_against_the_evidence() -> None:
    far = [voice(place) for place in (0, 5, 9, 0, 5)]
    assert len(grouped(*far, most=2)) == 2
    near = [voice(0), voice(0.4), voice(0.1), voice(0.5)]
    assert grouped(*near) == [[0, 1, 2, 3]]
    assert grouped(*near, least=2) == [[0, 2], [1, 3]]


@pytest.mark.parametrize(("least", "most"), [(0, 3), (4, 3), (1, 27)])
def test_bounds_that_make_no_sense(least: int, most: int) -> None:
    with pytest.raises(ValueError, match="allowed are 1 to 26"):
        Bounds(least, most)


@pytest.mark.parametrize(("before", "leans_to"), [(0.0, 0), (5.0, 1)])
def test_a_short_stretch_leans_on_the_speaker_before(before: float, leans_to: int) -> None:
    groups = grouped(voice(0), voice(5), voice(before), voice(2.5, 0.2))
    assert 3 in groups[leans_to]


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(0.05, 20)), min_size=1, max_size=25),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_every_stretch_is_in_one_group_and_their_number_in_bounds(
    said: list[tuple[float, float]], least: int, more: int
) -> None:
    groups = grouped(*[voice(*one) for one in said], least=least, most=least + more)
    assert sorted(index for members in groups for index in members) == list(range(len(said)))
    assert len(groups) <= least + more
    assert [members[0] for members in groups] == sorted(members[0] for members in groups)


def test_pooling_weighs_by_length() -> None:
    both = pooled(Line(), [voice(0, 3.0), voice(4, 1.0)])
    assert (both.place.tolist(), both.voiced_s) == ([1.0], 4.0)
    assert alike(Line(), [voice(0)], [voice(0), voice(3)]).tolist() == [[1.0, -2.0]]


# --- labels and names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "before", "after"),
    [
        ([[1, 2], [3]], {}, {1: "Speaker A", 2: "Speaker A", 3: "Speaker B"}),
        # Names follow their lines, wherever the group comes.
        (
            [[1, 2], [3]],
            {1: "Speaker B", 2: "Speaker B", 3: "Anna"},
            {1: "Speaker B", 2: "Speaker B", 3: "Anna"},
        ),
        # One wrong line is put right by the others.
        ([[1, 2, 3]], {1: "Anna", 2: "Anna", 3: "Speaker B"}, dict.fromkeys((1, 2, 3), "Anna")),
        # Two made of one: the name stays with the larger part, the other is nobody yet.
        ([[1, 2], [3]], {1: "Anna", 2: "Anna", 3: "Anna"}, {1: "Anna", 2: "Anna", 3: "Speaker A"}),
        # One made of two named: the larger wins, and what a person said of the others is not undone.
        ([[1, 2, 3]], {1: "Anna", 2: "Anna", 3: "Ben"}, {1: "Anna", 2: "Anna", 3: "Ben"}),
        ([[1, 2]], {1: "Speaker A", 2: "Ben"}, {1: "Ben", 2: "Ben"}),
        # A new speaker never gets a label that stood for somebody.
        ([[1], [2], [3]], {1: "Speaker B", 2: "Speaker A"}, {1: "Speaker B", 2: "Speaker A", 3: "Speaker C"}),
        # Multiple is no speaker.
        ([[1, 2]], {1: MULTIPLE, 2: MULTIPLE}, {1: "Speaker A", 2: "Speaker A"}),
    ],
)
def test_labels_go_by_vote(groups: list[list[int]], before: dict[int, str], after: dict[int, str]) -> None:
    assert carry_over(groups, before, dict.fromkeys(before, 1.0)) == after


def test_votes_are_seconds() -> None:
    before = {1: "Anna", 2: "Ben", 3: "Ben"}
    assert carry_over([[1, 2, 3]], before, {1: 9.0, 2: 1.0, 3: 1.0})[1] == "Anna"


def test_lines_that_a_person_fixed_stay() -> None:
    before = {1: "Speaker A", 2: "Speaker A", 3: "Speaker B"}
    assert carry_over([[1, 2, 3]], before, dict.fromkeys(before, 1.0), fixed=[3])[3] == "Speaker B"


def test_a_stretch_in_two_groups_and_too_many_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="two groups"):
        carry_over([[1], [1]], {}, {})
    with pytest.raises(ValueError, match="26 labels"):
        carry_over([[key] for key in range(27)], {}, {})


NAMES = st.sampled_from(["Speaker A", "Speaker B", "Speaker C", "Anna", "Ben", MULTIPLE])


@given(st.lists(st.tuples(NAMES, st.integers(0, 3), st.floats(0, 30)), max_size=20))
def test_names_survive_any_clustering(said: list[tuple[str, int, float]]) -> None:
    before = {key: name for key, (name, _, _) in enumerate(said)}
    seconds = {key: length for key, (_, _, length) in enumerate(said)}
    numbers = sorted({number for _, number, _ in said})
    groups = [[key for key, (_, n, _) in enumerate(said) if n == number] for number in numbers]
    after = carry_over(groups, before, seconds)
    assert set(after) == set(before)
    given_names = {name for name in before.values() if not is_made_up(name)}
    assert given_names <= set(after.values())
    # Clustered the same once more, nothing changes.
    assert carry_over(groups, after, seconds) == after


# --- the book -----------------------------------------------------------------------------------------------


def test_labels_follow_the_first_appearance() -> None:
    book = SessionBook(Line(), Bounds())
    places = [3.0, -3.0, 3.0, 0.0, -3.0]
    labels = [book.add([(i, voice(p), 2.0)]).labels[i] for i, p in enumerate(places)]
    assert labels == ["Speaker A", "Speaker B", "Speaker A", "Speaker C", "Speaker B"]


def test_an_early_mistake_is_put_right_when_more_is_known() -> None:
    book = SessionBook(Line(), Bounds())
    assert book.add([(1, voice(0.7), 2.0), (2, voice(-0.7), 2.0)]).labels == {1: "Speaker A", 2: "Speaker B"}
    changed: dict[int, str] = {}
    for key in range(3, 12):
        changed |= book.add([(key, voice(0.0), 2.0)]).changed
    assert changed == {2: "Speaker A"}


def test_settling_keeps_names_and_regards_the_owners_count() -> None:
    book = SessionBook(Line(), Bounds())
    book.add([(1, voice(0), 2.0), (2, voice(0.3), 2.0), (3, voice(9), 2.0)])
    assert book.settle({3: "Anna"}) == {1: "Speaker A", 2: "Speaker A", 3: "Anna"}
    book.bound(Bounds(3, 3))
    assert sorted(book.settle({3: "Anna"}).values()) == ["Anna", "Speaker A", "Speaker B"]
    book.bound(Bounds(1, 1))
    assert book.settle() == dict.fromkeys((1, 2, 3), "Speaker A")


def test_three_at_once_are_multiple_and_no_speaker() -> None:
    book = SessionBook(Line(), Bounds())
    assert book.add([(1, voice(0), 2.0), (2, None, 1.0)]).labels == {1: "Speaker A", 2: MULTIPLE}
    assert book.add([(3, voice(9), 2.0)]).labels == {3: "Speaker B"}
    assert book.settle() == {1: "Speaker A", 2: MULTIPLE, 3: "Speaker B"}
    assert {name: v.place.tolist() for name, v in book.voices().items()} == {
        "Speaker A": [0.0],
        "Speaker B": [9.0],
    }


def test_a_long_session_stays_bounded_and_keeps_its_labels() -> None:
    book = SessionBook(Line(), Bounds())
    labels: dict[int, str] = {}
    for start in range(0, MAX_TURNS + 60, 20):
        voices = [(key, voice(3.0 if key % 3 else -3.0), 2.0) for key in range(start, start + 20)]
        assignment = book.add(voices)
        labels |= assignment.labels
        assert not assignment.changed
    assert len(book._entries) == MAX_TURNS
    assert all(name == ("Speaker B" if key % 3 else "Speaker A") for key, name in labels.items())
    assert book.settle() == labels


def test_a_key_is_used_once() -> None:
    book = SessionBook(Line(), Bounds())
    book.add([(7, voice(0), 1.0)])
    with pytest.raises(ValueError, match="key 7 was added before"):
        book.add([(7, voice(0), 1.0)])
