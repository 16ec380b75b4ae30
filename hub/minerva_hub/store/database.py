"""SQLite behind asyncio: one writer thread that commits in groups, two readers, errors in Minerva's terms."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from minerva_hub.errors import StoreBusyError, StoreError, StoreFullError
from minerva_hub.store import schema

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

BUSY_TIMEOUT_MS = 5000  # how long another process (the `minerva` command) may hold the write lock
MAX_WAITING = 1024  # writes accepted and not committed: 20 s of the slowest disk we expect; then callers wait
GROUP = 64  # writes that share a transaction: more would delay the first of them noticeably
READERS = 2  # searches at once; a slow one leaves a reader for the page
WAL_PAGES = 1000  # checkpoint at 4 MB of log
_FULL = frozenset(  # what a write on a full disk, or past a quota, ends in
    """SQLITE_FULL SQLITE_IOERR_WRITE SQLITE_IOERR_FSYNC SQLITE_IOERR_DIR_FSYNC SQLITE_IOERR_TRUNCATE
    SQLITE_IOERR_SHMSIZE SQLITE_IOERR_SHMMAP SQLITE_IOERR_SHMOPEN""".split()
)


@dataclass(frozen=True)
class _Job:
    work: Work[Any]
    done: asyncio.Future[Any]


class Database:
    """One SQLite file. `write` and `read` take functions of a connection; both belong to one event loop.

    A write function may run twice (once in a group that failed, once alone), so it touches nothing else.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, max_bytes: int | None) -> None:
        self._path = path
        self._loop = loop
        self._closed = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._slots = asyncio.Semaphore(MAX_WAITING)
        schema.check_version(path)
        _make_private(path)
        with _translated(path):
            self._writer = _connect(path, max_bytes)
            try:
                self.hub_id = schema.migrate(self._writer, path)
                self._readers = [_connect(path, None, read_only=True) for _ in range(READERS)]
            except BaseException:
                self._writer.close()
                raise
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for conn in self._readers:
            self._idle.put(conn)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._thread = threading.Thread(target=self._write_forever, name="store-write", daemon=True)
        self._thread.start()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once that is on disk; waits while MAX_WAITING do.

        Raises StoreFullError or StoreError, and then nothing of it is stored. A cancelled caller's write
        may still happen.
        """
        async with self._slots:
            self._check_open()
            job = _Job(work, self._loop.create_future())
            self._jobs.put(job)
            result: T = await job.done
            return result

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot that holds everything committed so far."""
        self._check_open()
        return await self._loop.run_in_executor(self._pool, self._read, work)

    async def empty_log(self) -> None:
        """Move the write-ahead log into the file and empty it, so that it keeps no deleted text."""
        self._check_open()
        await self._loop.run_in_executor(None, self._empty_log)

    async def close(self) -> None:
        """Finish the waiting writes and close the file; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await self._loop.run_in_executor(None, self._close)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._path}: the store is closed")

    def _close(self) -> None:
        self._thread.join()
        self._pool.shutdown()
        for conn in self._readers:
            conn.close()
        self._writer.close()

    def _empty_log(self) -> None:
        with _translated(self._path):
            conn = _connect(self._path, None)
            try:
                (busy, *_) = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                conn.close()
        if busy:
            log.warning("%s: deleted text stays in its log until another process stops reading", self._path)

    def _read(self, work: Work[T]) -> T:
        conn = self._idle.get()
        try:
            with _translated(self._path):
                return work(conn)
        finally:
            self._idle.put(conn)

    def _write_forever(self) -> None:
        running = True
        while running:
            group = [self._jobs.get()]
            with suppress(queue.Empty):
                while group[-1] is not None and len(group) < GROUP:
                    group.append(self._jobs.get_nowait())
            running = group[-1] is not None
            jobs = [job for job in group if job is not None]
            self._run(jobs)

    def _run(self, jobs: list[_Job]) -> None:
        """Commit `jobs` in one transaction; if one fails, each in its own, so that only that one does."""
        try:
            with _translated(self._path):
                results = _transact(self._writer, jobs)
        except BaseException as exc:
            if len(jobs) > 1 and not isinstance(exc, StoreBusyError):
                for job in jobs:
                    self._run([job])
            else:
                for job in jobs:
                    self._answer(job, None, exc)
        else:
            for job, result in zip(jobs, results, strict=True):
                self._answer(job, result, None)

    def _answer(self, job: _Job, result: Any, error: BaseException | None) -> None:
        def answer() -> None:
            if job.done.cancelled():
                return
            if error is None:
                job.done.set_result(result)
            else:
                job.done.set_exception(error)

        with suppress(RuntimeError):  # the loop was closed before its store: nobody is waiting any more
            self._loop.call_soon_threadsafe(answer)


def _transact(conn: sqlite3.Connection, jobs: list[_Job]) -> list[Any]:
    conn.execute("BEGIN IMMEDIATE")
    try:
        results = [job.work(conn) for job in jobs]
        conn.execute("COMMIT")
    finally:
        if conn.in_transaction:  # SQLite ends it itself on a full disk
            conn.execute("ROLLBACK")
    return results


def _connect(path: Path, max_bytes: int | None, *, read_only: bool = False) -> sqlite3.Connection:
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        conn.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if read_only:
            conn.execute("PRAGMA query_only = ON")
            return conn
        conn.execute("PRAGMA journal_mode = WAL")
        # FULL: what was said cannot be said again, and a hub at home loses its mains. It costs one fsync a
        # group of writes, not one a write; NORMAL would lose up to the last WAL_PAGES of commits.
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA foreign_keys = ON")
        conn.execute("PRAGMA secure_delete = ON")  # a deleted conversation leaves no text in free pages
        conn.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        if max_bytes is not None:
            (page_size,) = conn.execute("PRAGMA page_size").fetchone()
            conn.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_size)}")
    except BaseException:
        conn.close()
        raise
    return conn


def _make_private(path: Path) -> None:
    """Make the folder and the file, for the owner's eyes only; the log files get the file's rights."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as exc:
        raise StoreError(f"the database cannot be opened: {exc}") from exc


class _translated:
    """Turn sqlite3's errors into the store's; a full disk is told from the rest."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        if not isinstance(exc, sqlite3.Error):
            return
        name = getattr(exc, "sqlite_errorname", "") or type(exc).__name__
        if name in _FULL:
            free_mb = shutil.disk_usage(self._path.parent).free / 1e6
            raise StoreFullError(
                f"{self._path} cannot grow: {exc} ({name}, {free_mb:.0f} MB free on its disk); "
                "nothing stored was lost"
            ) from exc
        if name.startswith("SQLITE_BUSY"):
            raise StoreBusyError(
                f"{self._path}: another process held the database for {BUSY_TIMEOUT_MS / 1000:.0f} s"
            ) from exc
        raise StoreError(f"{self._path}: {exc} ({name})") from exc
