"""Utterances, sounds and gaps: functions of a connection, run by the store's threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from minerva_hub.errors import UnknownSessionError
from minerva_hub.events import Gap, NewSound, NewUtterance, ResumePoint, Sound, Utterance
from minerva_hub.store import sessions
from minerva_hub.store.rows import (
    MAX_ROWS,
    Query,
    checked_limit,
    pack_tone,
    pack_words,
    unpack_tone,
    unpack_words,
)
from minerva_hub.store.search import match_expression

__all__ = ["MAX_ROWS", "add_gap", "add_sound", "commit", "gap_counts", "gaps", "sounds", "utterances"]

_UTTERANCE = """SELECT id, session_id, device, room, speaker, start_ms, end_ms, text, words, engine, language,
    tone FROM utterances"""


def commit(
    conn: sqlite3.Connection,
    new: Sequence[NewUtterance],
    point: ResumePoint | None,
    changed: Mapping[int, str],
) -> list[Utterance]:
    """Store utterances, relabel older ones and move the resume point, all or nothing.

    Raises UnknownSessionError when a session was deleted meanwhile; relabelled ids that are gone are ignored.
    """
    known = set[int]()
    stored = []
    for utterance in new:
        if utterance.session_id not in known and not sessions.exists(conn, utterance.session_id):
            raise UnknownSessionError(f"session {utterance.session_id} does not exist, or was deleted")
        known.add(utterance.session_id)
        stored.append(_insert(conn, utterance))
    conn.executemany(
        "UPDATE utterances SET speaker = ? WHERE id = ?", [(label, id_) for id_, label in changed.items()]
    )
    if point is not None:
        sessions.save_resume(conn, point)
    return stored


def _insert(conn: sqlite3.Connection, new: NewUtterance) -> Utterance:
    cursor = conn.execute(
        """INSERT INTO utterances
        (session_id, device, room, speaker, start_ms, end_ms, text, words, engine, language, tone)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            new.session_id,
            new.device,
            new.room,
            new.speaker,
            new.start_ms,
            new.end_ms,
            new.text,
            pack_words(new.words, new.start_ms),
            new.engine,
            new.language,
            pack_tone(new.tone),
        ),
    )
    return Utterance(id=int(cursor.lastrowid or 0), **msgspec.structs.asdict(new))


def utterances(
    conn: sqlite3.Connection,
    session_id: int | None,
    q: str | None,
    since_ms: int | None,
    until_ms: int | None,
    device: str | None,
    speaker: str | None,
    limit: int,
    before_id: int | None,
    after_id: int | None,
) -> list[Utterance]:
    """See Store.utterances."""
    if before_id is not None and after_id is not None:
        raise ValueError("give before_id or after_id, not both")
    query = Query(_UTTERANCE)
    query.where("session_id = ?", session_id)
    query.where("start_ms >= ?", since_ms)
    query.where("start_ms < ?", until_ms)
    query.where("device = ?", device)
    query.where("speaker = ?", speaker)
    query.where("id > ?", after_id)
    query.where("(start_ms, id) < (SELECT start_ms, id FROM utterances WHERE id = ?)", before_id)
    # "+id" keeps to the index in order of time and stops at the limit: a search for a word that is everywhere
    # would otherwise read and sort half the timeline (100 000 utterances: 15 ms instead of 95 ms).
    query.where(
        "+id IN (SELECT rowid FROM utterance_text WHERE utterance_text MATCH ?)", match_expression(q or "")
    )
    order = "id" if after_id is not None else "start_ms DESC, id DESC"
    found = [_utterance(row) for row in query.run(conn, f"ORDER BY {order} LIMIT ?", checked_limit(limit))]
    return found if after_id is not None else found[::-1]


def _utterance(
    row: tuple[int, int, str, str, str, int, int, str, bytes, str, str, bytes | None],
) -> Utterance:
    id_, session_id, device, room, speaker, start_ms, end_ms, text, words, engine, language, tone = row
    return Utterance(
        id=id_,
        session_id=session_id,
        device=device,
        room=room,
        speaker=speaker,
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        words=unpack_words(words, start_ms),
        engine=engine,
        language=language,
        tone=unpack_tone(tone),
    )


def add_sound(conn: sqlite3.Connection, new: NewSound) -> Sound:
    """Store a sound event."""
    cursor = conn.execute(
        """INSERT INTO sounds (device, room, label, score, start_ms, end_ms, level_db)
        VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (new.device, new.room, new.label, new.score, new.start_ms, new.end_ms, new.level_db),
    )
    return Sound(id=int(cursor.lastrowid or 0), **msgspec.structs.asdict(new))


def sounds(
    conn: sqlite3.Connection, since_ms: int | None, until_ms: int | None, device: str | None, limit: int
) -> list[Sound]:
    """The newest `limit` sounds that begin in [since_ms, until_ms), oldest first."""
    query = Query("SELECT id, device, room, label, score, start_ms, end_ms, level_db FROM sounds")
    query.where("start_ms >= ?", since_ms)
    query.where("start_ms < ?", until_ms)
    query.where("device = ?", device)
    rows = query.run(conn, "ORDER BY start_ms DESC, id DESC LIMIT ?", checked_limit(limit))
    names = ("id", "device", "room", "label", "score", "start_ms", "end_ms", "level_db")
    return [Sound(**dict(zip(names, row, strict=True))) for row in reversed(rows)]


def add_gap(conn: sqlite3.Connection, gap: Gap) -> None:
    """Record a stretch of audio that was lost."""
    conn.execute(
        "INSERT INTO gaps (device, start_ms, end_ms, packets, reason) VALUES (?, ?, ?, ?, ?)",
        (gap.device, gap.start_ms, gap.end_ms, gap.packets, gap.reason),
    )


def gaps(conn: sqlite3.Connection, device: str | None, since_ms: int | None, limit: int) -> list[Gap]:
    """The newest `limit` gaps that end after `since_ms`, oldest first."""
    query = Query("SELECT device, start_ms, end_ms, packets, reason FROM gaps")
    query.where("device = ?", device)
    query.where("end_ms > ?", since_ms)
    rows = query.run(conn, "ORDER BY start_ms DESC, id DESC LIMIT ?", checked_limit(limit))
    names = ("device", "start_ms", "end_ms", "packets", "reason")
    return [Gap(**dict(zip(names, row, strict=True))) for row in reversed(rows)]


def gap_counts(conn: sqlite3.Connection) -> dict[str, int]:
    """How many gaps each device that has any has had."""
    return dict(conn.execute("SELECT device, count(*) FROM gaps GROUP BY device"))
