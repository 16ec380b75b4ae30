"""Where the files of releases are: one folder each, named by the SHA-256 of its manifest."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from minerva_hub.store.releases import BUNDLE, MANIFEST, SIGNATURE

FILES = (MANIFEST, SIGNATURE, BUNDLE)
FOLDER = "releases"  # beside the database
_INCOMING = "incoming-"


class Shelf:
    """The folder of releases. Its calls are short, but on a disk: use them in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> None:
        """Make the folder, for the owner's eyes only; uploads that a crash left half-way go."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._folder.glob(f"{_INCOMING}*"):
            shutil.rmtree(left, ignore_errors=True)

    def incoming(self) -> Path:
        """A fresh folder for an upload: `keep` or `drop` it."""
        return Path(tempfile.mkdtemp(prefix=_INCOMING, dir=self._folder))

    def keep(self, incoming: Path, digest: str) -> None:
        """Make a verified upload a release; one that is there already stays."""
        try:
            incoming.rename(self._folder / digest)
        except OSError:
            if not (self._folder / digest).is_dir():
                raise
            shutil.rmtree(incoming)

    def drop(self, incoming: Path) -> None:
        """Remove an upload that was refused, or whatever is left of it."""
        shutil.rmtree(incoming, ignore_errors=True)

    def remove(self, digest: str) -> None:
        """Remove a release's files."""
        shutil.rmtree(self._folder / digest, ignore_errors=True)

    def path(self, digest: str, filename: str) -> Path:
        """Where a file of a release is; both names come from the database, never from a request."""
        return self._folder / digest / filename
