"""Which slot runs: the boot record, the check of a slot's files, the choice at power-on, as in docs/ota.md.

This file, boot.py and main.py stand in the root of the flash and are never updated over the air: releases of
any age meet this one, so what it offers may grow but not change. It needs nothing of a slot.
"""

import hashlib
import json
import os
import struct
import sys
from binascii import crc32, unhexlify

SLOTS = ("a", "b", "dev", "main")  # as the record numbers them; main lies in the root and is never checked
A, B, DEV, MAIN = range(4)
NO_TRIAL, WAITING, RUNNING = range(3)
MAX_TURNS = 3  # of a trial that comes to no verdict
DEV_ALLOWED, DEV_FORBIDDEN = 1, 2
# What became of the release that was installed last.
NOTHING, KEPT, NO_HEALTH, DEAF, NO_HUB, DAMAGED, RECORD_LOST = range(7)

NO_HASH = bytes(32)
STEP = 4096  # bytes hashed or copied at a time: less than 10 ms on a board
_VERSION = 1
_BODY = "<8BQI32s32s32s"
_FOLDER = 0x4000  # in a file's mode
_OWN = ("manifest.json", "manifest.sig")

_micropython = sys.implementation.name == "micropython"
# Where it exists (FAT), it brings to the flash what is in memory; littlefs does when a file is closed.
sync = getattr(os, "sync", None) if _micropython else None

chosen = ("main", False)  # the slot that runs, and whether on trial; ("", False): none is whole


def join(folder: str, name: str) -> str:
    """The path of `name` in `folder`, of which "" is where the program stands."""
    return folder + name if not folder or folder.endswith("/") else folder + "/" + name


class Copies:
    """A text kept in two files, `path`.0 and `path`.1, each with a count and a checksum.

    `magic` (4 bytes) | u32 count | text | u32 CRC-32 of all before, little-endian. The copy that is whole and
    has the higher count (which may wrap) counts; the other is the next to be written. So a write that is cut
    short leaves the text as it was, whatever the file system does.
    """

    def __init__(self, path: str, magic: bytes):
        self._path = path
        self._magic = magic
        self._count = 0
        self._newest = 1
        self.lost = False  # there are copies, and none is whole

    def _read(self, copy: int):
        path = "%s.%d" % (self._path, copy)
        try:
            size = min(os.stat(path)[6], 4096)  # memory is taken for what is asked for, not for what is there
            with open(path, "rb") as f:
                raw = f.read(size)
        except OSError as e:
            self.lost = self.lost or e.errno != 2  # ENOENT: never written
            return None
        if len(raw) >= 12 and raw[:4] == self._magic and struct.unpack("<I", raw[-4:])[0] == crc32(raw[:-4]):
            return struct.unpack("<I", raw[4:8])[0], raw[8:-4]
        self.lost = True
        return None

    def read(self) -> "bytes | None":
        """The text; None when there is none."""
        self.lost = False
        first, second = self._read(0), self._read(1)
        if first and second:
            newest = 1 if (second[0] - first[0]) & 0xFFFFFFFF < 0x80000000 else 0
        else:
            newest = 0 if first else 1
        found = (first, second)[newest]
        if found is None:
            return None
        self.lost = False
        self._newest = newest
        self._count = found[0]
        return found[1]

    def encode(self, count: int, text: bytes) -> bytes:
        """What a copy holds."""
        raw = self._magic + struct.pack("<I", count) + text
        return raw + struct.pack("<I", crc32(raw))

    def write(self, text: bytes) -> None:
        """Replace the text, of which `read` was asked before; OSError when the flash does not take it."""
        count = (self._count + 1) & 0xFFFFFFFF
        copy = self._newest ^ 1
        raw = self.encode(count, text)
        path = "%s.%d" % (self._path, copy)
        with open(path, "wb") as f:
            f.write(raw)
        if sync:
            sync()
        with open(path, "rb") as f:
            if f.read() != raw:
                raise OSError(5, "%s reads differently from what was written" % path)
        self._count = count
        self._newest = copy


class Record:
    """What the boot record says; docs/ota.md has its 128 bytes."""

    def __init__(self):
        self.active = self.previous = MAIN
        self.trial = NO_TRIAL
        self.turns = 0  # of a trial: that of `active` while there is one, else a finished one's of `previous`
        self.flags = 0
        self.outcome = NOTHING
        self.action = 0  # the update server's number for what was installed last
        self.floor = 0  # no release with a lower security version is installed
        self.hashes = [NO_HASH, NO_HASH, NO_HASH]  # SHA-256 of the manifest in a, b, dev

    def pack(self) -> bytes:
        """Its 116 bytes between count and checksum."""
        head = (_VERSION, self.active, self.trial, self.turns, self.previous, self.flags, self.outcome, 0)
        return struct.pack(_BODY, *(head + (self.action, self.floor) + tuple(self.hashes)))

    def _take(self, v: tuple) -> None:
        self.active, self.trial, self.turns, self.previous, self.flags, self.outcome = v[1:7]
        self.action, self.floor = v[8:10]
        self.hashes = list(v[10:])

    def copy(self) -> "Record":
        """Another one that says the same."""
        r = Record()
        r._take(struct.unpack(_BODY, self.pack()))
        return r


def unpack(text: bytes) -> "Record | None":
    """The record of 116 bytes; None when they are no record of this version."""
    if len(text) != struct.calcsize(_BODY):
        return None
    v = struct.unpack(_BODY, text)
    if v[0] != _VERSION or v[1] > MAIN or v[2] > RUNNING or v[4] > MAIN:
        return None
    r = Record()
    r._take(v)
    return r


def copies_of_record(root: str = "") -> Copies:
    """Where the boot record is kept."""
    return Copies(join(root, "boot"), b"MNVB")


def copies_of_keys(root: str = "") -> Copies:
    """Where the key set in force is kept."""
    return Copies(join(root, "keys"), b"MNVK")


def load(root: str = "") -> "tuple[Copies, Record | None]":
    """The record in force, None when there is none, and where to write the next one."""
    copies = copies_of_record(root)
    text = copies.read()
    record = None if text is None else unpack(text)
    copies.lost = copies.lost or (text is not None and record is None)
    return copies, record


# --- a slot's files -----------------------------------------------------------------------------------


def hashing(path: str, buffer: bytearray):
    """Generator, a step at a time: the (size, SHA-256) of a file."""
    digest = hashlib.sha256()
    view = memoryview(buffer)
    size = 0
    with open(path, "rb") as f:
        while True:
            n = f.readinto(buffer)
            if not n:
                return size, digest.digest()
            digest.update(view[:n])
            size += n
            yield


def entries(folder: str):
    """(name, whether it is a folder) of what is in a folder, in the order of the names."""
    if _micropython:
        return sorted([(entry[0], entry[1] & _FOLDER != 0) for entry in os.ilistdir(folder)])  # type: ignore
    return [(name, os.stat(join(folder, name))[0] & _FOLDER != 0) for name in sorted(os.listdir(folder))]


def _stranger(folder: str, prefix: str, files: set, folders: set) -> str:
    """The first path in `folder` that is not among the names; "" when there is none."""
    for name, is_folder in entries(join(folder, prefix[:-1]) if prefix else folder):
        path = prefix + name
        if path not in (folders if is_folder else files):
            return path
        inside = is_folder and _stranger(folder, path + "/", files, folders)
        if inside:
            return inside
    return ""


def checking(folder: str, want: "bytes | None"):
    """Generator, a step at a time: (what is wrong with a slot or "", its security version).

    Its manifest must have the SHA-256 `want` (None: whichever it has), each file its size and SHA-256, and
    nothing else may lie there: Python would import it.
    """
    try:
        buffer = bytearray(STEP)
        own = join(folder, "manifest.json")
        _, found = yield from hashing(own, buffer)
        if want is not None and found != want:
            return "manifest.json is not the one that was installed", 0
        with open(own, "rb") as f:
            manifest = json.load(f)  # piece by piece: its text is as large as all else here
        files = set(_OWN)
        folders = set()
        for path, size, digest in manifest["files"]:
            if (yield from hashing(join(folder, path), buffer)) != (size, unhexlify(digest)):
                return "%s is not as its manifest says" % path, 0
            files.add(path)
            above = path.rpartition("/")[0]
            while above:
                folders.add(above)
                above = above.rpartition("/")[0]
        extra = _stranger(folder, "", files, folders)
        if extra:
            return "%s is not in its manifest" % extra, 0
        return "", manifest["security_version"]
    except Exception as e:  # whatever it is, this slot cannot be run
        return "cannot be checked: %r" % e, 0


def finish(steps):
    """Run a generator to its end; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as e:
            return e.value


# --- the choice ---------------------------------------------------------------------------------------


def give_way(r: Record) -> None:
    """The slot before the one on trial is next."""
    r.active, r.previous = r.previous, r.active
    r.trial = NO_TRIAL


def choose(record: Record, fault) -> "tuple[Record, list[tuple[int, str]]]":
    """(the record to run by, the slots passed over and why) at power-on.

    `fault(slot)` is what is wrong with a slot, "" when it may run. `active` of the result runs; where none
    may, it is among those passed over.
    """
    r = record.copy()
    if r.trial == RUNNING:  # power or the program failed before there was a verdict
        r.turns += 1
        if r.turns >= MAX_TURNS:
            give_way(r)
    if r.trial:
        r.trial = RUNNING
    order = [r.active]
    for slot in (r.previous, A, B):
        if slot not in order and (slot != MAIN or slot == r.previous):
            order.append(slot)
    passed = []
    for slot in order:
        why = fault(slot)
        if not why:
            break
        passed.append((slot, why))
    else:
        return record, passed
    if passed:
        r.active, r.previous = slot, r.active
        r.trial = NO_TRIAL
        r.turns = 0
        r.outcome = DAMAGED
    return r, passed


def _fault(root: str, r: Record, slot: int) -> str:
    if slot == MAIN:
        return ""
    if slot == DEV and r.flags & (DEV_ALLOWED | DEV_FORBIDDEN) != DEV_ALLOWED:
        return "its owner does not allow it"
    if r.hashes[slot] == NO_HASH:
        return "nothing is installed there"
    return finish(checking(join(root, SLOTS[slot]), r.hashes[slot]))[0]


def _recovered(root: str) -> "Record | None":
    """A record in place of one that was lost, for the whole slot with the highest security version.

    Manifests come into a slot only after their signature was checked, when every file is there.
    """
    best = None
    for slot in (A, B):
        folder = join(root, SLOTS[slot])
        why, security = finish(checking(folder, None))
        if not why and (best is None or security > best.floor):
            best = Record()
            best.active = best.previous = slot
            best.floor = security
            best.outcome = RECORD_LOST
            best.hashes[slot] = finish(hashing(join(folder, "manifest.json"), bytearray(STEP)))[1]
    return best


def boot(root: str = "") -> "tuple[str, bool]":
    """Choose a slot, say and record it, and put it first on sys.path; returns it as `chosen`."""
    global chosen
    copies, record = load(root)
    if record is None and copies.lost:
        print("boot: the boot record is lost")
        record = _recovered(root)
        if record is not None:
            copies.write(record.pack())
    if record is None:
        chosen = ("main", False)
        return chosen
    r, passed = choose(record, lambda slot: _fault(root, record, slot))
    for slot, why in passed:
        print("boot: slot %s is passed over: %s" % (SLOTS[slot], why))
    if r.active in [slot for slot, _ in passed]:
        chosen = ("", False)
        print("boot: no slot can be run; put an application there by USB")
        return chosen
    if r.pack() != record.pack():
        try:
            copies.write(r.pack())
        except OSError as e:
            print("boot: the boot record cannot be written:", e)
            if r.trial and not _fault(root, r, r.previous):
                give_way(r)  # turns that cannot be counted would never end
    chosen = (SLOTS[r.active], r.trial == RUNNING)
    if r.active != MAIN:
        sys.path.insert(0, join(root, chosen[0]))
    print("boot: slot %s%s" % (chosen[0], " on trial, turn %d" % (r.turns + 1) if r.trial else ""))
    return chosen


# --- for a maker, by USB ------------------------------------------------------------------------------


def allow_dev(root: str = "") -> None:
    """Let `use_dev` work; OSError EPERM where it was forbidden for good."""
    copies, r = load(root)
    r = r or Record()
    if r.flags & DEV_FORBIDDEN:
        raise OSError(1, "the slot dev is forbidden for good on this device")
    r.flags |= DEV_ALLOWED
    copies.write(r.pack())


def forbid_dev(root: str = "") -> None:
    """Never run the slot dev again; only erasing the flash takes that back."""
    copies, r = load(root)
    r = r or Record()
    r.flags = DEV_FORBIDDEN
    copies.write(r.pack())
    copies.write(r.pack())  # the older copy must not allow it again, should this one be damaged


def use_dev(root: str = "") -> None:
    """Run the slot dev, as it lies there with its manifest, from the next start on; OSError says why not."""
    copies, r = load(root)
    r = r or Record()
    if r.flags & (DEV_ALLOWED | DEV_FORBIDDEN) != DEV_ALLOWED:
        raise OSError(1, "the slot dev is not allowed on this device")
    if r.trial:
        raise OSError(16, "a release is on trial; wait until it was kept or given up")
    folder = join(root, SLOTS[DEV])
    why, _ = finish(checking(folder, None))
    if why:
        raise OSError(22, "the slot dev: " + why)
    r.hashes[DEV] = finish(hashing(join(folder, "manifest.json"), bytearray(STEP)))[1]
    if r.active != DEV:
        r.active, r.previous = DEV, r.active
    if r.turns:  # of a trial that waited for another turn
        r.turns = 0
        r.outcome = NO_HUB
    copies.write(r.pack())
