"""Whole images in the chip's two application partitions, behind the decisions that slots are kept by.

ESP-IDF's bootloader starts a new image once: unless that is marked good before the next reset, it goes back
to the one before. Why, and what is to be told, is in a record of Minerva's own, image.0 and image.1. It needs
a partition table with two application slots; stock MicroPython has one.
"""

import hashlib
import struct
from binascii import hexlify

from bootslot import STEP, Copies, join
from esp32 import Partition

from minerva import trial
from minerva.errors import UpdateError
from minerva.port import const
from minerva.slots import Order

_BLOCK = const(4096)  # what the flash erases at once
_FLUSH = const(65536)  # bytes after which the record says how far a download has come

_NONE = const(0)
_FILLING = const(1)
_STAGED = const(2)
_WAITING = const(3)
_RUNNING = const(4)
_RECORD = "<4BIIIQ32s16s"
_NOTHING = const(0)
_KEPT = const(1)
_NO_HEALTH = const(2)
_DEAF = const(3)
_NO_HUB = const(4)
_OUTCOMES = {
    _KEPT: ("success", "kept after its trial"),
    _NO_HEALTH: ("failure", "rolled back: the hub acknowledged no health within 15 minutes"),
    _DEAF: ("failure", "rolled back: the microphone gives nothing"),
    _NO_HUB: ("failure", "rolled back: it restarted or reached no hub, the image before it did"),
}
_GIVEN_UP = {trial.NO_HEALTH: _NO_HEALTH, trial.DEAF: _DEAF}


class _Record:
    """What image.0 or image.1 says."""

    def __init__(self, text: "bytes | None"):
        if text is None or len(text) != struct.calcsize(_RECORD):
            text = bytes(struct.calcsize(_RECORD))
        v = struct.unpack(_RECORD, text)
        self.state, self.turns, self.outcome = v[:3]
        self.have, self.floor, self.security, self.action = v[4:8]
        self.digest = v[8]  # of the manifest
        self.label = v[9].rstrip(b"\0").decode()  # of the partition that is filled or on trial

    def pack(self) -> bytes:
        """Its bytes."""
        head = (self.state, self.turns, self.outcome, 0, self.have, self.floor, self.security, self.action)
        return struct.pack(_RECORD, *(head + (self.digest, self.label.encode())))


def _hashing(part, size: int):
    """Generator, a step at a time: the SHA-256 of a partition's first `size` bytes."""
    digest = hashlib.sha256()
    buffer = bytearray(STEP)
    view = memoryview(buffer)
    for at in range(0, size, STEP):
        part.readblocks(at // _BLOCK, buffer)
        digest.update(view[: min(STEP, size - at)])
        yield
    return digest


class Writer:
    """The image on its way; `have` bytes of it are in the partition or in the block being filled."""

    def __init__(self, owner: "Partitions", part, size: int, digest: bytes):
        self._owner = owner
        self._part = part
        self._size = size
        self._digest = digest
        self._hash = hashlib.sha256()
        self._block = bytearray(_BLOCK)
        self._fill = 0
        self.have = owner.filled

    def restore(self):
        """Generator: hash what an interrupted download left. Before the first `write`."""
        self._hash = yield from _hashing(self._part, self.have)

    def write(self, data) -> None:
        """Append; UpdateError bad_size beyond the image's size."""
        if self.have + len(data) > self._size:
            raise UpdateError("bad_size", "firmware.bin: more than its %d bytes came" % self._size)
        at = 0
        while at < len(data):
            take = min(_BLOCK - self._fill, len(data) - at)
            self._block[self._fill : self._fill + take] = data[at : at + take]
            self._fill += take
            self.have += take
            at += take
            if self._fill == _BLOCK:
                self._put()
        self._hash.update(data)

    def _put(self) -> None:
        number = (self.have - 1) // _BLOCK
        self._part.ioctl(6, number)  # erase
        self._part.writeblocks(number, self._block)
        self._fill = 0
        if self.have % _FLUSH == 0:
            self._owner.note(self.have)

    def close(self) -> bool:
        """True when it is complete, False when the rest may follow. UpdateError bad_hash: it is wrong."""
        if self.have < self._size:
            self._owner.note(self.have - self._fill)
            return False
        if self._hash.digest() != self._digest:
            self._owner.note(0)
            raise UpdateError("bad_hash", "firmware.bin is not what the manifest says")
        if self._fill:
            for i in range(self._fill, _BLOCK):
                self._block[i] = 0xFF
            self._put()
        self._owner.note(self._size)
        return True


class Partitions:
    """Used as minerva.slots.Slots. UpdateError no_space: there is one application partition only."""

    def __init__(self, root: str = ""):
        self._copies = Copies(join(root, "image"), b"MNVI")
        self._record = _Record(self._copies.read())
        self._own = Partition(Partition.RUNNING)  # type: ignore - a number, as its documentation says
        self._label = self._own.info()[4]
        self._manifest = None
        self.missing = []
        r = self._record
        here = r.label == self._label
        self._on_trial = here and r.state in (_STAGED, _WAITING, _RUNNING)
        if self._on_trial and r.state != _RUNNING:
            r.state = _RUNNING
            self._save()
        elif not here and r.state == _STAGED:
            r.state = _FILLING  # power failed before it was chosen: it is there, and can be chosen again
        elif not here and r.state in (_WAITING, _RUNNING):
            r.state = _FILLING  # the bootloader went back: a turn without a verdict
            r.turns += 1
            self._save()

    def _save(self) -> None:
        self._copies.write(self._record.pack())

    @property
    def running(self) -> "tuple[str, bool]":
        """(label of the partition that runs, whether on trial)."""
        return self._label, self._on_trial

    @property
    def security_version(self) -> int:
        """No image with a lower one may be installed."""
        return self._record.floor

    @property
    def pending(self) -> bool:
        """Whether a trial that reached no hub waits for the judgement of the image that runs now."""
        return not self._on_trial and self._record.turns > 0

    @property
    def filled(self) -> int:
        """Bytes of the image that are in the other partition."""
        return self._record.have

    def note(self, have: int) -> None:
        """So many bytes of the image are in the other partition."""
        if have != self._record.have:
            self._record.have = have
            self._save()

    def _other(self):
        part = self._own.get_next_update()
        if part.info()[2] == self._own.info()[2]:
            raise UpdateError("no_space", "the flash has one application partition; an image needs a second")
        return part

    def begin(self, manifest, manifest_bytes: bytes, sig_bytes: bytes):
        """Generator: afterwards `missing` says what to fetch; what is there of this image stays."""
        part = self._other()
        size = manifest.files[0][1]
        if size > part.info()[3]:
            raise UpdateError(
                "no_space", "the image has %d bytes, partition %s %d" % (size, part.info()[4], part.info()[3])
            )
        yield
        r = self._record
        digest = hashlib.sha256(manifest_bytes).digest()
        if (r.digest, r.label) != (digest, part.info()[4]) or r.state != _FILLING:
            if r.turns:
                r.outcome = _NO_HUB
            r.state, r.turns, r.have = _FILLING, 0, 0
            r.digest, r.label, r.security = digest, part.info()[4], manifest.security_version
            self._save()
        self._manifest = manifest
        self.missing = [] if r.have == size else [(0, 0, size)]

    def writer(self, index: int) -> Writer:
        """Where to write the image; what is there already counts."""
        _, size, digest = self._begun().files[index]
        return Writer(self, self._other(), size, digest)

    def _begun(self):
        if self._manifest is None:
            raise UpdateError("bad_manifest", "no image was begun")
        return self._manifest

    def install(self, action_id: int):
        """Generator: read the image back, and make it the next to run, on trial. Then restart."""
        manifest = self._begun()
        part = self._other()
        _, size, want = manifest.files[0]
        found = (yield from _hashing(part, size)).digest()
        if found != want:
            self.note(0)
            raise UpdateError(
                "bad_hash", "partition %s holds %s" % (part.info()[4], hexlify(found).decode()[:16])
            )
        r = self._record
        r.state, r.turns, r.outcome, r.action = _STAGED, 0, _NOTHING, action_id
        self._save()
        try:
            part.set_boot()
        except OSError as e:
            self.note(0)
            raise UpdateError("bad_hash", "the chip takes this for no image: %s" % e)
        r.state = _WAITING
        self._save()

    # --- the trial ------------------------------------------------------------------------------------

    def decide(self, facts: trial.Facts) -> Order:
        """What to do about the image that runs; ask again and again."""
        turns = self._record.turns
        name, why = trial.decide(self._on_trial, turns, facts)
        return Order(name, why, trial.turns_after(name, turns, facts))

    def carry_out(self, order: Order) -> bool:
        """Record it; whether the device must restart now."""
        if order.name == trial.WAIT:
            return False
        r = self._record
        r.turns = order.turns
        if order.name == trial.KEEP:
            # Marked first: unmarked, the next reset would go back to the image before.
            Partition.mark_app_valid_cancel_rollback()
            r.state, r.outcome, r.have = _NONE, _KEPT, 0
            r.floor = max(r.floor, r.security)
            self._on_trial = False
        elif order.name == trial.GIVE_UP:
            # Unmarked, and counted here: the bootloader goes back to the other at the restart.
            r.state = _FILLING
            r.outcome = _GIVEN_UP.get(order.why, r.outcome)
        elif order.name == trial.TRY_AGAIN:
            self._other().set_boot()
            r.state = _WAITING
        else:
            r.outcome = _NO_HUB
        self._save()
        return order.name in (trial.GIVE_UP, trial.TRY_AGAIN)

    def outcome(self) -> "tuple[int, str, str] | None":
        """(action id, "success" or "failure", text) of the last image; None when there is nothing to tell."""
        known = _OUTCOMES.get(self._record.outcome)
        return None if known is None else (self._record.action, known[0], known[1])

    def reported(self) -> None:
        """The outcome was told to whom it concerns."""
        r = self._record
        if r.outcome != _NOTHING:
            r.outcome, r.action = _NOTHING, 0
            self._save()
