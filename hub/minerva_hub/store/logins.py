"""The store's part for the owner's login: the password's hash, and the logins with their ends."""

from __future__ import annotations

import sqlite3

from minerva_hub.events import Login
from minerva_hub.store.database import Database


class Logins:
    """Hashes only. Every write is on disk when its call returns; any call may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def password_hash(self) -> str | None:
        """The owner's password as Argon2 keeps it; None before one was set."""
        return await self._db.read(_password_hash)

    async def set_password_hash(self, password_hash: str, now_ms: int) -> int:
        """Replace the owner's password, which ends all logins; returns how many those were."""
        return await self._db.write(lambda conn: _set_password_hash(conn, password_hash, now_ms))

    async def rehash(self, old: str, new: str) -> bool:
        """Keep the same password with newer parameters. False: it was changed meanwhile, and stays."""
        return await self._db.write(lambda conn: _rehash(conn, old, new))

    async def add(self, login: Login, password_hash: str, keep: int) -> bool:
        """Keep a login and drop expired ones and all but the newest `keep`.

        False, and nothing is kept: the password is no longer the one of `password_hash`.
        """
        return await self._db.write(lambda conn: _add(conn, login, password_hash, keep))

    async def find(self, id_hash: str, now_ms: int) -> Login | None:
        """A login that has not expired."""
        return await self._db.read(lambda conn: _find(conn, id_hash, now_ms))

    async def all(self, now_ms: int) -> list[Login]:
        """Those that have not expired, newest first."""
        return await self._db.read(lambda conn: _all(conn, now_ms))

    async def remove(self, id_hash: str) -> None:
        """End a login."""
        await self._db.write(lambda conn: conn.execute("DELETE FROM logins WHERE id_hash = ?", (id_hash,)))

    async def remove_all(self) -> int:
        """End all logins; returns how many there were."""
        return await self._db.write(_remove_all)


def _password_hash(conn: sqlite3.Connection) -> str | None:
    row = conn.execute("SELECT password_hash FROM owner").fetchone()
    return None if row is None else str(row[0])


def _set_password_hash(conn: sqlite3.Connection, password_hash: str, now_ms: int) -> int:
    conn.execute("INSERT OR REPLACE INTO owner VALUES (1, ?, ?)", (password_hash, now_ms))
    return _remove_all(conn)


def _rehash(conn: sqlite3.Connection, old: str, new: str) -> bool:
    changed = conn.execute("UPDATE owner SET password_hash = ? WHERE password_hash = ?", (new, old))
    return changed.rowcount > 0


def _add(conn: sqlite3.Connection, login: Login, password_hash: str, keep: int) -> bool:
    if _password_hash(conn) != password_hash:
        return False
    row = (login.id_hash, login.created_ms, login.expires_ms, login.address, login.agent)
    conn.execute("INSERT INTO logins VALUES (?, ?, ?, ?, ?)", row)
    conn.execute("DELETE FROM logins WHERE expires_ms <= ?", (login.created_ms,))
    conn.execute(
        """DELETE FROM logins
        WHERE rowid NOT IN (SELECT rowid FROM logins ORDER BY rowid DESC LIMIT ?)""",
        (keep,),
    )
    return True


def _find(conn: sqlite3.Connection, id_hash: str, now_ms: int) -> Login | None:
    row = conn.execute(
        "SELECT * FROM logins WHERE id_hash = ? AND expires_ms > ?", (id_hash, now_ms)
    ).fetchone()
    return None if row is None else _login(row)


def _all(conn: sqlite3.Connection, now_ms: int) -> list[Login]:
    rows = conn.execute("SELECT * FROM logins WHERE expires_ms > ? ORDER BY rowid DESC", (now_ms,))
    return [_login(row) for row in rows]


def _remove_all(conn: sqlite3.Connection) -> int:
    return conn.execute("DELETE FROM logins").rowcount


def _login(row: tuple[str, int, int, str, str]) -> Login:
    id_hash, created_ms, expires_ms, address, agent = row
    return Login(id_hash=id_hash, created_ms=created_ms, expires_ms=expires_ms, address=address, agent=agent)
