"""Writes the three artifacts of a release, each file checked as it comes in."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable
from pathlib import Path
from typing import BinaryIO

from minerva import manifest as manifests

from minerva_hub.events import Artifact
from minerva_hub.releases.checks import ReleaseRefusedError
from minerva_hub.store.releases import BUNDLE, MANIFEST, SIGNATURE


class Bundle:
    """The content of files.bin as it comes: every file's hash is checked where the file ends."""

    def __init__(self, manifest: manifests.Manifest) -> None:
        self._expected = manifest.files
        self._total = manifest.total
        self._index = 0
        self._left = -1  # bytes of the current file; -1: it has not begun
        self._hash = hashlib.sha256()
        self._whole = Hashes()

    def take(self, data: bytes) -> None:
        """Take more of it; ReleaseRefusedError bad_hash, bad_size."""
        if self._whole.size + len(data) > self._total:
            raise ReleaseRefusedError("bad_size", f"{BUNDLE} has more than the {self._total} bytes it must")
        self._whole.update(data)
        view = memoryview(data)
        while view:
            self._advance()
            piece = view[: self._left]
            self._hash.update(piece)
            self._left -= len(piece)
            view = view[len(piece) :]

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
        """Nothing more comes: it as a whole. ReleaseRefusedError bad_hash, bad_size."""
        if self._whole.size < self._total:
            raise ReleaseRefusedError(
                "bad_size", f"{BUNDLE} has {self._whole.size} bytes of the {self._total} it must"
            )
        self._advance()
        return self._whole.artifact(BUNDLE)


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
    taken = Bundle(found)
    with (folder / BUNDLE).open("xb") as out:

        def take(data: bytes) -> None:
            taken.take(data)
            out.write(data)

        async for data in bundle:
            await asyncio.to_thread(take, data)
        large = taken.finish()
        await asyncio.to_thread(_sync, out)
    await asyncio.to_thread(sync_folder, folder)
    return (*small, large)


def _write_whole(path: Path, data: bytes) -> Artifact:
    with path.open("xb") as out:
        out.write(data)
        _sync(out)
    hashes = Hashes()
    hashes.update(data)
    return hashes.artifact(path.name)


def _sync(out: BinaryIO) -> None:
    out.flush()
    os.fsync(out.fileno())


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
