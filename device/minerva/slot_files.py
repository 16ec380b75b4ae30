"""Files of a slot on their way: what an interrupted download left is gone on with. Pure."""

import hashlib
import os

from bootslot import STEP, join

from minerva.errors import UpdateError
from minerva.port import const

PART = ".part"
_FLUSH = const(8192)  # bytes after which a file that is being fetched is on the flash
_NO_SPACE = const(28)  # ENOSPC


def size_of(path: str) -> int:
    """Bytes of a file; -1 when there is none."""
    try:
        info = os.stat(path)
    except OSError:
        return -1
    return -1 if info[0] & 0x4000 else info[6]


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it; nothing there is fine."""
    try:
        folder = os.stat(path)[0] & 0x4000
    except OSError:
        return
    if folder:
        for name in os.listdir(path):
            remove(join(path, name))
        os.rmdir(path)
    else:
        os.remove(path)


def make_folders(root: str, path: str) -> None:
    """The folders above `path`, which is relative to `root`, and `root` itself."""
    at = -1
    while True:
        folder = join(root, path[:at]) if at > 0 else root
        try:
            os.mkdir(folder)
        except OSError as e:
            if e.errno != 17:  # EEXIST
                raise no_space(e)
        at = path.find("/", at + 1)
        if at < 0:
            return


def no_space(e: OSError) -> Exception:
    """The same error, or where the flash is full the refusal no_space."""
    return UpdateError("no_space", "the flash is full") if e.errno == _NO_SPACE else e


class Writer:
    """One file of the release on its way; `have` bytes of it are on the flash or in the file's buffer."""

    def __init__(self, path: str, size: int, digest: bytes):
        self._path = path
        self._part = path + PART
        self._size = size
        self._digest = digest
        self._hash = hashlib.sha256()
        self._file = None
        self._unflushed = 0
        self.have = max(0, size_of(self._part))
        if self.have > size:
            os.remove(self._part)
            self.have = 0

    def restore(self):
        """Generator: hash what an interrupted download left. Before the first `write`."""
        buffer = bytearray(STEP)
        view = memoryview(buffer)
        have = 0
        while have < self.have:
            # Opened for each step: a download may be given up in between, and files left open are few.
            with open(self._part, "rb") as f:
                f.seek(have)
                n = f.readinto(buffer)
            self._hash.update(view[:n])
            have += n
            yield

    def write(self, data) -> None:
        """Append; UpdateError bad_size beyond the file's size, no_space."""
        if self.have + len(data) > self._size:
            raise UpdateError("bad_size", "%s: more than its %d bytes came" % (self._path, self._size))
        try:
            if self._file is None:
                self._file = open(self._part, "ab" if self.have else "wb")
            self._file.write(data)
            self._unflushed += len(data)
            if self._unflushed >= _FLUSH:
                self._file.flush()
                self._unflushed = 0
        except OSError as e:
            raise no_space(e)
        self._hash.update(data)
        self.have += len(data)

    def close(self) -> bool:
        """Put it down: True when the file is complete, False when the rest may follow later.

        UpdateError bad_hash: it is complete and wrong; it was removed. no_space.
        """
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
            if self.have < self._size:
                return False
            if self._hash.digest() != self._digest:
                os.remove(self._part)
                raise UpdateError("bad_hash", "%s is not what the manifest says" % self._path)
            os.rename(self._part, self._path)
        except OSError as e:
            raise no_space(e)
        return True
