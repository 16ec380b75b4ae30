"""People whom the owner enrolled by name: the only place where anything of a voice is kept."""

from __future__ import annotations

import array
import math
import sqlite3
import sys
from typing import Final

import msgspec

from minerva_hub.errors import ConflictError, StoreError, UnknownItemError
from minerva_hub.events import Enrolment, NewEnrolment
from minerva_hub.store.database import Database

MAX_NAME: Final = 80  # characters: it stands on a chip beside each line
MAX_PLACE: Final = 4096  # numbers of a voice; the largest embedding we know of has 1024
MAX_EACH: Final = 8  # voices of one person: another microphone, a cold
MAX_PEOPLE: Final = 64  # whom a house knows; each speaker is compared with all of their voices


class Enrolments:
    """Every write is on disk when its call returns; any call may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, new: NewEnrolment) -> Enrolment:
        """Keep a voice under a name; a name that is there gets one more.

        StoreError for a name or voice that cannot be one, ConflictError when there are too many.
        """
        _check(new)
        return await self._db.write(lambda conn: _add(conn, new))

    async def all(self, space: str | None = None) -> list[Enrolment]:
        """The voices kept, or those of one space, by name and then by age."""
        return await self._db.read(lambda conn: _all(conn, space))

    async def rename(self, name: str, to: str) -> int:
        """Call a person otherwise, which may join two; how many voices those were. UnknownItemError."""
        _check_name(to)
        return await self._db.write(lambda conn: _rename(conn, name, to))

    async def remove(self, id_: int) -> bool:
        """Forget one voice so that nothing of it is in the files any more. False: there was none."""
        return await self._forget("DELETE FROM enrolments WHERE id = ?", id_) > 0

    async def remove_person(self, name: str) -> int:
        """Forget all voices of a person, as `remove`; returns how many those were."""
        return await self._forget("DELETE FROM enrolments WHERE name = ?", name)

    async def _forget(self, sql: str, what: int | str) -> int:
        gone = await self._db.write(lambda conn: conn.execute(sql, (what,)).rowcount)
        # secure_delete overwrote the row; the log has it still, and copies of its page.
        if gone:
            await self._db.empty_log()
        return gone


def _check(new: NewEnrolment) -> None:
    _check_name(new.name)
    if not 1 <= len(new.place) <= MAX_PLACE:
        raise StoreError(f"{new.name}: a voice of {len(new.place)} numbers; allowed are 1 to {MAX_PLACE}")
    if not all(math.isfinite(value) for value in new.place):
        raise StoreError(f"{new.name}: a voice with numbers that are not finite")


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise StoreError(f"{name[:MAX_NAME]!r} is no name: allowed are 1 to {MAX_NAME} printable characters")


def _add(conn: sqlite3.Connection, new: NewEnrolment) -> Enrolment:
    (own,) = conn.execute("SELECT count(*) FROM enrolments WHERE name = ?", (new.name,)).fetchone()
    (people,) = conn.execute("SELECT count(DISTINCT name) FROM enrolments").fetchone()
    if own >= MAX_EACH:
        raise ConflictError(f"{new.name} has {own} voices, which is the limit: remove one")
    if not own and people >= MAX_PEOPLE:
        raise ConflictError(f"{people} people are enrolled, which is the limit: remove one")
    cursor = conn.execute(
        "INSERT INTO enrolments (name, space, place, voiced_s, created_ms) VALUES (?, ?, ?, ?, ?)",
        (new.name, new.space, _packed(new.place), new.voiced_s, new.created_ms),
    )
    return Enrolment(id=int(cursor.lastrowid or 0), **msgspec.structs.asdict(new))


def _all(conn: sqlite3.Connection, space: str | None) -> list[Enrolment]:
    rows = conn.execute(
        "SELECT id, name, space, place, voiced_s, created_ms FROM enrolments "
        "WHERE space = ?1 OR ?1 IS NULL ORDER BY name, id",
        (space,),
    )
    return [
        Enrolment(id=id_, name=name, space=space_, place=_unpacked(place), voiced_s=s, created_ms=ms)
        for id_, name, space_, place, s, ms in rows
    ]


def _rename(conn: sqlite3.Connection, name: str, to: str) -> int:
    count = "SELECT count(*) FROM enrolments WHERE name = ?"
    (moved,), (there,) = (conn.execute(count, (one,)).fetchone() for one in (name, to))
    if not moved:
        raise UnknownItemError(f"nobody is enrolled as {name!r}")
    if name != to and moved + there > MAX_EACH:
        raise ConflictError(f"{to} would have {moved + there} voices; the limit is {MAX_EACH}")
    return conn.execute("UPDATE enrolments SET name = ? WHERE name = ?", (to, name)).rowcount


def _packed(place: tuple[float, ...]) -> bytes:
    """float64, little-endian."""
    numbers = array.array("d", place)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _unpacked(place: bytes) -> tuple[float, ...]:
    numbers = array.array("d", place)
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)
