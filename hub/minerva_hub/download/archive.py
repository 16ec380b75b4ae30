"""Takes a model's files out of the archive they came in, and nothing else."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final, cast

from minerva_hub.errors import DownloadError
from minerva_hub.models.checking import PIECE
from minerva_hub.models.listing import ModelFile

MAX_MEMBERS: Final = 1000  # the archives of models have a dozen
EXPANSION: Final = 4  # weights hardly compress: what grows to more than four times its size is no model


class _Bounded(io.RawIOBase):
    """What comes out of a decompressor, up to a limit."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._left = limit
        self._limit = limit

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes; DownloadError past the limit."""
        # One more than is left tells an archive that ends here from one that goes on.
        wanted = self._left + 1 if size is None or size < 0 else min(size, self._left + 1)
        data = self._stream.read(wanted)
        self._left -= len(data)
        if self._left < 0:
            raise DownloadError(
                f"the archive grows to more than {self._limit} bytes, the limit: it is no model"
            )
        return data


def unpack(archive: Path, folder: str, files: Iterable[ModelFile], into: Path, limit: int) -> dict[str, str]:
    """The files of `folder` in a .tar.bz2 or .tar.gz, into a folder; their SHA-256 by name. Blocking.

    `limit` bounds each of them and, four times, all that is decompressed. Only plain files with exactly these
    names are taken, so that no path and no link of the archive counts. DownloadError: nothing is left.
    """
    wanted = {f"{folder}/{file.name}": file for file in files}
    opened = bz2.open if archive.name.endswith(".bz2") else gzip.open
    found: dict[str, str] = {}
    fresh: dict[str, Path] = {}
    try:
        with opened(archive, "rb") as packed:
            bounded = _Bounded(cast(IO[bytes], packed), limit * EXPANSION)
            with tarfile.open(fileobj=bounded, mode="r|") as tar:
                for number, member in enumerate(tar):
                    if number >= MAX_MEMBERS:
                        raise DownloadError(f"the archive has more than {MAX_MEMBERS} members, the limit")
                    name = member.name.removeprefix("./")
                    file = wanted.get(name)
                    if file is None:
                        continue
                    if not member.isreg():
                        raise DownloadError(f"{name} in the archive is no plain file")
                    if file.name in found:
                        raise DownloadError(f"{name} is in the archive twice")
                    if member.size > (file.size or limit):
                        raise DownloadError(
                            f"{name} in the archive has {member.size} bytes, the limit is "
                            f"{file.size or limit}"
                        )
                    content = tar.extractfile(member)
                    assert content is not None  # noqa: S101 - it is a plain file
                    fresh[file.name] = into / f"{file.name}.new"
                    found[file.name] = _take(content, fresh[file.name])
        lacking = [file.name for file in wanted.values() if file.name not in found]
        if lacking:
            raise DownloadError(f"the archive lacks {', '.join(f'{folder}/{name}' for name in lacking)}")
        for file in wanted.values():
            if file.sha256 not in (None, found[file.name]):
                raise DownloadError(
                    f"{file.name} in the archive has SHA-256 {found[file.name]}, it must have {file.sha256}"
                )
        for name, path in fresh.items():
            path.replace(into / name)
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise DownloadError(f"{archive.name} cannot be unpacked: {error}") from error
    finally:
        for path in fresh.values():
            path.unlink(missing_ok=True)
    return found


def _take(content: IO[bytes], path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as out:
        while piece := content.read(PIECE):
            digest.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()
