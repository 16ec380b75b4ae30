"""A download on its way to the disk: NAME.part and what is known of it, hashed while it is written."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from minerva_hub.errors import DownloadError
from minerva_hub.models.checking import PART, PIECE

NOTE: Final = ".part.json"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Which file a part is of: its address, and its ETag, which the server gives this content."""

    url: str
    etag: str = ""


class Part:
    """The part of a file that is here already. Its calls are blocking: use them in a thread."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(target.name + PART)
        self._note = target.with_name(target.name + NOTE)
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        self.size = 0
        self.gained = 0  # bytes that came in this run

    def open(self, url: str, *, trusting: bool) -> Origin:
        """Go on with what is here of `url`, hashing it; else there is nothing, and `restart` begins.

        Without an ETag nobody could say whether the rest belongs to it: only when `trusting`, as the hash of
        the whole is known beforehand, it is gone on with all the same.
        """
        self.close()
        origin = Origin(url=url)
        try:
            noted = msgspec.json.decode(self._note.read_bytes(), type=Origin)
            if noted.url == url and (noted.etag or trusting):
                origin = noted
                self._file = self._path.open("r+b")
        except (OSError, msgspec.DecodeError):
            self._file = None
        self._digest, self.size = hashlib.sha256(), 0
        while self._file is not None and (piece := self._file.read(PIECE)):
            self._digest.update(piece)
            self.size += len(piece)
        return origin

    def restart(self, origin: Origin) -> None:
        """Forget what is here, and begin a part of `origin`. DownloadError: the disk is full."""
        self.close()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._note.write_bytes(msgspec.json.encode(origin))
            self._file = self._path.open("w+b")
        except OSError as error:
            raise _trouble(error, self._target, 0) from error
        self._digest, self.size = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Append. DownloadError when the disk is full; what was written before is kept."""
        assert self._file is not None  # noqa: S101 - open() or restart() came before
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise _trouble(error, self._target, self.size) from error
        self._digest.update(data)
        self.size += len(data)
        self.gained += len(data)

    @property
    def folder(self) -> Path:
        """Where it is written to."""
        return self._target.parent

    @property
    def sha256(self) -> str:
        """Of what is here, hex."""
        return self._digest.hexdigest()

    def finish(self) -> None:
        """It is whole and what it must be: put it in its place, at once or not at all."""
        assert self._file is not None  # noqa: S101 - open() or restart() came before
        try:
            os.fsync(self._file.fileno())
            self.close()
            self._path.replace(self._target)
            self._note.unlink(missing_ok=True)
        except OSError as error:
            raise _trouble(error, self._target, self.size) from error

    def discard(self) -> None:
        """Remove it: it is not what it must be."""
        self.close()
        self._path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.size = 0

    def close(self) -> None:
        """Let go of the file; what is in it stays for the next time."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


def check_room(folder: Path, needed: int, reserve: int) -> None:
    """DownloadError unless `needed` bytes fit on the disk, and `reserve` stay for everything else."""
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if needed + reserve > free:
        raise DownloadError(
            f"the disk of {folder} is too full: {megabytes(needed)} are needed and {megabytes(reserve)} stay "
            f"free for the timeline, {megabytes(free)} are free; make room and pull again"
        )


def megabytes(size: int) -> str:
    """A size as people read it."""
    return f"{size / 1e6:.1f} MB" if size < 10_000_000 else f"{size / 1e6:.0f} MB"


def _trouble(error: OSError, target: Path, kept: int) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError(
            f"the disk is full while {target} is written; {megabytes(kept)} of it are kept: make room and "
            "pull again"
        )
    return DownloadError(f"{target} cannot be written: {error.strerror or error}")
