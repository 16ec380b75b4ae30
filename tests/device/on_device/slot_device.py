"""A device's flash as a folder, for the checks of slots."""

import hashlib
import json
import os

import bootslot
from minerva.errors import UpdateError
from minerva.manifest import parse
from minerva.slots import Slots
from minerva.trial import MIC_FAILED, MIC_PASSED, TRIAL_MS, Facts

OLD = {
    "boards/__init__.py": b"",
    "minerva/__init__.py": b"v = 1\n",
    "minerva/app.py": b"# app\n" * 900,
    "minerva/big.py": bytes(range(256)) * 50,
}
NEW = dict(OLD, **{"minerva/app.py": b"# APP\n" * 1800, "minerva/hw/new.py": b"pass\n"})
GOOD = Facts(True, True, MIC_PASSED, False, 3000)
DEAF = Facts(True, True, MIC_FAILED, False, TRIAL_MS)
ALONE = Facts(False, False, MIC_PASSED, False, TRIAL_MS)


def remove(path):
    try:
        if not os.stat(path)[0] & 0x4000:
            return os.remove(path)
    except OSError:
        return None
    for name in os.listdir(path):
        remove(path + "/" + name)
    os.rmdir(path)


def manifest_of(files, security=0):
    listed = [[p, len(files[p]), hashlib.sha256(files[p]).digest().hex()] for p in sorted(files)]
    head = '{"format":1,"name":"minerva","version":"1.%d","security_version":%d,' % (security, security)
    head += '"kind":"application","variant":"micropython","boards":["virtual"],"abi":"source",'
    head += '"created":1,"expires":2,"keys":["0123456789abcdef"],"files":'
    return (head + json.dumps(listed) + "}").encode()


def put(path, data):
    at = path.find("/")
    while at >= 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            pass
        at = path.find("/", at + 1)
    with open(path, "wb") as f:
        f.write(data)


def get(path):
    with open(path, "rb") as f:
        return f.read()


def fresh(name, files=OLD, security=0, flash=""):
    """A device whose slot a has a release."""
    root = flash + "slots-" + name
    remove(root)
    for path in files:
        put(root + "/a/" + path, files[path])
    raw = manifest_of(files, security)
    put(root + "/a/manifest.json", raw)
    put(root + "/a/manifest.sig", b"{}")
    r = bootslot.Record()
    r.active = r.previous = bootslot.A
    r.floor = security
    r.hashes[bootslot.A] = hashlib.sha256(raw).digest()
    bootslot.copies_of_record(root).write(r.pack())
    return root


def on(root):
    """Switch it on."""
    return Slots(root, bootslot.boot(root))


bootslot.print = lambda *words: None


def run(steps):
    return bootslot.finish(steps)


def fetch(slots, files):
    for index, _, size in slots.missing:
        writer = slots.writer(index)
        run(writer.restore())
        data = files[sorted(files)[index]]
        assert size == len(data)
        while writer.have < size:
            writer.write(data[writer.have : writer.have + 1000])
        assert writer.close()


def update(root, files, security=0, action=7):
    slots = on(root)
    raw = manifest_of(files, security)
    run(slots.begin(parse(raw), raw, b"{}"))
    fetch(slots, files)
    run(slots.install(action))
    return raw


def refused(call):
    try:
        call()
    except OSError as e:
        return e.errno
    raise AssertionError("not refused")


def code(call):
    try:
        call()
    except UpdateError as e:
        return e.code
    raise AssertionError("not refused")


class SmallFlash:
    """A block device in memory."""

    def __init__(self, blocks):
        self._blocks = [bytes(4096)] * blocks

    def readblocks(self, n, buf, off=0):
        buf[:] = self._blocks[n][off : off + len(buf)]

    def writeblocks(self, n, buf, off=0):
        block = bytearray(self._blocks[n])
        block[off : off + len(buf)] = buf
        self._blocks[n] = block

    def ioctl(self, request, argument):
        return {4: len(self._blocks), 5: 4096}.get(request, 0)
