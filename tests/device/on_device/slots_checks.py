import hashlib
import json
import os

import bootslot
from minerva.manifest import parse
from minerva.slots import Slots
from minerva.trial import KEEP, MIC_FAILED, MIC_PASSED, TRIAL_MS, WAIT, Facts

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


def fresh(name, files=OLD, security=0):
    """A device whose slot a has a release."""
    root = "slots-" + name
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


def check_an_update_is_tried_and_kept():
    root = fresh("kept")
    slots = on(root)
    assert slots.running == ("a", False) and slots.target == "b"
    raw = manifest_of(NEW, 3)
    run(slots.begin(parse(raw), raw, b"{}"))
    assert [m[0] for m in slots.missing] == [2, 4], slots.missing
    assert slots.missing[0][1] == len(OLD["minerva/__init__.py"])
    fetch(slots, NEW)
    run(slots.install(77))
    slots = on(root)
    assert slots.running == ("b", True) and slots.action_id == 77
    assert slots.decide(Facts(True, False, MIC_PASSED, False, 5)).name == WAIT
    order = slots.decide(GOOD)
    assert order.name == KEEP and not slots.carry_out(order)
    assert slots.outcome()[:2] == (77, "success")
    slots.reported()
    slots = on(root)
    assert slots.running == ("b", False) and slots.outcome() is None and slots.security_version == 3
    remove(root)
