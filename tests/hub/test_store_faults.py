"""The store when things go wrong: full disk, kill, other processes, other versions, closed, cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from minerva_hub.errors import NewerDatabaseError, StoreBusyError, StoreError, StoreFullError
from minerva_hub.events import NewUtterance, ResumePoint, Session
from minerva_hub.store import Store, database, sessions
from minerva_hub.store.schema import MIGRATIONS


def said(session: Session, text: str, start_ms: int) -> NewUtterance:
    return NewUtterance(
        session_id=session.id,
        device="kitchen",
        room="Kitchen",
        speaker="Speaker A",
        start_ms=start_ms,
        end_ms=start_ms + 10,
        text=text,
    )


def point(seq: int) -> ResumePoint:
    return ResumePoint(device="kitchen", boot_id="b1", stream=0, seq=seq, end_ms=seq, clock_offset_ms=0)


async def fill(store: Store, session: Session) -> int:
    """Commit until the store is full; returns how many utterances it took."""
    for n in range(10_000):
        try:
            await store.commit([said(session, "word " * 200, n)], point(n))
        except StoreFullError as exc:
            assert "cannot grow" in str(exc) and "minerva.db" in str(exc)
            return n
    raise AssertionError("it never filled up")


async def test_the_folder_and_the_files_are_private(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "new" / "hub")
    await store.begin_session("kitchen", "Kitchen", 0)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "new" / "hub").iterdir()}
    assert modes.keys() >= {"minerva.db", "minerva.db-wal"} and set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "new" / "hub").stat().st_mode) == 0o700
    await store.close()


async def test_the_hub_keeps_its_id_and_its_timeline(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    hub_id = store.hub_id
    session = await store.begin_session("kitchen", "Kitchen", 0)
    await store.close()
    store = await Store.open(tmp_path)
    assert store.hub_id == hub_id and len(hub_id) == 16
    assert await store.open_sessions() == [session]
    await store.close()


async def test_a_full_database_loses_nothing_and_takes_more_once_there_is_room(tmp_path: Path) -> None:
    store = await Store.open(tmp_path, max_bytes=400_000)
    other = await store.begin_session("hall", "Hall", 0)
    await store.commit([said(other, "word " * 8_000, 0)], None)
    session = await store.begin_session("kitchen", "Kitchen", 0)
    count = await fill(store, session)
    assert count > 10
    assert await store.resume("kitchen", "b1", 0) == point(count - 1)
    assert len(await store.utterances(session_id=session.id, limit=10_000)) == count
    await store.delete_session(other.id)
    await store.commit([said(session, "word " * 200, count)], point(count))
    assert len(await store.utterances(session_id=session.id, q="word", limit=10_000)) == count + 1
    await store.close()


async def test_words_that_a_full_disk_kept_in_the_index_go_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(tmp_path)
    session = await store.begin_session("kitchen", "Kitchen", 0)
    for n in range(20):
        await store.commit([said(session, "xyzzyplugh", n)], None)

    def full(conn: sqlite3.Connection) -> bool:
        raise StoreFullError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(sessions, "purge", full)
        assert await store.delete_session(session.id)
        await store.close()
    assert b"xyzzyplugh" in (tmp_path / "minerva.db").read_bytes()
    store = await Store.open(tmp_path)
    assert not [path for path in tmp_path.iterdir() if b"xyzzyplugh" in path.read_bytes()]
    await store.close()


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_store_faults import fill, point, said
from minerva_hub.store import Store

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = await Store.open(Path(sys.argv[1]))
    session = await store.begin_session("kitchen", "Kitchen", 0)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    count = await fill(store, session)
    assert count > 10 and len(await store.utterances(limit=10_000)) == count
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await store.commit([said(session, "word " * 200, count)], point(count))
    assert len(await store.utterances(limit=10_000)) == count + 1
    await store.close()
    print("survived", count)

asyncio.run(main())
"""


async def test_a_file_that_the_system_will_not_let_grow(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        FULL_DISK,
        str(tmp_path),
        str(Path(__file__).parent),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert b"survived" in out


async def test_a_write_at_fault_fails_alone(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    session = await store.begin_session("kitchen", "Kitchen", 0)
    gone = Session(id=99, device="kitchen", room="Kitchen", start_ms=0)
    results = await asyncio.gather(
        *(store.commit([said(gone if n == 7 else session, f"w{n}", n)], point(n)) for n in range(20)),
        return_exceptions=True,
    )
    assert [n for n, result in enumerate(results) if isinstance(result, StoreError)] == [7]
    stored = await store.utterances()
    assert [u.text for u in stored] == [f"w{n}" for n in range(20) if n != 7]
    assert await store.resume("kitchen", "b1", 0) == point(19)
    await store.close()


async def test_more_writes_than_may_wait_all_arrive(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    session = await store.begin_session("kitchen", "Kitchen", 0)
    count = database.MAX_WAITING + 100
    await asyncio.gather(*(store.commit([said(session, "w", n)], None) for n in range(count)))
    found = await store.session(session.id)
    assert found is not None and found.utterances == count
    await store.close()


async def test_a_cancelled_writer_harms_nobody(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    session = await store.begin_session("kitchen", "Kitchen", 0)
    tasks = [asyncio.create_task(store.commit([said(session, f"w{n}", n)], None)) for n in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert {f"w{n}" for n in range(1, 50, 2)} <= {u.text for u in await store.utterances()}
    await store.close()


async def test_closing_finishes_what_waits_and_then_refuses(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    session = await store.begin_session("kitchen", "Kitchen", 0)
    tasks = [asyncio.create_task(store.commit([said(session, "w", n)], None)) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    assert len(await asyncio.gather(*tasks)) == 50
    with pytest.raises(StoreError, match="closed"):
        await store.begin_session("kitchen", "Kitchen", 0)
    with pytest.raises(StoreError, match="closed"):
        await store.sessions()


async def test_a_newer_database_is_left_untouched(tmp_path: Path) -> None:
    await (await Store.open(tmp_path)).close()
    path = tmp_path / "minerva.db"
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA user_version = 99")
    conn.close()
    before = path.read_bytes()
    with pytest.raises(NewerDatabaseError, match=rf"minerva\.db has format 99; .* up to {len(MIGRATIONS)}\."):
        await Store.open(tmp_path)
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "minerva.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"minerva\.db: file is not a database"):
        await Store.open(tmp_path)
    assert (tmp_path / "minerva.db").read_bytes().startswith(b"not a database")


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        await Store.open(tmp_path / "file" / "hub")


async def test_two_processes_open_and_write_at_once(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom minerva_hub.store import Store\n"
        "async def main():\n"
        "    store = await Store.open(Path(sys.argv[1]))\n"
        "    for n in range(40): await store.begin_session('other', 'Other', n)\n"
        "    await store.close()\n"
        "asyncio.run(main())"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path))
    store = await Store.open(tmp_path)
    written = 0
    while process.returncode is None:
        await store.begin_session("kitchen", "Kitchen", written)
        written += 1
        await asyncio.sleep(0.001)
    assert process.returncode == 0
    assert len(await store.sessions(device="other", limit=10_000)) == 40
    assert len(await store.sessions(device="kitchen", limit=10_000)) == written > 0
    await store.close()


async def test_a_lock_held_too_long_is_said_once_for_all_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    store = await Store.open(tmp_path)
    conn = sqlite3.connect(tmp_path / "minerva.db", isolation_level=None)
    conn.execute("BEGIN IMMEDIATE")
    writes = [store.begin_session("kitchen", "Kitchen", n) for n in range(10)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(result, StoreBusyError) for result in results)
    conn.execute("COMMIT")
    conn.close()
    await store.begin_session("kitchen", "Kitchen", 0)
    assert len(await store.sessions()) == 1
    await store.close()


COMMIT_FOREVER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_store_faults import point, said
from minerva_hub.store import Store

async def main():
    store = await Store.open(Path(sys.argv[1]))
    session = await store.begin_session("kitchen", "Kitchen", 0)
    n = 0
    while True:
        await asyncio.gather(*(store.commit([said(session, f"w{k}", k)], point(k)) for k in range(n, n + 5)))
        n += 5
        print(n, flush=True)

asyncio.run(main())
"""


async def test_a_kill_leaves_utterances_and_resume_point_in_step(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        COMMIT_FOREVER,
        str(tmp_path),
        str(Path(__file__).parent),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    promised = 0
    while promised < 100:
        promised = int(await asyncio.wait_for(process.stdout.readline(), 30))
    os.kill(process.pid, signal.SIGKILL)
    rest = (await process.stdout.read()).split()
    promised = int(rest[-1]) if rest else promised
    await process.wait()
    store = await Store.open(tmp_path)
    texts = [u.text for u in await store.utterances(limit=10_000)]
    resume = await store.resume("kitchen", "b1", 0)
    assert resume is not None and resume.seq + 1 == len(texts) >= promised
    assert texts == [f"w{n}" for n in range(len(texts))]
    assert len(await store.utterances(q="w", limit=10_000)) == len(texts)
    await store.close()
