import os

import bootslot
from minerva.errors import SlotError
from minerva.manifest import parse
from minerva.trial import BLAME, WAIT

from ota_lines import lines_of
from slot_device import ALONE, GOOD, NEW, OLD, fresh, get, manifest_of, on, put, refused, remove, run, update


def names(r):
    """A record as the vectors write it."""
    return {
        "active": bootslot.SLOTS[r.active],
        "trial": ("none", "waiting", "running")[r.trial],
        "turns": r.turns,
        "previous": bootslot.SLOTS[r.previous],
        "flags": r.flags,
        "outcome": r.outcome,
        "action": r.action,
        "floor": r.floor,
        "hashes": [h.hex() for h in r.hashes],
    }


def check_section_records():
    remove("slots-vectors")
    os.mkdir("slots-vectors")
    for vector in lines_of("records"):
        for i in range(2):
            path = "slots-vectors/boot.%d" % i
            remove(path)
            if vector["copies"][i] is not None:
                put(path, bytes.fromhex(vector["copies"][i]))
        copies, record = bootslot.load("slots-vectors")
        assert (record and names(record)) == vector["record"], vector["name"]
        assert copies.lost is vector["lost"], vector["name"]
        if record:  # and back: the next one stands in one copy, and the other still has this one
            copies.write(bootslot.Record().pack())
            assert names(bootslot.load("slots-vectors")[1]) == names(bootslot.Record()), vector["name"]
            written = [i for i in range(2) if os.stat("slots-vectors/boot.%d" % i)[6] == 128]
            written = [i for i in written if get("slots-vectors/boot.%d" % i).hex() != vector["copies"][i]]
            assert len(written) == 1, vector["name"]
            os.remove("slots-vectors/boot.%d" % written[0])
            assert names(bootslot.load("slots-vectors")[1]) == vector["record"], vector["name"]
    remove("slots-vectors")


def check_section_starts():
    trials = ("none", "waiting", "running")
    for v in lines_of("starts"):
        r = bootslot.Record()
        r.active, r.previous = [bootslot.SLOTS.index(v["record"][n]) for n in ("active", "previous")]
        r.trial, r.turns = trials.index(v["record"]["trial"]), v["record"]["turns"]
        before = r.pack()
        faults = {i: "" if bootslot.SLOTS[i] in v["whole"] else "damaged" for i in range(4)}
        after, passed = bootslot.choose(r, faults.get)
        runs = None if after.active in [p[0] for p in passed] else bootslot.SLOTS[after.active]
        assert runs == v["runs"], v["name"]
        assert runs is None or (after.trial == bootslot.RUNNING) is v["on_trial"], v["name"]
        assert {k: names(after)[k] for k in v["after"]} == v["after"], v["name"]
        assert r.pack() == before
        assert (after.outcome == bootslot.DAMAGED) is bool(passed and runs), v["name"]


def check_a_copy_torn_at_any_byte_leaves_what_was_there():
    remove("slots-torn")
    os.mkdir("slots-torn")
    store = bootslot.copies_of_keys("slots-torn")
    assert store.read() is None
    store.write(b"first")
    store.write(b"second")
    whole = get("slots-torn/keys.0")
    store.write(b"third")
    store.write(b"fourth")
    new = get("slots-torn/keys.1")
    for size in range(len(new)):
        for rest in (b"", whole[size:], b"\xff" * (len(new) - size), bytes(len(new) - size)):
            put("slots-torn/keys.1", new[:size] + rest)
            expected = b"fourth" if new[:size] + rest == new else b"third"
            assert bootslot.copies_of_keys("slots-torn").read() == expected, (size, rest)
    put("slots-torn/keys.1", new)
    store.write(b"fifth")
    assert bootslot.copies_of_keys("slots-torn").read() == b"fifth"
    remove("slots-torn")


def damaged(name, damage):
    """A device that runs b and has the release before in a, after `damage(folder of b)`."""
    root = fresh(name)
    raw = update(root, NEW, 3)
    slots = on(root)
    slots.carry_out(slots.decide(GOOD))
    slots.reported()
    assert on(root).running == ("b", False)
    damage(root + "/b", raw)
    slots = on(root)
    assert slots.running == ("a", False), name
    assert slots.outcome()[1] == "failure" and "not whole" in slots.outcome()[2]
    slots.reported()
    assert slots.security_version == 3
    update(root, NEW, 3)  # and it is mended
    assert on(root).running == ("b", True), name
    remove(root)


def check_a_damaged_slot_is_passed_over():
    other = manifest_of(dict(NEW, extra=b"x"), 9)
    damages = {
        "changed": lambda b, raw: put(b + "/minerva/app.py", b"# APp\n" + NEW["minerva/app.py"][6:]),
        "short": lambda b, raw: put(b + "/minerva/app.py", NEW["minerva/app.py"][:-1]),
        "missing": lambda b, raw: os.remove(b + "/minerva/hw/new.py"),
        "extra": lambda b, raw: put(b + "/minerva/evil.py", b""),
        "shadow": lambda b, raw: put(b + "/asyncio.py", b""),
        "folder": lambda b, raw: os.mkdir(b + "/asyncio"),
        "another": lambda b, raw: put(b + "/manifest.json", other),
        "longer": lambda b, raw: put(b + "/manifest.json", raw + b"\n"),
        "gone": lambda b, raw: os.remove(b + "/manifest.json"),
        "nothing": lambda b, raw: remove(b),
        "file": lambda b, raw: (os.remove(b + "/minerva/hw/new.py"), os.mkdir(b + "/minerva/hw/new.py")),
    }
    for name in damages:
        damaged(name, damages[name])


def check_another_release_that_is_whole_and_signed_is_not_run():
    root = fresh("replaced")
    update(root, NEW, 3)
    for path in OLD:
        put(root + "/b/" + path, OLD[path])
    os.remove(root + "/b/minerva/hw/new.py")
    os.rmdir(root + "/b/minerva/hw")
    put(root + "/b/manifest.json", manifest_of(OLD, 0))
    assert not run(bootslot.checking(root + "/b", None))[0]  # it is whole
    assert on(root).running == ("a", False)
    remove(root)


def check_no_whole_slot_runs_nothing():
    root = fresh("none")
    put(root + "/minerva/app.py", b"")
    os.remove(root + "/a/minerva/app.py")
    record = get(root + "/boot.0")
    assert bootslot.boot(root) == ("", False)
    assert get(root + "/boot.0") == record
    put(root + "/a/minerva/app.py", OLD["minerva/app.py"])
    assert on(root).running == ("a", False)
    remove(root)


def check_a_lost_record_is_made_again():
    root = fresh("lost", security=1)
    update(root, NEW, 3)
    for i in range(2):
        put(root + "/boot.%d" % i, b"MNVB" + bytes(124))
    slots = on(root)
    assert slots.running == ("b", False) and "lost" in slots.outcome()[2]
    assert slots.security_version == 3
    put(root + "/b/minerva/app.py", b"")
    for i in range(2):
        put(root + "/boot.%d" % i, b"")
    assert on(root).running == ("a", False)
    remove(root + "/a")
    for i in range(2):
        put(root + "/boot.%d" % i, b"")
    assert on(root).running == ("main", False)  # what USB put there, if anything
    remove(root)


def check_a_record_that_cannot_be_written_starts_no_trial():
    root = fresh("full")
    update(root, NEW, 3)
    older = "boot.0" if get(root + "/boot.0")[4] < get(root + "/boot.1")[4] else "boot.1"
    remove(root + "/" + older)
    os.mkdir(root + "/" + older)  # what opens it for writing fails
    assert on(root).running == ("a", False)
    os.rmdir(root + "/" + older)
    assert on(root).running == ("b", True)
    remove(root)


def check_the_slot_dev():
    root = fresh("dev")
    for path in NEW:
        put(root + "/dev/" + path, NEW[path])
    put(root + "/dev/manifest.json", manifest_of(NEW))
    for forbidden in (False, True):
        assert refused(lambda: bootslot.use_dev(root)) == 1
        assert on(root).running == ("a", False)
        if forbidden:
            assert refused(lambda: bootslot.allow_dev(root)) == 1
            break
        bootslot.allow_dev(root)
        put(root + "/dev/minerva/app.py", b"")
        assert refused(lambda: bootslot.use_dev(root)) == 22
        put(root + "/dev/minerva/app.py", NEW["minerva/app.py"])
        bootslot.use_dev(root)
        assert on(root).running == ("dev", False)
        assert on(root).target == "b"  # a is what would run in its stead
        put(root + "/dev/minerva/app.py", b"changed in place")
        assert on(root).running == ("a", False)
        put(root + "/dev/minerva/app.py", NEW["minerva/app.py"])
        bootslot.use_dev(root)
        bootslot.forbid_dev(root)
        for copy in range(2):  # before anything else writes: power may fail in the next moment
            kept = get(root + "/boot.%d" % copy)
            put(root + "/boot.%d" % copy, b"")
            assert bootslot.load(root)[1].flags == bootslot.DEV_FORBIDDEN
            put(root + "/boot.%d" % copy, kept)
    for copy in range(2):  # neither copy of the record allows it again
        kept = get(root + "/boot.%d" % copy)
        put(root + "/boot.%d" % copy, b"")
        assert on(root).running == ("a", False)
        put(root + "/boot.%d" % copy, kept)
    remove(root)


def check_three_turns_without_a_verdict():
    root = fresh("turns")
    update(root, NEW, 3, action=5)
    for turn in range(3):
        slots = on(root)
        assert slots.running == ("b", True) and slots.security_version == 0, turn
        try:
            raw = manifest_of(OLD)
            run(slots.begin(parse(raw), raw, b"{}"))
            raise AssertionError("the other slot may be changed during a trial")
        except SlotError:
            pass
    slots = on(root)
    assert slots.running == ("a", False) and slots.pending and slots.outcome() is None
    assert slots.decide(ALONE).name == WAIT
    order = slots.decide(GOOD)
    assert order.name == BLAME and not slots.carry_out(order)
    assert slots.outcome()[:2] == (5, "failure") and not slots.pending
    slots.reported()
    assert on(root).outcome() is None
    remove(root)
