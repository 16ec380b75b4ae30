"""LocalAgreement: what is committed only grows, and the final begins with it, whatever was heard between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.transcribe import TimedWord, Transcript
from minerva_hub.transcribe.agreement import MAX_CHARACTERS, MAX_WORDS, LocalAgreement, begin_with

words = st.lists(
    st.sampled_from(["we", "We", "we,", "need", "knead", "to", "buy", "bread", "."]), max_size=12
)


def said(text: str, step_s: float = 0.5) -> Transcript:
    timed = tuple(
        TimedWord(word, i * step_s, (i + 1) * step_s - 0.1, 0.9) for i, word in enumerate(text.split())
    )
    return Transcript(text, timed, "en")


@pytest.mark.parametrize(
    ("hypotheses", "committed", "tail"),
    [
        ([], "", ""),
        (["we need"], "", "we need"),
        (["we need", "we need to"], "we need", "to"),
        (["we need", "we need"], "we", "need"),  # the newest word may be half spoken
        (["we kneel", "we need to buy"], "we", "need to buy"),
        (["we need to", "we need to buy", "he need to buy some"], "we need to buy", "some"),
        (["we need to", "we need to buy", "we knead to buy some", "we knead to buy some bread"],
         "we need to buy some", "bread"),
        (["we need to", "we need to", "", "we need to buy"], "we need", "to buy"),
        (["We need", "we need to"], "", "we need to"),  # shown as it stays: case and marks must agree too
    ],
)  # fmt: skip
def test_what_two_hypotheses_say_alike_is_committed(hypotheses: list[str], committed: str, tail: str) -> None:
    agreement = LocalAgreement()
    for hypothesis in hypotheses:
        agreement.push(hypothesis.split())
    assert agreement.text == (committed, tail)


def test_nothing_is_committed_of_sound_that_may_belong_to_the_next_segment() -> None:
    agreement = LocalAgreement()
    for _ in range(3):
        agreement.push("we need to buy".split(), certain=False)
    assert agreement.text == ("", "we need to buy")
    agreement.push("we need to buy bread".split())
    assert agreement.text == ("we need to buy", "bread")


@given(st.lists(st.tuples(words, st.booleans()), max_size=12), words)
def test_committed_words_never_change_and_the_final_begins_with_them(
    steps: list[tuple[list[str], bool]], final: list[str]
) -> None:
    agreement = LocalAgreement()
    before: tuple[str, ...] = ()
    for hypothesis, certain in steps:
        agreement.push(hypothesis, certain=certain)
        assert agreement.committed[: len(before)] == before
        assert certain or agreement.committed == before
        before = agreement.committed
    whole = said(" ".join(final))
    kept = begin_with(before, whole, 8.0)
    texts = tuple(word.text for word in kept.words)
    assert texts[: len(before)] == before
    assert kept.text == " ".join(texts)
    times = [time for word in kept.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert all(0 <= time <= 8.0 for time in times)
    assert begin_with((), whole, 8.0) == whole


@pytest.mark.parametrize(
    ("committed", "final", "kept"),
    [
        ("we need", "we need to buy", "we need to buy"),
        ("we need", "We need, to buy", "we need to buy"),  # as it was shown
        ("we kneel to", "we need to buy", "we kneel to buy"),
        ("we need to to", "we need to buy bread", "we need to to bread"),
        ("we to", "we need to buy", "we to buy"),
        ("we need", "", "we need"),
        ("we need some milk", "we need", "we need some milk"),
        ("good morning", "morning Anna", "good morning Anna"),
    ],
)
def test_the_final_begins_with_what_was_shown_as_certain(committed: str, final: str, kept: str) -> None:
    assert begin_with(tuple(committed.split()), said(final), 4.0).text == kept


def test_times_are_those_of_the_final_and_what_it_lacks_lies_between() -> None:
    kept = begin_with(("we", "also", "need"), said("we need bread"), 2.0)
    assert [(w.text, w.start_s, w.end_s, w.confidence) for w in kept.words] == [
        ("we", 0.0, 0.4, 0.9), ("also", 0.4, 0.5, 0.0), ("need", 0.5, 0.9, 0.9), ("bread", 1.0, 1.4, 0.9),
    ]  # fmt: skip
    alone = begin_with(("we", "need"), said(""), 2.0)
    assert [(w.start_s, w.end_s) for w in alone.words] == [(0.0, 1.0), (1.0, 2.0)]


def test_a_partial_is_bounded() -> None:
    agreement = LocalAgreement()
    for _ in range(3):
        agreement.push(["word"] * 1000)
    assert len(agreement.committed) + len(agreement.tail) == MAX_WORDS
    agreement = LocalAgreement()
    for _ in range(3):
        agreement.push(["longest" * 100] * 100)
    committed, tail = agreement.text
    assert len(f"{committed} {tail}") <= MAX_CHARACTERS
