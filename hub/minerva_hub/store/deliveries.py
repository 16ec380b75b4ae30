"""What the update server offers a device, and what the device says about it: functions of a connection."""

from __future__ import annotations

import sqlite3
from typing import Literal

import msgspec

from minerva_hub.events import ActionState, Feedback, Record, UpdateState

MAX_FEEDBACK = 50  # of one action, the newest: a download in steps of 5 % and a retry
CLOSED: tuple[ActionState, ...] = ("success", "failure", "canceled")
Reply = Literal["ok", "unknown", "closed"]


class Work(Record, frozen=True, kw_only=True):
    """What a device is to do; `configure`: it should say what it is. `installed` is its last success."""

    action: int | None = None
    release: int | None = None
    cancel: bool = False
    installed: int | None = None
    configure: bool = True


class Told(Record, frozen=True, kw_only=True):
    """What became of a feedback: the action's `state` after it, its `rollout`, the release's `version`."""

    reply: Reply
    rollout: int = 0
    state: ActionState = "planned"
    version: str = ""
    progress: int | None = None


def work(conn: sqlite3.Connection, device: str) -> Work:
    """What is open for a device: what it must give up, else what it has begun, else the newest offer."""
    row = conn.execute(
        """SELECT actions.id, release_id, actions.state FROM actions JOIN rollouts ON rollouts.id = rollout_id
        WHERE device = ? AND (actions.state IN ('canceling', 'running')
            OR (actions.state = 'offered' AND rollouts.state = 'running'))
        ORDER BY actions.state = 'canceling' DESC, actions.state = 'running' DESC, actions.id DESC LIMIT 1""",
        (device,),
    ).fetchone()
    installed = conn.execute(
        """SELECT id, changed_ms FROM actions WHERE device = ? AND state = 'success'
        ORDER BY changed_ms DESC, id DESC LIMIT 1""",
        (device,),
    ).fetchone()
    said = conn.execute("SELECT at_ms FROM device_attributes WHERE device = ?", (device,)).fetchone()
    return Work(
        action=row[0] if row else None,
        release=row[1] if row else None,
        cancel=bool(row) and row[2] == "canceling",
        installed=installed[0] if installed else None,
        configure=said is None or (installed is not None and installed[1] > said[0]),
    )


def take(conn: sqlite3.Connection, device: str, action: int, now_ms: int) -> int | None:
    """The release of an action that a device asks for, which has begun then; None: it has no such one."""
    found = _action(conn, device, action)
    if found is None or found.state in ("planned", "canceling", "canceled"):
        return None
    if found.state == "offered":
        if found.rollout_state != "running":
            return None
        conn.execute(
            "UPDATE actions SET state = 'running', detail = 'fetched', changed_ms = ? WHERE id = ?",
            (now_ms, action),
        )
    return found.release


def canceling(conn: sqlite3.Connection, device: str, action: int) -> bool:
    """Whether the device is asked to give this action up."""
    found = _action(conn, device, action)
    return found is not None and found.state == "canceling"


def may_fetch(conn: sqlite3.Connection, device: str, release: int) -> bool:
    """Whether a release is, or was, offered to a device."""
    found = conn.execute(
        """SELECT 1 FROM actions JOIN rollouts ON rollouts.id = rollout_id
        WHERE device = ? AND release_id = ? AND actions.state NOT IN ('planned', 'canceled')""",
        (device, release),
    ).fetchone()
    return found is not None


def tell(conn: sqlite3.Connection, device: str, said: Feedback, *, of_cancel: bool, now_ms: int) -> Told:
    """Take what a device says about an action of its own; `of_cancel`: about giving it up."""
    found = _action(conn, device, said.action)
    if found is None or found.state == "planned":
        return Told(reply="unknown")
    if found.state in CLOSED:
        return Told(reply="closed")
    if of_cancel and found.state != "canceling":
        return Told(reply="unknown")
    after = _after_cancel(said) if of_cancel else _after(said, found.state)
    detail = said.details[-1] if said.details else said.execution
    conn.execute(
        """UPDATE actions SET state = ?, detail = ?, progress = coalesce(?, progress), changed_ms = ?
        WHERE id = ?""",
        (after, detail, said.progress, now_ms, said.action),
    )
    conn.execute(
        """INSERT INTO feedback (action_id, at_ms, execution, finished, progress, details)
        VALUES (?, ?, ?, ?, ?, ?)""",
        (
            said.action,
            said.at_ms,
            said.execution,
            said.finished,
            said.progress,
            msgspec.json.encode(said.details).decode(),
        ),
    )
    conn.execute(
        """DELETE FROM feedback WHERE action_id = ?1 AND id NOT IN (
            SELECT id FROM feedback WHERE action_id = ?1 ORDER BY id DESC LIMIT ?2)""",
        (said.action, MAX_FEEDBACK),
    )
    return Told(reply="ok", rollout=found.rollout, state=after, version=found.version, progress=said.progress)


def _after(said: Feedback, state: ActionState) -> ActionState:
    if said.execution == "closed":  # hawkBit takes `none` for a success too
        return "failure" if said.finished == "failure" else "success"
    if said.execution == "canceled":  # nobody asked it to: it gave up by itself
        return "canceled" if state == "canceling" else "failure"
    return "canceling" if state == "canceling" else "running"


def _after_cancel(said: Feedback) -> ActionState:
    if said.execution == "closed":
        return "failure" if said.finished == "failure" else "canceled"
    if said.execution == "canceled":
        return "canceled"
    return "running" if said.execution == "rejected" else "canceling"


class _Found(Record, frozen=True, kw_only=True):
    state: ActionState
    release: int
    rollout: int
    rollout_state: str
    version: str


def _action(conn: sqlite3.Connection, device: str, action: int) -> _Found | None:
    row = conn.execute(
        """SELECT actions.state, release_id, rollout_id, rollouts.state, json_extract(record, '$.version')
        FROM actions JOIN rollouts ON rollouts.id = rollout_id JOIN releases ON releases.id = release_id
        WHERE actions.id = ? AND device = ?""",
        (action, device),
    ).fetchone()
    names = _Found.__struct_fields__
    return _Found(**dict(zip(names, row, strict=True))) if row else None


def latest(conn: sqlite3.Connection) -> dict[str, UpdateState]:
    """How far the newest update of each device is."""
    rows = conn.execute(
        """SELECT device, actions.state, actions.changed_ms, json_extract(record, '$.version'), progress,
            actions.id, detail
        FROM (SELECT max(id) AS newest FROM actions WHERE state <> 'planned' GROUP BY device)
        JOIN actions ON actions.id = newest JOIN rollouts ON rollouts.id = rollout_id
        JOIN releases ON releases.id = release_id"""
    )
    names = ("state", "at_ms", "version", "progress", "action", "detail")
    return {row[0]: UpdateState(**dict(zip(names, row[1:], strict=True))) for row in rows}


def waiting(conn: sqlite3.Connection) -> list[str]:
    """The devices that have something to ask the update server for."""
    rows = conn.execute(
        """SELECT DISTINCT device FROM actions JOIN rollouts ON rollouts.id = rollout_id
        WHERE actions.state = 'canceling' OR (actions.state = 'offered' AND rollouts.state = 'running')"""
    )
    return [device for (device,) in rows]


def history(conn: sqlite3.Connection, device: str, limit: int) -> list[Feedback]:
    """What a device told the update server, newest first."""
    rows = conn.execute(
        """SELECT action_id, at_ms, execution, finished, feedback.progress, details
        FROM feedback JOIN actions ON actions.id = action_id WHERE device = ?
        ORDER BY feedback.id DESC LIMIT ?""",
        (device, limit),
    )
    return [
        Feedback(
            action=action,
            at_ms=at_ms,
            execution=execution,
            finished=finished,
            progress=progress,
            details=msgspec.json.decode(details, type=tuple[str, ...]),
        )
        for action, at_ms, execution, finished, progress, details in rows
    ]
