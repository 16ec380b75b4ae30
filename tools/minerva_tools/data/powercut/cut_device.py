"""Runs under MicroPython: a device with a Flash, as far as updates go, and the judge of what it runs.

The judge reads the flash by itself: it does not ask the code it judges.
"""

# mypy: ignore-errors

import hashlib
import os
import sys

import bootslot
import vfs
from minerva import ed25519, keyset, manifest
from minerva.acceptance import accept
from minerva.errors import UpdateError
from minerva.slots import Slots

from cut_flash import Disk, Flash

ROOT = "/f"
FILE_SYSTEMS = {"littlefs": (vfs.VfsLfs2, Flash, 96), "fat": (vfs.VfsFat, Disk, 768)}  # 384 kB
_MTU = 1000  # bytes that come at a time

bootslot.print = lambda *words: None


class Bricked(Exception):
    """It does not start any more, or does not get to the end of what it was about."""


class Unverified(Exception):
    """It runs, trusts or allows what it must not."""


class Bundle:
    """A release as it lies on the server, by the names of its three artifacts; `files` is {path: content}."""

    def __init__(self, folder):
        self.manifest = get(folder + "/manifest.json")
        self.signature = get(folder + "/manifest.sig")
        self.bundle = get(folder + "/files.bin")
        self.parsed = manifest.parse(self.manifest)
        offsets = self.parsed.offsets()
        self.files = {}
        for (path, size, _), at in zip(self.parsed.files, offsets):
            self.files[path] = self.bundle[at : at + size]


def get(path):
    with open(path, "rb") as f:
        return f.read()


def put(path, data):
    """Write a file, as mpremote does."""
    at = path.find("/", len(ROOT) + 1)
    while at >= 0:
        try:
            os.mkdir(path[:at])
        except OSError as e:
            if e.errno != 17:
                raise
        at = path.find("/", at + 1)
    with open(path, "wb") as f:
        f.write(data)


_verified = {}
_path = list(sys.path)  # a start begins with what it was


def verify(public, message, signature):
    """Ed25519, each signature computed once: thousands of cuts ask about the same ones."""
    key = (public, message, signature)
    if key not in _verified:
        _verified[key] = ed25519.verify(public, message, signature)
    return _verified[key]


def mount(file_system, blocks=None):
    """Put the flash (None: a new one) into a device; Bricked when it holds no file system."""
    kind, device, size = FILE_SYSTEMS[file_system]
    flash = device(size if blocks is None else blocks)
    if blocks is None:
        kind.mkfs(flash)
    try:
        vfs.mount(kind(flash), ROOT)
    except OSError as e:
        raise Bricked("the file system cannot be mounted: %s" % e)
    return flash


def unmount():
    vfs.umount(ROOT)


def everything(folder, prefix=""):
    """{path: content} of what lies in a folder."""
    out = {}
    for name, kind, *_ in os.ilistdir(folder):
        if kind & 0x4000:
            out.update(everything(folder + "/" + name, prefix + name + "/"))
        else:
            out[prefix + name] = get(folder + "/" + name)
    return out


def power_on(world):
    """Start it as boot.py does, and judge what was chosen; the Slots that its application gets."""
    sys.path[:] = _path
    try:
        chosen = bootslot.boot(ROOT)
    except Exception as e:
        raise Bricked("boot raises %r" % e)
    judge(world, chosen)
    return Slots(ROOT, chosen)


def judge(world, chosen):
    """Bricked or Unverified, unless what was chosen is a whole release that is signed, or an allowed dev."""
    name = chosen[0]
    if name not in ("a", "b", "dev") and not (name == "main" and world.main):
        raise Bricked("slot %r is chosen" % name)
    keys = bootslot.copies_of_keys(ROOT).read()
    if keys not in world.keys:
        raise Unverified("keys %r" % keys)
    record = bootslot.load(ROOT)[1] or bootslot.Record()
    if record.flags not in world.flags:
        raise Unverified("flags %d" % record.flags)
    if record.floor < world.floor:
        raise Unverified("floor %d" % record.floor)
    if name == "main":
        if record.active != bootslot.MAIN:
            raise Unverified("main runs, and the record says slot %d" % record.active)
        return
    inside = everything(ROOT + "/" + name)
    own = inside.pop("manifest.json", None)
    signature = inside.pop("manifest.sig", None)
    for release in world.dev if name == "dev" else world.releases:
        if release.manifest == own:
            break
    else:
        raise Unverified("slot %s has a manifest that nobody signed" % name)
    if inside != release.files:
        raise Unverified("slot %s has not the files of its manifest" % name)
    if name == "dev":
        if not record.flags & 1:
            raise Unverified("dev runs and is not allowed")
        return
    if signature != release.signature:
        raise Unverified("slot %s has another signature than came with it" % name)
    for known in world.keys:
        # Signed by keys of before or after a rotation; an older release stays what it was.
        try:
            keyset.check(own, signature, keyset.parse(known), verify)
            return
        except Exception as e:
            why = e
    raise Unverified("slot %s: %s" % (name, why))


def trust(text):
    """Put a key set in force, as pairing does."""
    copies = bootslot.copies_of_keys(ROOT)
    copies.read()
    copies.write(text)


def lay_out(slot, release):
    """Put a release into a slot ("": the root), as a device that is new or was updated long ago has it."""
    folder = ROOT + "/" + slot if slot else ROOT
    for path in release.files:
        put("%s/%s" % (folder, path), release.files[path])
    put("%s/manifest.sig" % folder, release.signature)
    put("%s/manifest.json" % folder, release.manifest)
    return hashlib.sha256(release.manifest).digest()


def accepted(slots, release):
    """The manifest of a release that this device takes, and with it the keys that it brings; UpdateError."""
    here = {
        "variant": "micropython",
        "board": "virtual",
        "abi": "source",
        "security_version": slots.security_version,
        "utc_s": None,
    }
    keys = bootslot.copies_of_keys(ROOT)
    return accept(release.manifest, release.signature, keys, lambda kind: here, verify)


def refuse(slots, release):
    """See that it is refused, and that nothing of it is kept."""
    keys = bootslot.copies_of_keys(ROOT)
    before = keys.read()
    try:
        accepted(slots, release)
    except UpdateError:
        if keys.read() != before:
            raise Unverified("a release that is refused brings its keys")
        return
    raise Unverified("a release for another board is taken")


def download(slots, release, stop_after=None):
    """Check a release, then fetch and install it, as the updater does; no more than `stop_after` bytes."""
    checked = accepted(slots, release)
    bootslot.finish(slots.begin(checked, release.manifest, release.signature))
    for index, offset, size in slots.missing:
        writer = slots.writer(index)
        bootslot.finish(writer.restore())
        while writer.have < size:
            take = min(_MTU, size - writer.have)
            if stop_after is not None:
                take = min(take, stop_after)
                stop_after -= take
                if take == 0:
                    writer.close()
                    return
            at = offset + writer.have
            writer.write(release.bundle[at : at + take])
        if not writer.close():
            raise Bricked("a complete file is not taken")
    bootslot.finish(slots.install(7))


def runs(slots, release):
    """Whether the slot that runs has this release."""
    name = slots.running[0]
    folder = ROOT + "/" + name if name != "main" else ROOT
    return get(folder + "/manifest.json") == release.manifest
