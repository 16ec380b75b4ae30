import os

import bootslot
from minerva import trial
from minerva.manifest import parse
from minerva.slots import Writer
from minerva.trial import GIVE_UP, KEEP, MIC_PASSED, WAIT, Facts

from ota_lines import lines_of
from slot_device import (
    ALONE,
    DEAF,
    GOOD,
    NEW,
    OLD,
    SmallFlash,
    code,
    fetch,
    fresh,
    get,
    manifest_of,
    on,
    put,
    remove,
    run,
    update,
)


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


def check_section_gate():
    for v in lines_of("gate"):
        facts = Facts(**v["facts"])
        order, why = trial.decide(v["on_trial"], v["turns"], facts)
        assert (order, why) == (v["order"], v["why"]), v["name"]
        assert trial.turns_after(order, v["turns"], facts) == v["turns_after"], v["name"]


def check_a_trial_without_a_hub_takes_turns():
    root = fresh("alone")
    update(root, NEW, 3)
    for turn in range(3):
        slots = on(root)
        assert slots.running == ("b", True)
        order = slots.decide(ALONE)
        assert (order.name, order.why) == (GIVE_UP, "no_welcome") and slots.carry_out(order)
        slots = on(root)
        assert slots.running == ("a", False) and slots.pending
        if turn < 2:
            assert slots.carry_out(slots.decide(ALONE))
    assert slots.decide(ALONE).name == WAIT
    # Another release ends the matter, and does not leave the old one's trial behind.
    raw = manifest_of(NEW, 4)
    run(slots.begin(parse(raw), raw, b"{}"))
    assert not slots.pending and slots.outcome()[1] == "failure"
    remove(root)


def check_a_deaf_release_is_given_up():
    root = fresh("deaf")
    update(root, NEW, 3, action=(1 << 63) - 1)
    slots = on(root)
    assert slots.carry_out(slots.decide(DEAF))
    slots = on(root)
    assert slots.running == ("a", False) and not slots.pending and slots.security_version == 0
    assert slots.outcome() == ((1 << 63) - 1, "failure", "rolled back: the microphone gives nothing")
    remove(root)


def check_an_interrupted_file_goes_on_where_it_was():
    root = fresh("part")
    slots = on(root)
    raw = manifest_of(NEW)
    run(slots.begin(parse(raw), raw, b"{}"))
    index, _, size = slots.missing[0]
    data = NEW["minerva/app.py"]
    assert size == len(data)
    writer = slots.writer(index)
    writer.write(data[:9000])
    assert not writer.close()
    slots = on(root)
    run(slots.begin(parse(raw), raw, b"{}"))
    writer = slots.writer(index)
    assert writer.have == 9000
    run(writer.restore())
    assert code(lambda: writer.write(bytes(size - 8999))) == "bad_size"
    writer.write(data[9000:])
    assert writer.close()
    # A beginning that is not of this file is found out at its end, and gone then.
    os.remove(root + "/b/minerva/app.py")
    put(root + "/b/minerva/app.py.part", bytes(5000))
    writer = slots.writer(index)
    run(writer.restore())
    writer.write(data[writer.have :])
    assert code(writer.close) == "bad_hash" and slots.writer(index).have == 0
    put(root + "/b/minerva/app.py.part", bytes(size + 1))
    assert slots.writer(index).have == 0
    put(root + "/b/minerva/app.py.part", bytes(100))
    slots.restart_file(index)
    assert slots.writer(index).have == 0
    remove(root)


def check_install_looks_at_everything_again():
    root = fresh("again")
    slots = on(root)
    raw = manifest_of(NEW, 3)
    run(slots.begin(parse(raw), raw, b"{}"))
    assert code(lambda: run(slots.install(1))) == "bad_hash"  # files are missing
    run(slots.begin(parse(raw), raw, b"{}"))
    fetch(slots, NEW)
    put(root + "/b/minerva/big.py", b"changed since")
    assert code(lambda: run(slots.install(1))) == "bad_hash"
    assert on(root).running == ("a", False)
    run(slots.begin(parse(raw), raw, b"{}"))
    assert slots.missing == []  # it is copied from the slot that runs
    run(slots.install(1))
    assert on(root).running == ("b", True)
    remove(root)


def on_small_flash(blocks, check):
    try:
        import vfs
    except ImportError:
        return  # CPython has no flash to fill
    flash = SmallFlash(blocks)
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/small")
    try:
        root = fresh("space", flash="/small/")
        put(root + "/b/left.over", b"x")
        slots = on(root)
        raw = manifest_of(NEW, 4)
        check(root, slots, slots.begin(parse(raw), raw, b"{}"))
    finally:
        vfs.umount("/small")


def check_no_space_is_found_before_anything_is_removed():
    def check(root, slots, steps):
        assert code(lambda: run(steps)) == "no_space"
        assert get(root + "/b/left.over") == b"x"
        # What fills up only later is told alike, and harms nothing.
        writer = Writer(root + "/filler", 1 << 20, b"")
        assert code(lambda: [writer.write(bytes(4096)) for _ in range(40)]) == "no_space"
        assert on(root).running == ("a", False)

    on_small_flash(40, check)


def check_little_space_is_enough():
    def check(root, slots, steps):
        run(steps)
        fetch(slots, NEW)
        run(slots.install(1))
        assert on(root).running == ("b", True)

    on_small_flash(64, check)


def check_steps_are_small():
    root = fresh("steps")
    slots = on(root)
    raw = manifest_of(NEW)
    steps = sum([1 for _ in slots.begin(parse(raw), raw, b"{}")])
    # each file once as its own, and what is copied read once more
    assert steps >= len(NEW) + 2 * len(OLD["minerva/big.py"]) // bootslot.STEP, steps
    fetch(slots, NEW)
    assert sum([1 for _ in slots.install(1)]) >= sum([1 + len(NEW[p]) // bootslot.STEP for p in NEW])
    remove(root)
