"""What of a bundle is still to be fetched, and where what comes belongs. Pure.

A bundle is all files of a release one after the other. A device asks for the stretches it lacks, files that
follow each other in one request, and goes on in the middle of a file where a connection broke.
"""

from minerva.errors import TryLaterError, UpdateError
from minerva.port import const

if False:  # for the type checker
    from minerva.slots import Writer

# Bytes of one request: between two it may be told to stop, and somebody may begin to speak.
_MOST = const(65536)


def plan(wanted: list, most: int = _MOST) -> "list[tuple[int, int]]":
    """Files that lack something, (offset, size, bytes already there) each -> ranges (first, last), in order.

    What follows without a gap is one range, and none is longer than `most`.
    """
    out = []
    first = end = -1
    for offset, size, have in sorted(wanted):
        begin = offset + have
        if begin >= offset + size:
            continue
        if begin == end:
            end = offset + size
            continue
        _split(out, first, end, most)
        first, end = begin, offset + size
    _split(out, first, end, most)
    return out


def _split(out: list, first: int, end: int, most: int) -> None:
    while first < end:
        last = min(first + most, end) - 1
        out.append((first, last))
        first = last + 1


class Filling:
    """The files that are missing, [(index, offset, size)], and the one being written.

    `writer(index)` gives slots.Writer or what does as it does. Of `wanted` bytes, `got` are there.
    """

    def __init__(self, missing: list, writer):
        self._make = writer
        self._writer: "Writer" = None  # type: ignore - of the file under way
        self._resumed = False  # the writer began with bytes of an earlier start
        self._left = [(index, offset, size, writer(index).have) for index, offset, size in missing]
        self._left.sort(key=lambda m: m[1])
        self.wanted = sum([m[2] for m in self._left])
        self.got = sum([m[3] for m in self._left])

    @property
    def done(self) -> bool:
        """Whether all is there."""
        return not self._left

    def begin(self):
        """Generator, a step at a time: make the next file ready. Raises as the writer does."""
        while self._left:
            index, _, size, have = self._left[0]
            if self._writer is None:
                self._writer = self._make(index)
                self._resumed = have > 0
                yield from self._writer.restore()
            if self._writer.have < size:
                return
            self._finish()

    def next_range(self, most: int = _MOST) -> "tuple[int, int] | None":
        """The next (first, last) to ask for; None when all is there. After `begin`."""
        if not self._left:
            return None
        wanted = [(offset, size, have) for _, offset, size, have in self._left]
        wanted[0] = (wanted[0][0], wanted[0][1], self._writer.have)
        return plan(wanted, most)[0]

    def write(self, view: "memoryview") -> None:
        """The next bytes of the range asked for last. Raises as the writer does, or TryLaterError."""
        at = 0
        while at < len(view):
            index, _, size, _ = self._left[0]
            if self._writer is None:
                self._writer = self._make(index)
                self._resumed = False  # a file of which something is there begins a range
            take = min(len(view) - at, size - self._writer.have)
            self._writer.write(view[at : at + take])
            self.got += take
            at += take
            if self._writer.have == size and not self._finish():
                raise TryLaterError("bad_hash", "a file begun before does not end well; it is fetched whole")

    def _finish(self) -> bool:
        writer = self._writer
        self._writer = None  # type: ignore - as in __init__
        index, offset, size, _ = self._left[0]
        try:
            writer.close()
        except UpdateError as e:
            self.got -= size
            if e.code != "bad_hash" or not self._resumed:
                raise
            # What was there from before may be what is wrong: this once, fetch it whole.
            self._left[0] = (index, offset, size, 0)
            return False
        self._left.pop(0)
        return True

    def stop(self) -> None:
        """Leave it as it is; what is written stays for the next time."""
        writer = self._writer
        self._writer = None  # type: ignore - as in __init__
        if writer is not None:
            try:
                writer.close()
            except UpdateError:
                pass  # what could not be kept is fetched again
