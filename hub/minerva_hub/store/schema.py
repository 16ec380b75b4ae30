"""The database's tables, one migration a version; `PRAGMA user_version` says how many of them a file has."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

from minerva_hub.errors import NewerDatabaseError, StoreError
from minerva_hub.store.schema_auth import VERSION_2
from minerva_hub.store.schema_enrolments import VERSION_5
from minerva_hub.store.schema_tone import VERSION_4
from minerva_hub.store.schema_updates import VERSION_3

MIN_SQLITE = (3, 37, 0)  # STRICT tables

# Ids are AUTOINCREMENT: a number once shown to a client never comes to mean another row.
# Speaker labels are not in the full-text table, so relabelling a session does not touch it.
_VERSION_1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    """CREATE TABLE devices (
        id TEXT PRIMARY KEY, room TEXT NOT NULL, token_hash TEXT NOT NULL, created_ms INTEGER NOT NULL,
        mode TEXT, muted INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, room TEXT NOT NULL,
        start_ms INTEGER NOT NULL, end_ms INTEGER
    ) STRICT""",
    "CREATE INDEX sessions_by_start ON sessions (start_ms)",
    "CREATE INDEX sessions_open ON sessions (device) WHERE end_ms IS NULL",
    """CREATE TABLE utterances (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        device TEXT NOT NULL, room TEXT NOT NULL, speaker TEXT NOT NULL,
        start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, text TEXT NOT NULL,
        words BLOB NOT NULL, engine TEXT NOT NULL, language TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX utterances_by_start ON utterances (start_ms)",
    "CREATE INDEX utterances_by_device ON utterances (device, start_ms)",
    "CREATE INDEX utterances_by_session ON utterances (session_id, start_ms, speaker)",
    """CREATE VIRTUAL TABLE utterance_text USING fts5 (
        text, content='utterances', content_rowid='id', tokenize='unicode61 remove_diacritics 2', prefix='2 3'
    )""",
    """CREATE TRIGGER utterances_insert AFTER INSERT ON utterances BEGIN
        INSERT INTO utterance_text (rowid, text) VALUES (new.id, new.text);
    END""",
    """CREATE TRIGGER utterances_delete AFTER DELETE ON utterances BEGIN
        INSERT INTO utterance_text (utterance_text, rowid, text) VALUES ('delete', old.id, old.text);
    END""",
    """CREATE TRIGGER utterances_update AFTER UPDATE OF text ON utterances BEGIN
        INSERT INTO utterance_text (utterance_text, rowid, text) VALUES ('delete', old.id, old.text);
        INSERT INTO utterance_text (rowid, text) VALUES (new.id, new.text);
    END""",
    """CREATE TABLE sounds (
        id INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, room TEXT NOT NULL, label TEXT NOT NULL,
        score REAL NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, level_db REAL
    ) STRICT""",
    "CREATE INDEX sounds_by_start ON sounds (start_ms)",
    """CREATE TABLE gaps (
        id INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, start_ms INTEGER NOT NULL,
        end_ms INTEGER NOT NULL, packets INTEGER NOT NULL, reason TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX gaps_by_device ON gaps (device, start_ms)",
    """CREATE TABLE resume (
        device TEXT NOT NULL, boot_id TEXT NOT NULL, stream INTEGER NOT NULL,
        seq INTEGER NOT NULL CHECK (seq BETWEEN 0 AND 4294967295), end_ms INTEGER NOT NULL,
        clock_offset_ms INTEGER NOT NULL,
        UNIQUE (device, boot_id, stream)
    ) STRICT""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5)


def check_version(path: Path) -> None:
    """Refuse a database of a newer Minerva, or a file that is none, having opened it read-only."""
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: Minerva needs 3.37 or newer")
    if not path.exists() or path.stat().st_size == 0:
        return
    conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        _refuse_newer(conn, path)
    except sqlite3.DatabaseError as exc:
        raise StoreError(f"{path}: {exc}") from exc
    finally:
        conn.close()


def migrate(conn: sqlite3.Connection, path: Path) -> str:
    """Bring the database up to date in one transaction; returns the hub's id, made at the first open."""
    conn.execute("BEGIN IMMEDIATE")  # another process may be opening it too: decide under the lock
    try:
        version = _refuse_newer(conn, path)
        for statements in MIGRATIONS[version:]:
            for sql in statements:
                conn.execute(sql)
        conn.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        conn.execute("INSERT OR IGNORE INTO meta VALUES ('hub_id', ?)", (secrets.token_hex(8),))
        (hub_id,) = conn.execute("SELECT value FROM meta WHERE key = 'hub_id'").fetchone()
        conn.execute("COMMIT")
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
    return str(hub_id)


def _refuse_newer(conn: sqlite3.Connection, path: Path) -> int:
    version = int(conn.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise NewerDatabaseError(
            f"{path} has format {version}; this Minerva knows formats up to {len(MIGRATIONS)}. "
            "Nothing was changed: start the newer Minerva, or choose another folder with store.path"
        )
    return version
