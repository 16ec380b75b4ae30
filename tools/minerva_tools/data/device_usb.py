"""What `minerva device` runs on a device, at its prompt: files by hash, facts, the boot record.

Names begin with _m_, for they stand among those of whoever uses the prompt afterwards.
"""

# mypy: ignore-errors
# (It runs under MicroPython, whose modules mypy does not know.)

import binascii
import hashlib
import json
import os
import sys

_m_file = None


def _m_kind(path):
    """True for a folder, False for a file, None where there is nothing."""
    try:
        return os.stat(path)[0] & 0x4000 != 0
    except OSError:
        return None


def _m_hash(path):
    """(size, SHA-256 in hex) of a file."""
    digest = hashlib.sha256()
    buffer = bytearray(2048)
    view = memoryview(buffer)
    size = 0
    with open(path, "rb") as f:
        while True:
            n = f.readinto(buffer)
            if not n:
                return size, binascii.hexlify(digest.digest()).decode()
            digest.update(view[:n])
            size += n


def _m_list(folder, prefix=""):
    """Print a line of JSON, [path, size, hash], for each file below a folder; None where it is missing."""
    if _m_kind(folder) is None:
        return
    for entry in sorted(os.ilistdir(folder)):
        path = folder + "/" + entry[0] if folder != "." else entry[0]
        if entry[1] & 0x4000:
            _m_list(path, prefix + entry[0] + "/")
        else:
            size, digest = _m_hash(path)
            print(json.dumps([prefix + entry[0], size, digest]))


def _m_files(paths):
    """The same for files by name; of those that are there."""
    for path in paths:
        if _m_kind(path) is False:
            size, digest = _m_hash(path)
            print(json.dumps([path, size, digest]))


def _m_begin(path):
    """Begin to write a file, beside the one that is there."""
    global _m_file
    at = path.find("/")
    while at > 0:
        if _m_kind(path[:at]) is None:
            os.mkdir(path[:at])
        at = path.find("/", at + 1)
    if _m_file is not None:
        _m_file.close()
    _m_file = open(path + ".part", "wb")


def _m_add(text):
    """Append base64."""
    _m_file.write(binascii.a2b_base64(text))


def _m_end(path, size, digest):
    """Put the file in its place, if the flash holds what was sent: in one step on littlefs."""
    global _m_file
    _m_file.close()
    _m_file = None
    part = path + ".part"
    found = _m_hash(part)
    if found != (size, digest):
        os.remove(part)
        raise ValueError("hash of " + path + ": " + found[1])
    try:
        os.rename(part, path)
    except OSError:
        os.remove(path)  # FAT renames onto nothing
        os.rename(part, path)
    if hasattr(os, "sync"):
        os.sync()


def _m_remove(path):
    """Remove a file, or a folder with all in it."""
    kind = _m_kind(path)
    if kind:
        for entry in list(os.ilistdir(path)):
            _m_remove(path + "/" + entry[0])
        os.rmdir(path)
    elif kind is False:
        os.remove(path)


def _m_prune(folder):
    """Remove the empty folders below a folder."""
    for entry in list(os.ilistdir(folder)):
        if entry[1] & 0x4000:
            path = folder + "/" + entry[0]
            _m_prune(path)
            if not list(os.ilistdir(path)):
                os.rmdir(path)


def _m_boot():
    """Bootslot as it is on the flash now; None where there is none."""
    sys.modules.pop("bootslot", None)
    try:
        import bootslot
    except ImportError:
        return None
    return bootslot


def _m_calm():
    """Give a watchdog that the application may have started an hour: nothing stops one."""
    if sys.platform == "esp32":
        import machine

        machine.WDT(timeout=3600000)


def _m_facts():
    """Print what the device is, as JSON."""
    said = sys.implementation
    space = os.statvfs(".")
    block = space[1] or space[0]
    facts = {
        "implementation": said.name,
        "version": ".".join([str(n) for n in said.version[:3]]),
        "machine": getattr(said, "_machine", ""),
        "mpy": getattr(said, "_mpy", 0),
        "platform": sys.platform,
        "free_bytes": space[3] * block,
        "flash_bytes": space[2] * block,
        "id": "",
        "running": None,
        "record": None,
        "lost": False,
        "keys": None,
        "root": [entry[0] for entry in os.ilistdir(".")],
    }
    try:
        import machine

        facts["id"] = binascii.hexlify(machine.unique_id()).decode()
    except (ImportError, AttributeError):
        pass
    before = sys.modules.get("bootslot")
    if before is not None:
        facts["running"] = before.chosen[0]
    boot = _m_boot()
    if boot is not None:
        copies, record = boot.load()
        facts["lost"] = copies.lost
        if record is not None:
            facts["record"] = {
                "active": boot.SLOTS[record.active],
                "previous": boot.SLOTS[record.previous],
                "trial": record.trial,
                "turns": record.turns,
                "flags": record.flags,
                "floor": record.floor,
                "hashes": [binascii.hexlify(h).decode() for h in record.hashes],
            }
        keys = boot.copies_of_keys().read()
        facts["keys"] = None if keys is None else keys.decode()
    print(json.dumps(facts))


def _m_text(path, limit):
    """Print a small file in hex; nothing where it is missing."""
    if _m_kind(path) is False:
        with open(path, "rb") as f:
            print(binascii.hexlify(f.read(limit)).decode())


def _m_install(slot, digest, floor, keys):
    """Make a slot the one that runs, without a trial, and trust a key set. ValueError: it is not whole."""
    boot = _m_boot()
    want = binascii.unhexlify(digest)
    why, _ = boot.finish(boot.checking(slot, want))
    if why:
        raise ValueError("slot " + slot + ": " + why)
    copies = boot.copies_of_keys()
    if copies.read() != keys:
        copies.write(keys)
    copies, r = boot.load()
    r = r or boot.Record()
    number = boot.SLOTS.index(slot)
    if r.active not in (boot.A, boot.B) or r.active == number or r.hashes[r.active] == boot.NO_HASH:
        r.previous = number
    else:
        r.previous = r.active
    r.active = number
    r.trial = boot.NO_TRIAL
    r.turns = 0
    r.outcome = boot.NOTHING
    r.action = 0
    r.floor = max(r.floor, floor)
    r.hashes[number] = want
    copies.write(r.pack())


def _m_forget(slot):
    """The record no longer offers a slot that is about to change."""
    boot = _m_boot()
    copies, r = boot.load()
    if r is not None:
        number = boot.SLOTS.index(slot)
        if r.hashes[number] != boot.NO_HASH:
            r.hashes[number] = boot.NO_HASH
            copies.write(r.pack())


def _m_keys(keys):
    """Trust a key set."""
    copies = _m_boot().copies_of_keys()
    if copies.read() != keys:
        copies.write(keys)
