"""Rollouts and the updates of single devices within them: functions of a connection.

An action is *planned* until its stage opens, then *offered* until its device fetches it, then *running*; it
ends as success, failure or canceled. Of a running one that is taken back the device is asked (*canceling*).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec

from minerva_hub.errors import ConflictError, UnknownItemError
from minerva_hub.events import Action, ActionState, Record, Rollout, StageInfo
from minerva_hub.store.rows import Query

MAX_ROLLOUTS = 200  # rollouts that ended; older ones go with their history
SUPERSEDED = "a newer rollout took its place"

# `failed`, `unproven` and `short` stop the rollout, each with its reason.
Verdict = Literal["wait", "next", "failed", "unproven", "short", "finish"]
STOPS: dict[Verdict, str] = {
    "failed": "too many devices failed",
    "unproven": "no device is left that could show that the release works",
    "short": "too few devices of a stage run the release, and none of it is left to try",
}
Decide = Callable[[Rollout], Verdict]

_ROLLOUT = """SELECT rollouts.id, release_id, json_extract(record, '$.version'), target, state, reason,
    created_ms, changed_ms, stage, success_percent, error_percent, silent_s, skipped
    FROM rollouts JOIN releases ON releases.id = release_id"""
_ROLLOUT_FIELDS = (
    "id", "release", "version", "target", "state", "reason", "created_ms", "changed_ms", "stage",
    "success_percent", "error_percent", "silent_s",
)  # fmt: skip
_ACTION = """SELECT actions.id, rollout_id, release_id, json_extract(record, '$.version'), device,
    actions.stage, actions.state, detail, progress, actions.created_ms, actions.changed_ms, silent_s
    FROM actions JOIN rollouts ON rollouts.id = rollout_id JOIN releases ON releases.id = release_id"""
_ACTION_FIELDS = (
    "id", "rollout", "release", "version", "device", "stage", "state", "detail", "progress", "created_ms",
    "changed_ms",
)  # fmt: skip


class NewRollout(Record, frozen=True, kw_only=True):
    """A rollout that is not stored yet: `stages` says which device is in which."""

    release: int
    target: str
    success_percent: int
    error_percent: int
    silent_s: int
    stages: tuple[tuple[str, int], ...]
    skipped: dict[str, str]


def add_rollout(conn: sqlite3.Connection, new: NewRollout, now_ms: int) -> int:
    """Begin a rollout with its first stage open; its id. UnknownItemError: the release is gone."""
    if not conn.execute("SELECT 1 FROM releases WHERE id = ?", (new.release,)).fetchone():
        raise UnknownItemError(f"there is no release {new.release}")
    cursor = conn.execute(
        """INSERT INTO rollouts (release_id, target, state, reason, created_ms, changed_ms, stage,
            success_percent, error_percent, silent_s, skipped)
        VALUES (?, ?, 'running', '', ?, ?, 0, ?, ?, ?, ?)""",
        (
            new.release,
            new.target,
            now_ms,
            now_ms,
            new.success_percent,
            new.error_percent,
            new.silent_s,
            msgspec.json.encode(new.skipped).decode(),
        ),
    )
    id_ = int(cursor.lastrowid or 0)
    conn.executemany(
        """INSERT INTO actions (rollout_id, device, stage, state, detail, created_ms, changed_ms)
        VALUES (?, ?, ?, 'planned', '', ?, ?)""",
        [(id_, device, stage, now_ms, now_ms) for device, stage in new.stages],
    )
    _open_stage(conn, id_, 0, now_ms)
    conn.execute(
        """DELETE FROM rollouts WHERE id IN (SELECT id FROM rollouts WHERE state IN ('finished', 'stopped')
            AND NOT EXISTS (SELECT 1 FROM actions WHERE rollout_id = rollouts.id AND state = 'canceling')
            ORDER BY id DESC LIMIT -1 OFFSET ?)""",
        (MAX_ROLLOUTS,),
    )
    return id_


def _open_stage(conn: sqlite3.Connection, id_: int, stage: int, now_ms: int) -> None:
    """Offer the release to the devices of a stage, and take from them what older rollouts have for them."""
    conn.execute("UPDATE rollouts SET stage = ?, changed_ms = ? WHERE id = ?", (stage, now_ms, id_))
    conn.execute(
        """UPDATE actions SET detail = ?3, changed_ms = ?4,
            state = CASE WHEN state IN ('running', 'canceling') THEN 'canceling' ELSE 'canceled' END
        WHERE state IN ('planned', 'offered', 'running', 'canceling') AND rollout_id < ?1 AND device IN (
            SELECT device FROM actions WHERE rollout_id = ?1 AND stage = ?2 AND state = 'planned')""",
        (id_, stage, SUPERSEDED, now_ms),
    )
    conn.execute(
        """UPDATE actions SET state = 'offered', changed_ms = ?3
        WHERE rollout_id = ?1 AND stage = ?2 AND state = 'planned'""",
        (id_, stage, now_ms),
    )


def advance(conn: sqlite3.Connection, decide: Decide, now_ms: int) -> list[int]:
    """Go on with every rollout that is open, as `decide` says; the ids of those that changed."""
    changed = []
    for rollout in rollouts(conn, now_ms, open_only=True):
        before, state = rollout, rollout.state
        while state in ("running", "paused"):
            verdict = decide(rollout)
            if verdict == "next" and state == "running":
                _open_stage(conn, rollout.id, rollout.stage + 1, now_ms)
            elif verdict in STOPS:
                stop(conn, rollout.id, STOPS[verdict], now_ms)
            elif verdict == "finish":
                set_state(conn, rollout.id, "finished", "", now_ms)
            else:
                break
            (rollout,) = rollouts(conn, now_ms, id_=rollout.id)
            state = rollout.state
        if rollout is not before:
            changed.append(rollout.id)
    return changed


def set_state(conn: sqlite3.Connection, id_: int, state: str, reason: str, now_ms: int) -> None:
    """Change the state of a rollout, nothing else."""
    conn.execute(
        "UPDATE rollouts SET state = ?, reason = ?, changed_ms = ? WHERE id = ?", (state, reason, now_ms, id_)
    )


def stop(conn: sqlite3.Connection, id_: int, reason: str, now_ms: int) -> None:
    """End a rollout: what no device fetched is canceled, devices that did are asked to give it up."""
    set_state(conn, id_, "stopped", reason, now_ms)
    conn.execute(
        """UPDATE actions SET state = CASE state WHEN 'running' THEN 'canceling' ELSE 'canceled' END,
            detail = 'the rollout was stopped', changed_ms = ?2
        WHERE rollout_id = ?1 AND state IN ('planned', 'offered', 'running')""",
        (id_, now_ms),
    )


def change(conn: sqlite3.Connection, id_: int, wish: Literal["pause", "resume", "stop"], now_ms: int) -> None:
    """What the owner asks of a rollout; UnknownItemError, or ConflictError where its state forbids it."""
    row = conn.execute("SELECT state FROM rollouts WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise UnknownItemError(f"there is no rollout {id_}")
    allowed = {"pause": ("running",), "resume": ("paused",), "stop": ("running", "paused")}[wish]
    if row[0] not in allowed:
        raise ConflictError(f"rollout {id_} is {row[0]}: {wish} is for one that is {' or '.join(allowed)}")
    if wish == "stop":
        stop(conn, id_, "the owner stopped it", now_ms)
    else:
        state, reason = ("paused", "the owner paused it") if wish == "pause" else ("running", "")
        set_state(conn, id_, state, reason, now_ms)


def device_removed(conn: sqlite3.Connection, device: str, now_ms: int) -> None:
    """Cancel what was open for a device that is removed from the registry."""
    conn.execute(
        """UPDATE actions SET state = 'canceled', detail = 'the device was removed', changed_ms = ?2
        WHERE device = ?1 AND state IN ('planned', 'offered', 'running', 'canceling')""",
        (device, now_ms),
    )


def rollouts(
    conn: sqlite3.Connection,
    now_ms: int,
    *,
    id_: int | None = None,
    open_only: bool = False,
    limit: int = MAX_ROLLOUTS,
) -> list[Rollout]:
    """Rollouts, newest first, with their devices counted by stage and state: two statements for all."""
    query = Query(_ROLLOUT)
    query.where("rollouts.id = ?", id_)
    query.where("(? AND state IN ('running', 'paused'))", True if open_only else None)
    rows = query.run(conn, "ORDER BY rollouts.id DESC LIMIT ?", limit)
    counts, silent = _counts(conn, [row[0] for row in rows], now_ms)
    found = []
    for row in rows:
        stages = tuple(
            StageInfo(stage=stage, devices=dict(by_state))
            for stage, by_state in sorted(counts.get(row[0], {}).items())
        )
        fields: dict[str, Any] = dict(zip(_ROLLOUT_FIELDS, row[:-1], strict=True))
        skipped = msgspec.json.decode(row[-1], type=dict[str, str])
        found.append(Rollout(**fields, stages=stages, silent=silent.get(row[0], 0), skipped=skipped))
    return found


def _counts(
    conn: sqlite3.Connection, ids: Sequence[int], now_ms: int
) -> tuple[dict[int, dict[int, dict[ActionState, int]]], dict[int, int]]:
    counts: dict[int, dict[int, dict[ActionState, int]]] = {}
    silent: dict[int, int] = {}
    rows = conn.execute(
        """SELECT rollout_id, actions.stage, actions.state, count(*),
            sum(actions.changed_ms < ?2 - 1000 * silent_s)
        FROM actions JOIN rollouts ON rollouts.id = rollout_id
        WHERE rollout_id IN (SELECT value FROM json_each(?1)) GROUP BY 1, 2, 3""",
        (msgspec.json.encode(list(ids)).decode(), now_ms),
    )
    for id_, stage, state, count, late in rows:
        counts.setdefault(id_, {}).setdefault(stage, {})[state] = count
        if state in ("offered", "running", "canceling"):
            silent[id_] = silent.get(id_, 0) + late
    return counts, silent


def actions(
    conn: sqlite3.Connection,
    now_ms: int,
    *,
    id_: int | None = None,
    rollout: int | None = None,
    device: str | None = None,
    limit: int,
) -> list[Action]:
    """Actions of a rollout by stage and device, or of a device, newest first."""
    query = Query(_ACTION)
    query.where("actions.id = ?", id_)
    query.where("rollout_id = ?", rollout)
    query.where("device = ?", device)
    order = "actions.stage, device" if rollout is not None else "actions.id DESC"
    return [_action(row, now_ms) for row in query.run(conn, f"ORDER BY {order} LIMIT ?", limit)]


def _action(row: Iterable[Any], now_ms: int) -> Action:
    *values, silent_s = row
    fields: dict[str, Any] = dict(zip(_ACTION_FIELDS, values, strict=True))
    waits = fields["state"] in ("offered", "running", "canceling")
    return Action(**fields, silent=waits and fields["changed_ms"] < now_ms - 1000 * silent_s)
