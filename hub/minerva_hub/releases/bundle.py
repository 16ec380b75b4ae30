"""Writes the three artifacts of a release, each file checked as it comes in."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Final

from minerva import manifest as manifests

from minerva_hub.events import Artifact
from minerva_hub.releases.checks import ReleaseRefusedError

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
BUNDLE: Final = "files.bin"


class Bundle:
    """files.bin while it is written: every file's hash is checked where the file ends.

    Close it by leaving its context; what was written is on the disk after `finish`.
    """

    def __init__(self, path: Path, manifest: manifests.Manifest) -> None:
        self._expected = manifest.files
        self._total = manifest.total
        self._index = 0
        self._left = -1  # bytes of the current file; -1: it has not begun
        self._hash = hashlib.sha256()
        self._whole = Hashes()
        self._out = path.open("xb")
        self._name = path.name

    def __enter__(self) -> Bundle:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()

    def write(self, data: bytes) -> None:
        """Take more of it; ReleaseRefusedError bad_hash, bad_size."""
        if self._whole.size + len(data) > self._total:
            raise ReleaseRefusedError(
                "bad_size", f"{self._name} has more than the {self._total} bytes it must"
            )
        self._whole.update(data)
        view = memoryview(data)
        while view:
            self._advance()
            piece = view[: self._left]
            self._hash.update(piece)
            self._left -= len(piece)
            view = view[len(piece) :]
        self._out.write(data)

    def _advance(self) -> None:
        """Go to a file of which bytes are due."""
        while self._left <= 0 and self._index < len(self._expected):
            path, size, expected = self._expected[self._index]
            if self._left < 0:
                self._left = size
                self._hash = hashlib.sha256()
                if size:
                    return
            if self._hash.digest() != expected:
                raise ReleaseRefusedError("bad_hash", f"{path} has another hash than the manifest says")
            self._index += 1
            self._left = -1

    def finish(self) -> Artifact:
        """All is there: it is on the disk now. ReleaseRefusedError bad_hash, bad_size."""
        if self._whole.size < self._total:
            raise ReleaseRefusedError(
                "bad_size", f"{self._name} has {self._whole.size} bytes of the {self._total} it must"
            )
        self._advance()
        self._out.flush()
        os.fsync(self._out.fileno())
        return self._whole.artifact(self._name)


class Hashes:
    """The hashes that hawkBit's clients may ask for; only SHA-256 means anything for safety."""

    def __init__(self) -> None:
        self.size = 0
        self._hashes = {
            "sha1": hashlib.sha1(usedforsecurity=False),
            "md5": hashlib.md5(usedforsecurity=False),
            "sha256": hashlib.sha256(),
        }

    def update(self, data: bytes) -> None:
        """Take more."""
        self.size += len(data)
        for one in self._hashes.values():
            one.update(data)

    def artifact(self, filename: str) -> Artifact:
        """What was taken, as a file of that name."""
        return Artifact(
            filename=filename, size=self.size, **{name: h.hexdigest() for name, h in self._hashes.items()}
        )


async def write_artifacts(
    folder: Path,
    found: manifests.Manifest,
    manifest: bytes,
    signatures: bytes,
    bundle: AsyncIterable[bytes],
) -> tuple[Artifact, ...]:
    """All three artifacts, on the disk."""
    small = [
        await asyncio.to_thread(_write_whole, folder / name, data)
        for name, data in ((MANIFEST, manifest), (SIGNATURE, signatures))
    ]
    with Bundle(folder / BUNDLE, found) as out:
        async for data in bundle:
            await asyncio.to_thread(out.write, data)
        large = await asyncio.to_thread(out.finish)
    await asyncio.to_thread(sync_folder, folder)
    return (*small, large)


def _write_whole(path: Path, data: bytes) -> Artifact:
    with path.open("xb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    hashes = Hashes()
    hashes.update(data)
    return hashes.artifact(path.name)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
