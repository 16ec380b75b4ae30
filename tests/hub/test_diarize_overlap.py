"""Two at once stay two turns; three or more are Multiple, which is nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.diarize.overlap import SHORT_S, Stretch, Untangled, alone, untangled


@pytest.mark.parametrize(
    ("heard", "turns"),
    [
        ([], []),
        ([(1, 1, 0)], []),
        ([(0, 2, 0)], [(0, 2, 0)]),
        ([(2, 3, 1), (0, 2, 0)], [(0, 2, 0), (2, 3, 1)]),
        # Two at once overlap.
        ([(0, 3, 0), (2, 5, 1)], [(0, 3, 0), (2, 5, 1)]),
        # One speaker's own stretches are one.
        ([(0, 2, 0), (1, 3, 0), (3, 4, 0)], [(0, 4, 0)]),
        # Three at once are nobody, and cut what each says alone.
        ([(0, 3, 0), (1, 4, 1), (2, 5, 2)], [(0, 2, 0), (1, 2, 1), (2, 3, None), (3, 4, 1), (3, 5, 2)]),
        ([(0, 2, 0), (0, 2, 1), (0, 2, 2), (0, 2, 3)], [(0, 2, None)]),
        # What is left of a stretch and is no more than a breath goes; a short one that was whole does not.
        ([(0, 2.05, 0), (0, 2, 1), (0, 2, 2)], [(0, 2, None)]),
        ([(0, 0.05, 0)], [(0, 0.05, 0)]),
    ],
)
def test_untangled(heard: list[Stretch], turns: list[Untangled]) -> None:
    assert untangled(heard) == turns


def test_where_somebody_speaks_alone() -> None:
    heard = [(0, 4, 0), (1, 2, 1), (3, 6, 2)]
    assert alone(heard, 0) == [(0, 1), (2, 3)]
    assert alone(heard, 1) == []
    assert alone(heard, 2) == [(4, 6)]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(0, 4)), max_size=14),
)
def test_no_sound_is_lost_and_nobody_is_told_in_a_crowd(raw: list[tuple[int, int, int]]) -> None:
    heard = [(start / 4, (start + length) / 4, who) for start, length, who in raw]
    turns = untangled(heard)
    assert turns == sorted(turns, key=lambda one: one[0])
    for tick in range(0, 61 * 4):
        at_s = tick / 16 + 0.01
        speaking = {who for a, b, who in heard if a <= at_s < b}
        told = {who for a, b, who in turns if a <= at_s < b}
        assert told == ({None} if len(speaking) >= 3 else speaking)
    assert SHORT_S < 1 / 4  # no stretch here is so short that it may go
