"""Small helpers between rows and records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from minerva_hub.events import Tone, Word

MAX_ROWS = 10_000  # of one answer: some 3 MB of utterances; more is paged

_PackedWord = tuple[str, int, int, float]
_unpack = msgspec.msgpack.Decoder(list[_PackedWord]).decode
_pack = msgspec.msgpack.Encoder().encode
_unpack_tone = msgspec.msgpack.Decoder(Tone).decode


def pack_words(words: Iterable[Word], start_ms: int) -> bytes:
    """Words as MessagePack with times relative to the utterance: a fifth of the records' JSON."""
    return _pack([(w.text, w.start_ms - start_ms, w.end_ms - start_ms, w.confidence) for w in words])


def pack_tone(tone: Tone | None) -> bytes | None:
    """A tone as it is kept."""
    return None if tone is None else _pack(tone)


def unpack_tone(blob: bytes | None) -> Tone | None:
    """The inverse of pack_tone."""
    return None if blob is None else _unpack_tone(blob)


def unpack_words(blob: bytes, start_ms: int) -> tuple[Word, ...]:
    """The inverse of pack_words."""
    return tuple(
        Word(text=text, start_ms=start_ms + start, end_ms=start_ms + end, confidence=confidence)
        for text, start, end, confidence in _unpack(blob)
    )


def checked_limit(limit: int) -> int:
    """`limit` itself, or ValueError outside 1 to MAX_ROWS."""
    if not 1 <= limit <= MAX_ROWS:
        raise ValueError(f"limit {limit} is outside 1 to {MAX_ROWS}")
    return limit


class Query:
    """A SELECT whose conditions are added where their value is given."""

    def __init__(self, select: str) -> None:
        self._select = select
        self._conditions: list[str] = []
        self._values: list[object] = []

    def where(self, condition: str, value: object) -> None:
        """Add `condition`, which has one placeholder, unless `value` is None."""
        if value is not None:
            self._conditions.append(condition)
            self._values.append(value)

    def run(self, conn: sqlite3.Connection, tail: str, *values: object) -> list[Any]:
        """All rows, with `tail` (order and limit) at the end of the statement."""
        where = f" WHERE {' AND '.join(self._conditions)}" if self._conditions else ""
        return conn.execute(f"{self._select}{where} {tail}", (*self._values, *values)).fetchall()
