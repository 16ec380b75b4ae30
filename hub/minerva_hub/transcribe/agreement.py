"""LocalAgreement-2: which words of a stretch still being spoken are certain enough to be shown as they stay.

Each hypothesis is the words of the stretch so far, from its first sample. What two in a row say alike after
the committed words is committed too, but for the newest words, which may be half spoken. Committed words
never change: a later hypothesis gives what follows them, and the final transcript is made to begin with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from minerva_hub.transcribe.base import TimedWord, Transcript, sound_of

HOLD: Final = 1  # words at the end of a hypothesis that are never committed by it
MAX_WORDS: Final = 200  # of a partial: nobody says seven words a second for the 30 s that a segment may last
MAX_CHARACTERS: Final = 2000  # of a partial, the spaces between words included

Words = tuple[str, ...]


class LocalAgreement:
    """The hypotheses of one stretch of speech; `committed` only grows, `tail` is what may change yet."""

    __slots__ = ("_before", "committed", "tail")

    def __init__(self) -> None:
        self.committed: Words = ()
        self.tail: Words = ()
        self._before: Words = ()

    def push(self, hypothesis: Sequence[str], *, certain: bool = True) -> None:
        """Take the next hypothesis, of more sound than the last one.

        `certain`: all of its sound is sure to belong to the stretch; otherwise nothing is committed by it.
        """
        words = bounded(hypothesis)
        if certain:
            earlier = self._before[after(self.committed, self._before) :]
            agreed = _common(earlier, words[after(self.committed, words) : max(0, len(words) - HOLD)])
            self.committed = bounded([*self.committed, *agreed])
        self._before = words
        self.tail = bounded([*self.committed, *words[after(self.committed, words) :]])[len(self.committed) :]

    @property
    def text(self) -> tuple[str, str]:
        """The committed words and the tail, as text."""
        return " ".join(self.committed), " ".join(self.tail)


def bounded(words: Sequence[str]) -> Words:
    """The first words, as many as a partial may have."""
    kept: list[str] = []
    room = MAX_CHARACTERS
    for word in words[:MAX_WORDS]:
        room -= len(word) + 1
        if room < -1:
            break
        kept.append(word)
    return tuple(kept)


def after(committed: Sequence[str], words: Sequence[str]) -> int:
    """How many of `words` say what the committed ones say: the least edits, the most words at equal edits."""
    costs = _costs(committed, words)[-1]
    return min(range(len(costs)), key=lambda count: (costs[count], -count))


def begin_with(committed: Words, final: Transcript, length_s: float) -> Transcript:
    """The final transcript of a stretch of `length_s`, beginning with what was committed of it.

    Times are those of the final words that say the same; a committed word that the final lacks lies between
    its neighbours, without confidence.
    """
    if not committed or tuple(word.text for word in final.words[: len(committed)]) == committed:
        return final
    pairs, used = _aligned(committed, final.words)
    rest = final.words[used:]
    end_s = rest[0].start_s if rest else (final.words[-1].end_s if final.words else length_s)
    words: list[TimedWord] = []
    for place, (text, match) in enumerate(zip(committed, pairs, strict=True)):
        if match is not None:
            words.append(replace(match, text=text))
            continue
        start_s = words[-1].end_s if words else 0.0
        missing = next((i for i, one in enumerate(pairs[place:]) if one is not None), None)
        following = None if missing is None else pairs[place + missing]
        until_s = max(start_s, end_s if following is None else following.start_s)
        share_s = (until_s - start_s) / (len(pairs) - place if missing is None else missing)
        words.append(TimedWord(text, round(start_s, 3), round(start_s + share_s, 3), 0.0))
    said = (*words, *rest)
    return Transcript(" ".join(word.text for word in said), said, final.language)


def _common(one: Words, other: Words) -> Words:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return other[:count]


def _costs(committed: Sequence[str], words: Sequence[str]) -> list[list[int]]:
    """Levenshtein's table over words: [i][j] edits make the first j words of the first i committed ones."""
    one, other = [sound_of(word) for word in committed], [sound_of(word) for word in words]
    table = [list(range(len(other) + 1))]
    for i, mine in enumerate(one, 1):
        row = [i]
        for j, theirs in enumerate(other, 1):
            row.append(min(table[i - 1][j - 1] + (mine != theirs), table[i - 1][j] + 1, row[j - 1] + 1))
        table.append(row)
    return table


def _aligned(committed: Words, words: Sequence[TimedWord]) -> tuple[list[TimedWord | None], int]:
    """For each committed word the final word that it stands for, if any; how many final words they use."""
    texts = [word.text for word in words]
    table = _costs(committed, texts)
    used = j = after(committed, texts)
    i = len(committed)
    pairs: list[TimedWord | None] = [None] * i
    while i:
        same = j and sound_of(committed[i - 1]) == sound_of(texts[j - 1])
        if j and table[i][j] == table[i - 1][j - 1] + (not same):
            i, j = i - 1, j - 1
            pairs[i] = words[j]
        elif table[i][j] == table[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs, used
