"""The tables of updates: made from an older database, and asked without one statement for each device."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from ddi_hub import new_release
from minerva_hub.errors import ConflictError
from minerva_hub.events import DeviceRecord, Feedback, RefusedRelease
from minerva_hub.rollouts import Plan
from minerva_hub.rollouts.plan import decide, stages
from minerva_hub.store import Store, campaigns, schema
from minerva_hub.store.campaigns import NewRollout
from minerva_hub.store.releases import MAX_REFUSED

MANY = 500


async def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "minerva.db"
    conn = sqlite3.connect(path)
    for sql in schema.MIGRATIONS[0]:
        conn.execute(sql)
    conn.execute("PRAGMA user_version = 1")
    conn.execute("INSERT INTO meta VALUES ('hub_id', '0123456789abcdef')")
    conn.execute(
        "INSERT INTO devices (id, room, token_hash, created_ms, muted) VALUES ('old', 'Old', 'h', 1, 0)"
    )
    conn.commit()
    conn.close()
    store = await Store.open(tmp_path)
    assert store.hub_id == "0123456789abcdef"
    assert [device.id for device in await store.devices()] == ["old"]
    assert await store.updates.rollouts() == [] and await store.updates.releases() == []
    await store.updates.set_group("all", ["old"])
    release = await store.updates.add_release(new_release("1", "d" * 64, {"files.bin": b"x"}))
    made = await store.updates.add_rollout(rollout_of(release.id, ["old"]))
    await store.close()
    store = await Store.open(tmp_path)
    assert await store.updates.rollouts() == [made] and await store.updates.release(release.id) is not None
    await store.close()
    with sqlite3.connect(path) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
    conn.close()


def rollout_of(release: int, devices: list[str]) -> NewRollout:
    return NewRollout(
        release=release, target="all devices", success_percent=75, error_percent=20, silent_s=3600,
        stages=stages(devices, Plan(), salt="x"), skipped={},
    )  # fmt: skip


def asked(conn: sqlite3.Connection, work: object) -> tuple[object, int]:
    """The result of `work` and how many statements it took."""
    said: list[str] = []
    conn.set_trace_callback(said.append)
    try:
        return work(conn), len(said)  # type: ignore[operator]
    finally:
        conn.set_trace_callback(None)


async def test_five_hundred_devices_take_no_more_statements_than_one(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    devices = [f"d{n}" for n in range(MANY)]
    for id_ in devices:
        await store.add_device(DeviceRecord(id=id_, room="R", token_hash="h", created_ms=0))
    release = await store.updates.add_release(new_release("1", "d" * 64, {}))
    few = await store.updates.add_rollout(rollout_of(release.id, devices[:1]))
    many = await store.updates.add_rollout(rollout_of(release.id, devices))
    assert sum(stage.devices.get("offered", 0) for stage in many.stages) == 50
    await store.close()
    conn = sqlite3.connect(tmp_path / "minerva.db", isolation_level=None)
    try:
        _, costs_one = asked(conn, lambda c: campaigns.rollouts(c, 1, id_=few.id))
        all_, costs_all = asked(conn, lambda c: campaigns.rollouts(c, 1))
        assert costs_one == costs_all == 2 and len(all_) == 2  # type: ignore[arg-type]
        found, costs = asked(conn, lambda c: campaigns.actions(c, 1, rollout=many.id, limit=1000))
        assert (len(found), costs) == (MANY, 1)  # type: ignore[arg-type]
        conn.execute("UPDATE actions SET state = 'success' WHERE rollout_id = ? AND stage = 0", (many.id,))
        changed, costs = asked(conn, lambda c: campaigns.advance(c, decide, 2))
        assert many.id in changed and costs < 20  # type: ignore[operator]
        (now,) = campaigns.rollouts(conn, 3, id_=many.id)
        assert now.stages[1].devices == {"offered": 450}
        plan = conn.execute(
            "EXPLAIN QUERY PLAN SELECT 1 FROM actions WHERE device = 'd1' AND rollout_id > 1"
        ).fetchall()
        assert all("SCAN" not in str(row) for row in plan)
    finally:
        conn.close()


async def test_refused_uploads_are_bounded_and_the_newest_stay(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for n in range(MAX_REFUSED + 10):
        await store.updates.add_refused(
            RefusedRelease(at_ms=n, code="expired", message="late", version=str(n))
        )
    kept = await store.updates.refused()
    assert [one.at_ms for one in kept] == list(range(MAX_REFUSED + 9, 9, -1))
    await store.close()


async def test_key_sets_go_forwards_unless_they_are_replaced(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    assert await store.updates.key_set() is None
    await store.updates.set_key_set(3, "three")
    for version in (2, 3):
        with pytest.raises(ConflictError, match="not newer than the trusted one, 3"):
            await store.updates.set_key_set(version, "older")
    await store.updates.set_key_set(4, "four")
    assert (await store.updates.key_set() or ("",))[0] == "four"
    await store.updates.set_key_set(1, "anew", replace=True)
    assert (await store.updates.key_set() or ("",))[0] == "anew"
    await store.close()


async def test_the_same_manifest_is_one_release(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.updates.add_release(new_release("1", "d" * 64, {}))
    with pytest.raises(ConflictError, match="here already, as release 1"):
        await store.updates.add_release(new_release("1", "d" * 64, {}))
    await store.close()


async def test_feedback_of_a_device_that_is_not_registered(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.updates.set_attributes("ghost", {"a": "b"})
    assert await store.updates.attributes("ghost") == {}
    told = await store.updates.tell(
        "ghost", Feedback(action=1, at_ms=0, execution="closed", finished="success")
    )
    assert told.reply == "unknown"
    await store.close()
