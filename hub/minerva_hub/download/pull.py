"""Pulls a model: its files one after the other, each verified, then the record that makes it usable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from minerva_hub.download.answers import WrongFileError
from minerva_hub.download.archive import unpack
from minerva_hub.download.fetch import Fetcher
from minerva_hub.download.parts import check_room
from minerva_hub.errors import DownloadError, UserError
from minerva_hub.models import records
from minerva_hub.models.checking import Progress, Status, hash_file, model_folder, status
from minerva_hub.models.listing import Model, ModelFile
from minerva_hub.models.records import FileRecord, ModelRecord, Trust


def check_pullable(model: Model) -> None:
    """UserError where upstream wants the owner's own consent; says what to do instead."""
    if model.gated:
        raise UserError(
            f"{model.name}: Minerva cannot fetch it, as {model.source} asks for an account and your consent "
            "to its conditions. Get it there yourself and put it where docs/models.md says"
        )


async def pull(
    model: Model, folder: Path, fetcher: Fetcher, progress: Progress = lambda name, done, of: None
) -> Status:
    """Bring the model into its folder; what is there and right stays. Ends with a model that is ready.

    Files come in the list's order; `progress` is told the file, the bytes of the whole model that are there,
    and about how many there will be. DownloadError; UserError where it needs a consent; ConflictError while
    another process is busy with the models. What came is kept, unless it is wrong.
    """
    check_pullable(model)
    with records.busy(folder):
        return await _Pull(model, folder, fetcher, progress).run()


@dataclass(frozen=True, slots=True)
class _Got:
    """A file that is in its place."""

    sha256: str
    trust: Trust


class _Pull:
    def __init__(self, model: Model, folder: Path, fetcher: Fetcher, progress: Progress) -> None:
        self._model = model
        self._folder = folder
        self._home = model_folder(folder, model)
        self._fetcher = fetcher
        self._progress = progress
        self._before = records.load(folder).get(model.name)
        # Without a revision in the list, that of the first pull: a file that is gone comes back as it was.
        self._revision = model.revision or (self._before.revision if self._before else "")
        stated = [model.archive.size] if model.archive else [file.size for file in model.file]
        known = [size for size in stated if size is not None]
        self._total = sum(known) if len(known) == len(stated) else model.size_mb * 1_000_000
        self._done = 0

    async def run(self) -> Status:
        there = await asyncio.to_thread(self._there)
        self._done = sum((self._home / name).stat().st_size for name in there)
        missing = [file for file in self._model.file if file.name not in there]
        if missing:
            needed = self._total - self._done
            await asyncio.to_thread(check_room, self._folder, needed, self._fetcher.config.reserve_bytes)
        if missing and self._model.archive:
            there |= await self._from_archive()
        else:
            for file in missing:
                there[file.name] = await self._file(file)
                # At once, so that a pull that is cut here knows next time what is in its place.
                await asyncio.to_thread(self._record, there)
        await asyncio.to_thread(self._record, there)
        return await asyncio.to_thread(status, self._folder, self._model)

    def _there(self) -> dict[str, _Got]:
        """The files that are in their place and are what they must be."""
        found: dict[str, _Got] = {}
        for file in self._model.file:
            expected, trust = self._expected(file)
            path = self._home / file.name
            if expected is not None and path.is_file() and hash_file(path) == expected:
                found[file.name] = _Got(expected, trust)
        return found

    def _expected(self, file: ModelFile) -> tuple[str | None, Trust]:
        """The hash that a file must have: the list's, else the one recorded of the same revision."""
        if file.sha256:
            return file.sha256, "stated"
        before = self._before.files.get(file.name) if self._before else None
        if before is None or (self._before and self._before.revision != self._revision):
            return None, "recorded"
        return before.sha256, before.trust

    async def _file(self, file: ModelFile) -> _Got:
        expected, trust = self._expected(file)
        try:
            got = await self._fetcher.fetch(
                self._model.url_of(file, self._revision),
                self._home / file.name,
                limit=file.size or self._model.max_bytes - self._done,
                size=file.size,
                sha256=expected,
                progress=self._telling(file.name),
            )
        except WrongFileError as error:
            if trust == "stated":
                raise
            raise WrongFileError(
                f"{error}. That hash was recorded when {self._model.name} was first pulled. If you trust "
                f"what is there now: minerva models remove {self._model.name} --forget, and pull again"
            ) from error
        self._done += got.size
        self._revision = self._revision or got.revision
        stated = trust == "stated" or got.stated == got.sha256
        return _Got(got.sha256, "stated" if stated else "recorded")

    async def _from_archive(self) -> dict[str, _Got]:
        archive = self._model.archive
        assert archive is not None  # noqa: S101 - the caller looked
        path = self._home / archive.url.rsplit("/", 1)[-1]
        await self._fetcher.fetch(
            archive.url,
            path,
            limit=archive.size or self._model.max_bytes,
            size=archive.size,
            sha256=archive.sha256,
            progress=self._telling(path.name),
        )
        expected = {file.name: self._expected(file) for file in self._model.file}
        wanted = [msgspec.structs.replace(file, sha256=expected[file.name][0]) for file in self._model.file]
        try:
            found = await asyncio.to_thread(
                unpack, path, archive.folder, wanted, self._home, self._model.max_bytes
            )
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        trust: Trust = "stated" if archive.sha256 else "recorded"
        return {
            name: _Got(sha256, "stated" if expected[name][1] == "stated" else trust)
            for name, sha256 in found.items()
        }

    def _telling(self, name: str) -> Callable[[int, int | None], None]:
        before = self._done

        def tell(done: int, of: int | None) -> None:
            self._total = max(self._total, before + done)
            self._progress(name, before + done, self._total)

        return tell

    def _record(self, got: dict[str, _Got]) -> None:
        now_ms = time.time_ns() // 1_000_000
        files = dict(self._before.files) if self._before else {}
        for name, one in got.items():
            stat = (self._home / name).stat()
            files[name] = FileRecord(
                size=stat.st_size, sha256=one.sha256, trust=one.trust, mtime_ns=stat.st_mtime_ns
            )
        record = ModelRecord(revision=self._revision, pulled_ms=now_ms, verified_ms=now_ms, files=files)
        try:
            records.keep(self._folder, self._model.name, record)
        except OSError as error:
            raise DownloadError(
                f"{self._folder}: what was pulled cannot be recorded: {error.strerror}; it is kept: pull "
                "again"
            ) from error
