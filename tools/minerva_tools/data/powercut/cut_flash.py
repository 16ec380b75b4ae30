"""Runs under MicroPython: a NOR flash or a disk in memory, and the images that power cuts leave of it.

Erased bytes are 0xFF, programming clears bits, erasing takes a block. A journal keeps, for every operation,
the flash as it was before: blocks are replaced, never changed, so that this costs a list of references.
"""

# mypy: ignore-errors
# (It runs under MicroPython, whose modules mypy does not know.)

BLOCK = 4096  # as an ESP32's
_COUNT, _SIZE, _ERASE = 4, 5, 6  # ioctl's requests
_ERASED = b"\xff" * BLOCK
PROGRAM, ERASE, REPLACE = range(3)
KINDS = ("before", "torn", "garbled")


class Flash:
    """A block device of `blocks` (their number, or the blocks of an image)."""

    def __init__(self, blocks):
        self.blocks = [_ERASED] * blocks if isinstance(blocks, int) else list(blocks)
        self.journal = None  # [(operation, block, offset, data, the blocks before)]

    def readblocks(self, n, buf, off=0):
        buf[:] = self.blocks[n][off : off + len(buf)]  # thousands of these in a run: no memoryview

    def writeblocks(self, n, buf, off=0):
        data = bytes(buf)
        old = self.blocks[n]
        if old[off : off + len(data)] != _ERASED[: len(data)]:
            raise ValueError("block %d is programmed without having been erased" % n)
        self._note(PROGRAM, n, off, data)
        self.blocks[n] = old[:off] + data + old[off + len(data) :]

    def ioctl(self, request, n):
        if request == _COUNT:
            return len(self.blocks)
        if request == _SIZE:
            return BLOCK
        if request == _ERASE:
            self._note(ERASE, n, 0, b"")
            self.blocks[n] = _ERASED
        return 0

    def _note(self, operation, n, off, data):
        if self.journal is not None:
            self.journal.append((operation, n, off, data, list(self.blocks)))


class Disk:
    """The same with sectors of 512 bytes that are replaced, for FAT."""

    BLOCK = 512

    def __init__(self, blocks):
        self.blocks = [bytes(self.BLOCK)] * blocks if isinstance(blocks, int) else list(blocks)
        self.journal = None

    def readblocks(self, n, buf, off=0):
        for at in range(0, len(buf), self.BLOCK):
            buf[at : at + self.BLOCK] = self.blocks[n + at // self.BLOCK]

    def writeblocks(self, n, buf, off=0):
        for at in range(0, len(buf), self.BLOCK):
            data = bytes(buf[at : at + self.BLOCK])
            if self.journal is not None:
                self.journal.append((REPLACE, n, 0, data, list(self.blocks)))
            self.blocks[n] = data
            n += 1

    def ioctl(self, request, n):
        return {_COUNT: len(self.blocks), _SIZE: self.BLOCK}.get(request, 0)


class Noise:
    """A fixed sequence of bytes."""

    def __init__(self, seed):
        self._state = seed & 0x3FFFFFFF

    def __call__(self):
        # 2^29 at most in a product: no big integers on the 32-bit build
        self._state = (self._state * 5061 + 12345) & 0x1FFFF
        return self._state >> 7 & 0xFF

    def below(self, n):
        """A number under n."""
        return (self() << 8 | self()) % n


def image(entry, kind, noise):
    """The blocks that a cut in a journal's operation leaves; None where the kind makes no difference.

    before: nothing was done. torn: the first half was. garbled: of the rest, some bits (of a NOR flash).
    """
    operation, n, off, data, blocks = entry
    if kind == 0:
        return blocks
    old = blocks[n]
    if operation == REPLACE:
        if kind == 2 or old == data:
            return None
        block = data[: len(data) // 2] + old[len(data) // 2 :]
    elif operation == ERASE:
        if old == _ERASED:
            return None
        half = BLOCK // 2
        rest = old[half:] if kind == 1 else bytes([b | noise() for b in old[half:]])
        block = _ERASED[:half] + rest
    else:
        half = len(data) // 2
        rest = _ERASED[: len(data) - half] if kind == 1 else bytes([b | noise() for b in data[half:]])
        block = old[:off] + data[:half] + rest + old[off + len(data) :]
    out = list(blocks)
    out[n] = block
    return out
