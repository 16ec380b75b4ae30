"""Releases, refused uploads, trusted keys, groups, attributes: functions of a connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from minerva_hub.errors import ConflictError, UnknownItemError
from minerva_hub.events import Group, NewRelease, RefusedRelease, Release

# The artifacts that every release is, in the order in which they are uploaded.
MANIFEST, SIGNATURE, BUNDLE = "manifest.json", "manifest.sig", "files.bin"

MAX_REFUSED = 50  # the newest are shown; a hostile or broken uploader fills no disk
MAX_GROUPS = 200
MAX_MEMBERS = 5000  # of one group: above what a hub links

_RELEASE = """SELECT id, record, (SELECT count(*) FROM rollouts WHERE release_id = releases.id)
    FROM releases"""
_decode = msgspec.json.Decoder(NewRelease).decode


def _release(row: tuple[int, str, int]) -> Release:
    id_, record, rollouts = row
    return Release(id=id_, rollouts=rollouts, **msgspec.structs.asdict(_decode(record)))


def add_release(conn: sqlite3.Connection, new: NewRelease) -> Release:
    """Store a release; ConflictError when this manifest is there already."""
    known = conn.execute("SELECT id FROM releases WHERE digest = ?", (new.digest,)).fetchone()
    if known is not None:
        raise ConflictError(f"{new.name} {new.version} is here already, as release {known[0]}")
    text = msgspec.json.encode(new).decode()
    cursor = conn.execute("INSERT INTO releases (digest, record) VALUES (?, ?)", (new.digest, text))
    return Release(id=int(cursor.lastrowid or 0), **msgspec.structs.asdict(new))


def releases(conn: sqlite3.Connection) -> list[Release]:
    """All releases, newest first."""
    return [_release(row) for row in conn.execute(f"{_RELEASE} ORDER BY id DESC")]


def release(conn: sqlite3.Connection, id_: int) -> Release | None:
    """One release."""
    row = conn.execute(f"{_RELEASE} WHERE id = ?", (id_,)).fetchone()
    return _release(row) if row else None


def remove_release(conn: sqlite3.Connection, id_: int) -> Release:
    """Forget a release and its ended rollouts; UnknownItemError, or ConflictError while one goes on."""
    found = release(conn, id_)
    if found is None:
        raise UnknownItemError(f"there is no release {id_}")
    using = conn.execute(
        """SELECT id FROM rollouts WHERE release_id = ?1 AND (state IN ('running', 'paused') OR EXISTS (
            SELECT 1 FROM actions WHERE rollout_id = rollouts.id
            AND state IN ('planned', 'offered', 'running', 'canceling')))""",
        (id_,),
    ).fetchone()
    if using is not None:
        raise ConflictError(
            f"rollout {using[0]} uses release {id_}, devices may be fetching it: stop that first"
        )
    conn.execute("DELETE FROM rollouts WHERE release_id = ?", (id_,))
    conn.execute("DELETE FROM releases WHERE id = ?", (id_,))
    return found


def add_refused(conn: sqlite3.Connection, refused: RefusedRelease) -> None:
    """Note a refused upload; only the newest MAX_REFUSED are kept."""
    conn.execute(
        "INSERT INTO refused_releases (at_ms, code, message, name, version) VALUES (?, ?, ?, ?, ?)",
        (refused.at_ms, refused.code, refused.message, refused.name, refused.version),
    )
    conn.execute(
        "DELETE FROM refused_releases WHERE id <= (SELECT max(id) FROM refused_releases) - ?", (MAX_REFUSED,)
    )


def refused(conn: sqlite3.Connection) -> list[RefusedRelease]:
    """The newest refused uploads, newest first."""
    rows = conn.execute("SELECT at_ms, code, message, name, version FROM refused_releases ORDER BY id DESC")
    return [
        RefusedRelease(at_ms=at_ms, code=code, message=message, name=name, version=version)
        for at_ms, code, message, name, version in rows
    ]


def key_set(conn: sqlite3.Connection) -> tuple[str, int] | None:
    """The text of the trusted key set and since when, or None before the owner gave one."""
    row = conn.execute("SELECT text, at_ms FROM key_sets ORDER BY version DESC LIMIT 1").fetchone()
    return (str(row[0]), int(row[1])) if row else None


def set_key_set(conn: sqlite3.Connection, version: int, text: str, at_ms: int, *, replace: bool) -> None:
    """Trust a key set of a higher version, or any when it shall `replace` what was trusted.

    The caller has checked its signatures against the one before. ConflictError when another came meanwhile.
    """
    if replace:
        conn.execute("DELETE FROM key_sets")
    (newest,) = conn.execute("SELECT max(version) FROM key_sets").fetchone()
    if newest is not None and version <= newest:
        raise ConflictError(f"key set {version} is not newer than the trusted one, {newest}")
    conn.execute("INSERT INTO key_sets VALUES (?, ?, ?)", (version, at_ms, text))


def set_group(conn: sqlite3.Connection, name: str, devices: Iterable[str]) -> Group:
    """Make a group or give it other members; UnknownItemError names a device that is not registered."""
    wanted = sorted(set(devices))
    known = {row[0] for row in conn.execute("SELECT id FROM devices")}
    missing = [device for device in wanted if device not in known]
    if missing:
        raise UnknownItemError(
            f"there is no device {missing[0]!r}; `minerva device list` shows those there are"
        )
    if len(wanted) > MAX_MEMBERS:
        raise ConflictError(f"group {name} would have {len(wanted)} devices; at most {MAX_MEMBERS} are kept")
    if not conn.execute("SELECT 1 FROM device_groups WHERE name = ?", (name,)).fetchone():
        (count,) = conn.execute("SELECT count(*) FROM device_groups").fetchone()
        if count >= MAX_GROUPS:
            raise ConflictError(f"there are {count} groups, the limit")
        conn.execute("INSERT INTO device_groups VALUES (?)", (name,))
    conn.execute("DELETE FROM group_members WHERE name = ?", (name,))
    conn.executemany("INSERT INTO group_members VALUES (?, ?)", [(name, device) for device in wanted])
    return Group(name=name, devices=tuple(wanted))


def groups(conn: sqlite3.Connection) -> list[Group]:
    """All groups by name, with their devices by id."""
    rows = conn.execute(
        """SELECT device_groups.name, device FROM device_groups LEFT JOIN group_members USING (name)
        ORDER BY device_groups.name, device"""
    )
    found: dict[str, list[str]] = {}
    for name, device in rows:
        found.setdefault(name, []).extend([] if device is None else [device])
    return [Group(name=name, devices=tuple(devices)) for name, devices in found.items()]


def remove_group(conn: sqlite3.Connection, name: str) -> None:
    """Forget a group; UnknownItemError when there is none."""
    if not conn.execute("DELETE FROM device_groups WHERE name = ?", (name,)).rowcount:
        raise UnknownItemError(f"there is no group {name!r}")


def set_attributes(conn: sqlite3.Connection, device: str, attributes: dict[str, str], at_ms: int) -> None:
    """Keep what a device says of itself to the update server; one that was removed is ignored."""
    conn.execute(
        """INSERT INTO device_attributes SELECT id, ?2, ?3 FROM devices WHERE id = ?1
        ON CONFLICT (device) DO UPDATE SET at_ms = excluded.at_ms, attributes = excluded.attributes""",
        (device, at_ms, msgspec.json.encode(attributes).decode()),
    )


def attributes(conn: sqlite3.Connection, device: str) -> dict[str, str]:
    """What a device said of itself to the update server."""
    row = conn.execute("SELECT attributes FROM device_attributes WHERE device = ?", (device,)).fetchone()
    return msgspec.json.decode(row[0], type=dict[str, str]) if row else {}
