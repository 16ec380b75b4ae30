"""The newest encoded packets in one block of bytes, with a cursor on what was sent. Pure.

The oldest are overwritten first. Nothing is allocated after construction. Records are a 16-bit size and the
packet, and may wrap around the end.
"""

from minerva.port import const, heap_free, micropython, ptr8

_SIZE = const(2)  # bytes of the size before each packet

STOCK = 49152  # 5.9 s of ADPCM, and what a heap without PSRAM can spare
_MAX_AUTO = const(1 << 20)


def auto_bytes(free: int) -> int:
    """Bytes of ring for a heap with `free` bytes (0: no bound): 48 kB on stock memory, a quarter of PSRAM.

    At most a megabyte, which is 30 s of PCM or 120 s of ADPCM.
    """
    if free == 0:
        return _MAX_AUTO
    return STOCK if is_short(free) else max(STOCK, min(_MAX_AUTO, free // 4))


def is_short(free: int) -> bool:
    """Whether a heap with `free` bytes (0: no bound) is that of a board without PSRAM."""
    return 0 < free <= 8 * STOCK


def reserve(settings, on_trial: bool) -> "tuple[int, Ring]":
    """(bytes of heap that are free, the ring that suits them or that `settings` ask for).

    On trial, where memory is short, half of it: what judges needs room, or a good release would fail.
    """
    free = heap_free()
    capacity = settings.ring_bytes or auto_bytes(free)
    return free, Ring(max(STOCK // 2, capacity // 2) if on_trial and is_short(free) else capacity)


@micropython.viper
def put(block: ptr8, capacity: int, at: int, source: ptr8, size: int) -> int:
    """source[:size] -> block from `at`, around the end; returns the place after it."""
    i = 0
    while i < size:
        block[at] = source[i]
        at += 1
        if at == capacity:
            at = 0
        i += 1
    return at


@micropython.viper
def get(block: ptr8, capacity: int, at: int, target: ptr8, start: int, size: int) -> int:
    """Block from `at`, around the end -> target[start:start+size]; returns the place after it."""
    i = 0
    while i < size:
        target[start + i] = block[at]
        at += 1
        if at == capacity:
            at = 0
        i += 1
    return at


class Ring:
    """A bounded queue of packets that keeps what was sent until newer packets need the room.

    `count` packets are held, the newest `unsent` of them not yet sent, and of those the newest `fresh` never.
    `overwritten` counts packets that newer ones displaced before they were sent; the caller reports it.
    """

    def __init__(self, capacity: int):
        if capacity < 1024:
            raise ValueError("ring of %d bytes; it must have at least 1024" % capacity)
        self.capacity = capacity
        self.count = 0
        self.unsent = 0
        self.fresh = 0
        self.used = 0
        self.overwritten = 0
        self._block = bytearray(capacity)
        self._oldest = 0
        self._end = 0
        self._cursor = 0  # the oldest unsent packet

    def _size_at(self, at: int) -> int:
        after = at + 1 if at + 1 < self.capacity else 0
        return self._block[at] | self._block[after] << 8

    def _after(self, at: int) -> int:
        at += _SIZE + self._size_at(at)
        return at if at < self.capacity else at - self.capacity

    def drop(self) -> None:
        """Let go of the oldest packet of a ring that is not empty."""
        self.used -= _SIZE + self._size_at(self._oldest)
        self._oldest = self._after(self._oldest)
        if self.unsent == self.count:
            self.unsent -= 1
            self.fresh = min(self.fresh, self.unsent)
            self.overwritten += 1
            self._cursor = self._oldest
        self.count -= 1

    def push(self, packet: "bytearray", size: int) -> None:
        """Keep packet[:size], dropping the oldest ones in its way. ValueError: larger than the ring."""
        need = size + _SIZE
        if need > self.capacity:
            raise ValueError("packet of %d bytes does not fit a ring of %d" % (size, self.capacity))
        while self.used + need > self.capacity:
            self.drop()
        at = self._end
        if self.unsent == 0:
            self._cursor = at
        self._block[at] = size & 0xFF
        at = at + 1 if at + 1 < self.capacity else 0
        self._block[at] = size >> 8
        at = at + 1 if at + 1 < self.capacity else 0
        self._end = put(self._block, self.capacity, at, packet, size)
        self.used += need
        self.count += 1
        self.unsent += 1
        self.fresh += 1

    def peek(self, target: "bytearray", at: int) -> int:
        """Copy the oldest unsent packet to target[at:]; its size, or 0 when all were sent."""
        if self.unsent == 0:
            return 0
        return self._read(self._cursor, target, at)

    def _read(self, place: int, target: "bytearray", at: int) -> int:
        size = self._size_at(place)
        if at + size > len(target):
            raise IndexError("packet of %d bytes; the buffer has room for %d" % (size, len(target) - at))
        place += _SIZE
        if place >= self.capacity:
            place -= self.capacity
        get(self._block, self.capacity, place, target, at, size)
        return size

    def sent(self) -> None:
        """The packet that `peek` showed is on its way; it stays in the ring."""
        if self.unsent:
            self._cursor = self._after(self._cursor)
            self.unsent -= 1
            self.fresh = min(self.fresh, self.unsent)

    def take(self, target: "bytearray", at: int) -> int:
        """Move the oldest packet, sent or not, out to target[at:]; its size, or 0 when empty."""
        if self.count == 0:
            return 0
        size = self._read(self._oldest, target, at)
        if self.unsent == self.count:
            self.sent()
        self.used -= _SIZE + size
        self._oldest = self._after(self._oldest)
        self.count -= 1
        return size

    def rewind(self, packets: int) -> int:
        """Make the newest `packets` unsent again, or all that are left of them; returns how many."""
        if packets > self.count:
            packets = self.count
        place = self._oldest
        for _ in range(self.count - packets):
            place = self._after(place)
        self._cursor = place
        self.unsent = packets
        self.fresh = min(self.fresh, packets)
        return packets

    def release(self) -> None:
        """Give its memory back, until `take_memory`; what waited to be sent counts as overwritten."""
        self.overwritten += self.clear()
        self.capacity = 0
        self._block = bytearray()

    def take_memory(self, capacity: int) -> None:
        """Be an empty ring of that size, after `release`; MemoryError.

        In place: a new ring beside the old one would lie where a larger block has to come later.
        """
        self._block = bytearray(capacity)
        self.capacity = capacity

    def clear(self) -> int:
        """Forget everything; returns how many packets had not been sent."""
        lost = self.unsent
        self.count = self.unsent = self.fresh = self.used = 0
        self._oldest = self._end = self._cursor = 0
        return lost
