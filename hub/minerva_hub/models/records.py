"""What was pulled, file by file: the lock file beside the models, by which they are verified ever after."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from minerva_hub.errors import ConflictError, UserError

FILE: Final = "models.lock.json"
BUSY: Final = ".busy"
LOCK: Final = ".lock"
MAX_BYTES: Final = 1 << 20  # a record of a file has some 250 bytes; this is another file
Trust = Literal["stated", "recorded"]


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One file: `trust` says whether its hash was stated upstream or is what the first pull brought.

    `good` is what the last verification found; `mtime_ns` is the file's own, so that a change is noticed.
    """

    size: int
    sha256: str
    trust: Trust
    mtime_ns: int
    good: bool = True


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One model as it was pulled; outlives its files, so that its hashes hold when it is pulled again."""

    revision: str = ""
    pulled_ms: int
    verified_ms: int
    files: dict[str, FileRecord]


class _Lock(msgspec.Struct, frozen=True, kw_only=True):
    version: Literal[1] = 1
    models: dict[str, ModelRecord] = {}


def load(folder: Path) -> dict[str, ModelRecord]:
    """The records in the folder of the models; UserError when they cannot be read or are damaged."""
    path = folder / FILE
    try:
        raw = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return dict(msgspec.json.decode(raw, type=_Lock).models)
    except msgspec.DecodeError as error:
        raise UserError(
            f"{path} is damaged ({error}): put it back from a backup, or move it away; the hashes of "
            "the models are then recorded anew, unchecked where upstream states none"
        ) from error


def keep(folder: Path, name: str, record: ModelRecord | None) -> None:
    """Write the record of a model, or forget it; whole or not at all. OSError."""
    with (folder / LOCK).open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # for some milliseconds: others write it too
        records = load(folder)
        if record is None:
            records.pop(name, None)
        else:
            records[name] = record
        path = folder / FILE
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(_Lock(models=records)), indent=1))
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)


@contextmanager
def busy(folder: Path) -> Iterator[None]:
    """Hold the folder against other processes; ConflictError when one of them changes its models now."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / BUSY).open("ab")
    except OSError as error:
        raise UserError(f"the models' folder {folder} cannot be written: {error.strerror}") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConflictError(
                f"another process is busy with the models in {folder}; wait for it"
            ) from error
        yield
