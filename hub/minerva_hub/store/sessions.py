"""Devices, sessions, and resume points: functions of a connection, run by the store's threads."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping

from minerva_hub.errors import StoreError, UnknownSessionError
from minerva_hub.events import DeviceRecord, ResumePoint, Session
from minerva_hub.store import campaigns
from minerva_hub.store.rows import Query, checked_limit

BOOTS_KEPT = 4  # resume points of a device's older boots: it may crash and restart before it links again

_SESSION = """SELECT id, device, room, start_ms, end_ms,
    (SELECT count(*) FROM utterances WHERE session_id = sessions.id),
    (SELECT group_concat(speaker, char(31)) FROM
        (SELECT DISTINCT speaker FROM utterances WHERE session_id = sessions.id ORDER BY speaker))
    FROM sessions"""


def _session(row: tuple[int, str, str, int, int | None, int, str | None]) -> Session:
    id_, device, room, start_ms, end_ms, utterances, speakers = row
    return Session(
        id=id_,
        device=device,
        room=room,
        start_ms=start_ms,
        end_ms=end_ms,
        utterances=utterances,
        speakers=tuple(speakers.split("\x1f")) if speakers else (),
    )


def add_device(conn: sqlite3.Connection, record: DeviceRecord) -> None:
    """Raises StoreError when the id is taken."""
    row = (record.id, record.room, record.token_hash, record.created_ms, record.mode, record.muted)
    if not conn.execute("INSERT OR IGNORE INTO devices VALUES (?, ?, ?, ?, ?, ?)", row).rowcount:
        raise StoreError(f"device {record.id!r} is registered already")


def devices(conn: sqlite3.Connection, id_: str | None = None) -> list[DeviceRecord]:
    """All devices by id, or the one asked for."""
    query = Query("SELECT id, room, token_hash, created_ms, mode, muted FROM devices")
    query.where("id = ?", id_)
    return [
        DeviceRecord(
            id=id_, room=room, token_hash=token_hash, created_ms=created_ms, mode=mode, muted=bool(muted)
        )
        for id_, room, token_hash, created_ms, mode, muted in query.run(conn, "ORDER BY id")
    ]


def set_wish(conn: sqlite3.Connection, id_: str, mode: str | None, muted: bool) -> None:
    """Keep the privacy mode and mute that the owner chose for a device; one that is gone is ignored."""
    conn.execute("UPDATE devices SET mode = ?, muted = ? WHERE id = ?", (mode, muted, id_))


def renew_device(conn: sqlite3.Connection, id_: str, token_hash: str, room: str) -> bool:
    """Replace a device's token and room. False: there is no such device."""
    update = "UPDATE devices SET token_hash = ?, room = ? WHERE id = ?"
    return conn.execute(update, (token_hash, room, id_)).rowcount > 0


def remove_device(conn: sqlite3.Connection, id_: str) -> bool:
    """Forget a device and its resume points; what it heard stays. False: there was none."""
    campaigns.device_removed(conn, id_, time.time_ns() // 1_000_000)
    conn.execute("DELETE FROM resume WHERE device = ?", (id_,))
    return conn.execute("DELETE FROM devices WHERE id = ?", (id_,)).rowcount > 0


def begin_session(conn: sqlite3.Connection, device: str, room: str, start_ms: int) -> Session:
    """A new open session."""
    cursor = conn.execute(
        "INSERT INTO sessions (device, room, start_ms) VALUES (?, ?, ?)", (device, room, start_ms)
    )
    return Session(id=int(cursor.lastrowid or 0), device=device, room=room, start_ms=start_ms)


def speakers(conn: sqlite3.Connection, id_: int) -> dict[int, str]:
    """Whose each utterance of a session is."""
    return dict(conn.execute("SELECT id, speaker FROM utterances WHERE session_id = ?", (id_,)))


def end_session(conn: sqlite3.Connection, id_: int, end_ms: int) -> Session:
    """End a session, not before it began; an ended one gets the new end."""
    conn.execute("UPDATE sessions SET end_ms = max(start_ms, ?) WHERE id = ?", (end_ms, id_))
    found = session(conn, id_)
    if found is None:
        raise UnknownSessionError(f"session {id_} does not exist, or was deleted")
    return found


def settle_session(
    conn: sqlite3.Connection, id_: int, end_ms: int, changed: Mapping[int, tuple[str, str]]
) -> tuple[Session, dict[int, str]]:
    """See Store.settle_session."""
    relabelled = {
        utterance: now
        for utterance, (before, now) in changed.items()
        if conn.execute(
            "UPDATE utterances SET speaker = ? WHERE id = ? AND session_id = ? AND speaker = ?",
            (now, utterance, id_, before),
        ).rowcount
    }
    return end_session(conn, id_, end_ms), relabelled


def exists(conn: sqlite3.Connection, id_: int) -> bool:
    """Whether there is such a session, without counting what is in it."""
    return conn.execute("SELECT 1 FROM sessions WHERE id = ?", (id_,)).fetchone() is not None


def session(conn: sqlite3.Connection, id_: int) -> Session | None:
    """One session with its counts."""
    row = conn.execute(f"{_SESSION} WHERE id = ?", (id_,)).fetchone()
    return _session(row) if row else None


def open_sessions(conn: sqlite3.Connection) -> list[Session]:
    """Sessions without an end, oldest first: after a crash, those that were going on."""
    return [_session(row) for row in conn.execute(f"{_SESSION} WHERE end_ms IS NULL ORDER BY start_ms, id")]


def sessions(
    conn: sqlite3.Connection,
    since_ms: int | None,
    until_ms: int | None,
    device: str | None,
    limit: int,
    before_id: int | None,
) -> list[Session]:
    """Sessions that touch [since_ms, until_ms), newest first; `before_id` continues after that session."""
    query = Query(_SESSION)
    query.where("coalesce(end_ms, 9e18) >= ?", since_ms)
    query.where("start_ms < ?", until_ms)
    query.where("device = ?", device)
    query.where("(start_ms, id) < (SELECT start_ms, id FROM sessions WHERE id = ?)", before_id)
    rows = query.run(conn, "ORDER BY start_ms DESC, id DESC LIMIT ?", checked_limit(limit))
    return [_session(row) for row in rows]


def delete_session(conn: sqlite3.Connection, id_: int) -> bool:
    """Delete a conversation; its words stay in the search index's older parts until `purge`. False: none."""
    if not conn.execute("DELETE FROM sessions WHERE id = ?", (id_,)).rowcount:
        return False
    conn.execute("INSERT OR REPLACE INTO meta VALUES ('purge_due', '1')")
    return True


def purge(conn: sqlite3.Connection) -> bool:
    """Merge the search index so that it keeps no deleted word, where that is due. False: it was not."""
    if not conn.execute("DELETE FROM meta WHERE key = 'purge_due'").rowcount:
        return False
    conn.execute("INSERT INTO utterance_text (utterance_text) VALUES ('optimize')")
    return True


def save_resume(conn: sqlite3.Connection, point: ResumePoint) -> None:
    """Move a resume point forwards, by u32 serial arithmetic; one that lies behind is ignored."""
    conn.execute(
        """INSERT INTO resume (device, boot_id, stream, seq, end_ms, clock_offset_ms)
        VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (device, boot_id, stream) DO UPDATE
        SET seq = excluded.seq, end_ms = excluded.end_ms, clock_offset_ms = excluded.clock_offset_ms
        WHERE ((excluded.seq - seq) & 4294967295) < 2147483648""",
        (point.device, point.boot_id, point.stream, point.seq, point.end_ms, point.clock_offset_ms),
    )
    conn.execute(
        """DELETE FROM resume WHERE device = ?1 AND boot_id NOT IN (
            SELECT boot_id FROM resume WHERE device = ?1
            GROUP BY boot_id ORDER BY max(rowid) DESC LIMIT ?2)""",
        (point.device, BOOTS_KEPT),
    )


def resume(conn: sqlite3.Connection, device: str, boot_id: str, stream: int) -> ResumePoint | None:
    """The last settled packet of a stream of a boot."""
    row = conn.execute(
        "SELECT seq, end_ms, clock_offset_ms FROM resume WHERE device = ? AND boot_id = ? AND stream = ?",
        (device, boot_id, stream),
    ).fetchone()
    if row is None:
        return None
    return ResumePoint(
        device=device, boot_id=boot_id, stream=stream, seq=row[0], end_ms=row[1], clock_offset_ms=row[2]
    )
