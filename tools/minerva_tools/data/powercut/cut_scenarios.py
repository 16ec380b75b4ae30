"""Runs under MicroPython: what a device is about when power fails.

Each scenario has `prepare()`, which lays out the flash, and `act(slots)`, which does what is due next in
whatever state the device is, as its application does: True when it restarts then, False when all is done.
`keys`, `flags`, `releases`, `dev`, `main` are what may be found at any moment, `floor` the least security
version.
"""

# mypy: ignore-errors

import os

import bootslot
from minerva.slots import Slots
from minerva.trial import MIC_FAILED, MIC_PASSED, TRIAL_MS, WAIT, Facts

from cut_device import ROOT, Bricked, Unverified, download, everything, lay_out, put, refuse, runs, trust

GOOD = Facts(True, True, MIC_PASSED, False, 3000)
DEAF = Facts(True, True, MIC_FAILED, False, TRIAL_MS)
ALONE = Facts(False, False, MIC_PASSED, False, TRIAL_MS)


class Update:
    """From `old` in slot a to `new`, while b has a release of before."""

    flags = (0,)
    dev = ()
    main = False  # whether what lies in the root may run

    def __init__(self, server):
        self.server = server
        self.goal = server["new"]
        self.releases = (server["old"], server["new"])
        self.keys = (server["keys"],)
        self.floor = 1

    def prepare(self):
        r = bootslot.Record()
        r.hashes[bootslot.A] = lay_out("a", self.server["old"])
        r.hashes[bootslot.B] = lay_out("b", self.server["older"])
        r.active, r.previous, r.floor = bootslot.A, bootslot.B, self.floor
        copies = bootslot.copies_of_record(ROOT)
        copies.write(r.pack())
        copies.write(r.pack())
        trust(self.server["keys"])
        put(ROOT + "/settings.json", b"{}")

    def act(self, slots):
        if slots.outcome() is not None:
            slots.reported()
        if slots.running[1]:
            return obey(slots, GOOD)
        if runs(slots, self.goal):
            return False
        download(slots, self.goal)
        return True


class First(Update):
    """The first update of a device whose application was copied to the root of its flash."""

    main = True

    def __init__(self, server):
        super().__init__(server)
        self.floor = 0

    def prepare(self):
        lay_out("", self.server["old"])
        trust(self.server["keys"])


class Resumed(Update):
    """An update of which a part was fetched before power failed for the first time."""

    def prepare(self):
        super().prepare()
        download(Slots(ROOT, ("a", False)), self.goal, stop_after=11000)


class RolledBack(Update):
    """A release that gives no sound is given up, and mended by a newer one."""

    facts = DEAF

    def __init__(self, server):
        super().__init__(server)
        self.releases = self.releases + (server["bad"],)

    def prepare(self):
        super().prepare()
        download(Slots(ROOT, ("a", False)), self.server["bad"])

    def act(self, slots):
        bad = runs(slots, self.server["bad"])
        if slots.running[1] and bad:
            return obey(slots, self.facts)
        if slots.pending and obey(slots, self.on_old(slots)):
            return True
        return super().act(slots)

    def on_old(self, slots):
        return GOOD


class Alone(RolledBack):
    """A trial without a hub: both slots take turns until the old one sees the hub again."""

    facts = ALONE

    def on_old(self, slots):
        return ALONE if slots.decide(ALONE).name != WAIT else GOOD


class Rotation(Update):
    """A release that is signed by keys which two key sets bring along; one for another board is refused."""

    def __init__(self, server):
        super().__init__(server)
        self.goal = server["rotated"]
        self.releases = (server["old"], self.goal)
        self.keys = (server["keys"], server["keys3"])

    def act(self, slots):
        refuse(slots, self.server["misdirected"])
        return super().act(slots)


class Deploy(Update):
    """A maker allows the slot dev, writes it, changes it twice in place, and forbids it for good."""

    def __init__(self, server):
        super().__init__(server)
        self.dev = (server["dev"], server["dev2"], server["dev3"])
        self.flags = (0, bootslot.DEV_ALLOWED, bootslot.DEV_FORBIDDEN)

    def act(self, slots):
        flags = bootslot.load(ROOT)[1].flags
        here = [i for i in range(3) if slots.running[0] == "dev" and runs(slots, self.dev[i])]
        if flags & bootslot.DEV_FORBIDDEN:
            self.flags = (bootslot.DEV_FORBIDDEN,)
            if here:
                raise Unverified("dev runs after it was forbidden")
            return False
        if here == [2]:
            bootslot.forbid_dev(ROOT)
            return True
        if not flags:
            bootslot.allow_dev(ROOT)
        release = self.dev[here[0] + 1 if here else 0]
        for path in everything(ROOT + "/dev") if "dev" in os.listdir(ROOT) else ():
            if path not in release.files and path != "manifest.json":
                os.remove("%s/dev/%s" % (ROOT, path))
        for path in sorted(release.files):
            put("%s/dev/%s" % (ROOT, path), release.files[path])
        put(ROOT + "/dev/manifest.json", release.manifest)
        bootslot.use_dev(ROOT)
        return True


def obey(slots, facts):
    """Whether the order that follows from the facts ends in a restart."""
    order = slots.decide(facts)
    if order.name == WAIT:
        raise Bricked("a trial waits for what never comes")
    return slots.carry_out(order)


ALL = {
    "first": First,
    "update": Update,
    "resumed": Resumed,
    "rollback": RolledBack,
    "alone": Alone,
    "rotation": Rotation,
    "deploy": Deploy,
}
