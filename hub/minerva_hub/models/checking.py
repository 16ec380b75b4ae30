"""Whether a model's files are those that were pulled: cheaply by size and time, or by their hashes."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from minerva_hub.errors import UserError
from minerva_hub.events import ModelState
from minerva_hub.models import records
from minerva_hub.models.listing import Model, ModelFile
from minerva_hub.models.records import FileRecord, ModelRecord, Trust

PIECE: Final = 1 << 20
PART: Final = ".part"

Progress = Callable[[str, int, int | None], None]  # file, bytes done, bytes in all where that is known


@dataclass(frozen=True, slots=True)
class Status:
    """How a model stands on this disk; `reason` says what is wrong, or what is not known yet."""

    state: ModelState
    reason: str = ""
    bytes: int = 0
    record: ModelRecord | None = None


def model_folder(folder: Path, model: Model) -> Path:
    """Where the files of a model are, within the folder of the models."""
    return folder / model.name


def status(folder: Path, model: Model) -> Status:
    """How the model stands, by sizes and times alone, no file is read. UserError: a damaged lock file."""
    record = records.load(folder).get(model.name)
    home = model_folder(folder, model)
    if not model.file:
        if (home / "config.yaml").is_file():
            return Status("unverified", "put here by you: there are no hashes to hold it against")
        return Status("absent", "upstream asks for your consent first, so Minerva cannot fetch it")
    return _judge(model, record, _sizes(home), home)


def _sizes(home: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in home.iterdir()} if home.is_dir() else {}


def _judge(model: Model, record: ModelRecord | None, sizes: dict[str, int], home: Path) -> Status:
    there = sum(sizes.values())
    lacking = [file.name for file in model.file if file.name not in sizes]
    if lacking:
        reason = f"{', '.join(lacking)} not here yet" if sizes else ""
        return Status("partial" if sizes else "absent", reason, there, record)
    if record is None or any(file.name not in record.files for file in model.file):
        return Status("unverified", "these files were not pulled by Minerva", there, record)
    recorded = {file.name: record.files[file.name] for file in model.file}
    for name, expected in recorded.items():
        if sizes[name] != expected.size:
            reason = f"{name} has {sizes[name]} bytes, {expected.size} were recorded"
            return Status("damaged", reason, there, record)
        if not expected.good:
            return Status("damaged", f"{name} has another hash than was recorded", there, record)
    if any((home / name).stat().st_mtime_ns != one.mtime_ns for name, one in recorded.items()):
        return Status("unverified", "files changed since they were verified", there, record)
    return Status("ready", "", there, record)


def ready(folder: Path, model: Model) -> Status:
    """How the model stands, to load it: files that changed, or were put there by hand, are hashed first."""
    found = status(folder, model)
    if found.state != "unverified":
        return found
    return verify(folder, model)


def verify(folder: Path, model: Model, progress: Progress | None = None) -> Status:
    """Hash all files of the model and note the result. UserError when there are none; OSError.

    What was never recorded is held against the hashes that models.toml states, and recorded.
    """
    found = status(folder, model)
    if found.state in ("absent", "partial"):
        raise UserError(f"the model {model.name} is not on this disk: minerva models pull {model.name}")
    before = found.record.files if found.record else {}
    home = model_folder(folder, model)
    files = {
        file.name: _verified(home / file.name, file, before.get(file.name), progress) for file in model.file
    }
    now_ms = time.time_ns() // 1_000_000
    record = ModelRecord(
        revision=found.record.revision if found.record else "",
        pulled_ms=found.record.pulled_ms if found.record else now_ms,
        verified_ms=now_ms,
        files=files,
    )
    try:
        records.keep(folder, model.name, record)
    except OSError as error:
        if found.record is None:
            raise UserError(f"{folder}: the hashes cannot be recorded: {error.strerror}") from error
    return _judge(model, record, _sizes(home), home)


def _verified(
    path: Path, file: ModelFile, before: FileRecord | None, progress: Progress | None
) -> FileRecord:
    stat = path.stat()

    def tell(done: int) -> None:
        if progress is not None:
            progress(file.name, done, stat.st_size)

    sha256 = hash_file(path, tell)
    expected, trust = expectation(file, before)
    size = before.size if before else file.size
    return FileRecord(
        size=size or stat.st_size,
        sha256=expected or sha256,
        trust=trust,
        mtime_ns=stat.st_mtime_ns,
        good=sha256 == (expected or sha256),
    )


def expectation(file: ModelFile, before: FileRecord | None) -> tuple[str | None, Trust]:
    """The hash that a file must have, and who says so: the list, else what was recorded, else nobody yet."""
    if before is not None:
        return before.sha256, before.trust
    return file.sha256, "stated" if file.sha256 else "recorded"


def hash_file(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """The SHA-256 of a file, hex."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            done += len(piece)
            if progress is not None:
                progress(done)
    return digest.hexdigest()


def remove(folder: Path, model: Model, *, forget: bool = False) -> bool:
    """Remove the model's files, and with `forget` its recorded hashes; whether there was anything.

    ConflictError while another process is busy with the models; UserError when they cannot be removed.
    """
    with records.busy(folder):
        home = model_folder(folder, model)
        there = home.is_dir()
        try:
            if there:
                shutil.rmtree(home)
            if forget:
                records.keep(folder, model.name, None)
        except OSError as error:
            raise UserError(f"{home} cannot be removed: {error.strerror}") from error
    return there
