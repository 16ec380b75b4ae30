"""Runs under MicroPython: cuts power at every operation of a scenario, or at some; prints one JSON object.

    cut_run.py SERVER SCENARIO FILE_SYSTEM STRIDE FIRST TWICE [once]

SERVER is a folder of releases, FILE_SYSTEM littlefs or fat. Of the cut points in their order it takes FIRST
and every STRIDE-th from there; at every TWICE-th of those it cuts again while the device recovers (0: never).
With `once` it ends at the first failure.
"""

# mypy: ignore-errors

import gc
import json
import os
import sys

import cut_scenarios
from cut_device import Bricked, Bundle, Unverified, get, mount, power_on, unmount
from cut_flash import KINDS, Noise, image

MAX_STARTS = 12  # after a cut; a trial without a hub takes eight
MAX_TOLD = 5
AGAIN = 3  # second cuts in one recovery


class Run:
    """One scenario and the counts of what became of the device."""

    def __init__(self, server, name, file_system):
        self.file_system = file_system
        self.make = lambda: cut_scenarios.ALL[name](server)
        self.noise = Noise(len(name))
        self.counts = {"points": 0, "twice": 0, "bricked": 0, "unverified": 0, "operations": 0}
        self.counts.update({kind: 0 for kind in KINDS})
        self.told = []

    def record(self):
        """The journal of an undisturbed run."""
        world = self.make()
        flash = mount(self.file_system)
        world.prepare()
        unmount()
        self.base = flash.blocks
        return self.live(self.base, journal=True)

    def live(self, blocks, journal=False):
        """Switch on, and go on until all is done; the journal. Bricked or Unverified when that fails."""
        world = self.make()
        flash = mount(self.file_system, blocks)
        try:
            if journal:
                flash.journal = []
            for _ in range(MAX_STARTS):
                if not world.act(power_on(world)):
                    power_on(world)  # it stays so
                    return flash.journal
            raise Bricked("not done after %d starts" % MAX_STARTS)
        finally:
            unmount()

    def judged(self, where, live):
        """What `live()` gives; None, told and counted, when the device did not survive it."""
        try:
            return live()
        except Unverified as e:
            self.tell("unverified", where, e)
        except Exception as e:
            if not isinstance(e, Bricked):
                sys.print_exception(e, sys.stderr)
            self.tell("bricked", where, e)
        return None

    def cut(self, where, entry, kind, again):
        """One cut point: count what becomes of it. `again`: cut the recovery too; None: this is one."""
        blocks = image(entry, kind, self.noise)
        if blocks is None:
            return
        self.counts["twice" if again is None else "points"] += 1
        self.counts[KINDS[kind]] += again is not None
        journal = self.judged(where, lambda: self.live(blocks, journal=bool(again)))
        for _ in range(AGAIN if again and journal else 0):
            k = self.noise.below(len(journal))
            kind = self.noise.below(3)
            self.cut("%s, then %d %s" % (where, k, KINDS[kind]), journal[k], kind, None)

    def tell(self, what, where, e):
        self.counts[what] += 1
        if len(self.told) < MAX_TOLD:
            self.told.append("%s: %s: %s" % (what, where, repr(e)))


def main(folder, name, file_system, stride, first, twice, once):
    server = {n: Bundle(folder + "/" + n) for n in os.listdir(folder) if not n.startswith("keys")}
    for n in ("keys", "keys3"):
        server[n] = get("%s/%s.json" % (folder, n))
    run = Run(server, name, file_system)
    journal = run.judged("without a cut", run.record) or []
    run.counts["operations"] = len(journal)
    taken = 0
    for point in range(first, 3 * len(journal), stride):
        if once and run.told:
            break
        k, kind = divmod(point, 3)
        taken += 1
        run.cut("cut at %d %s" % (k, KINDS[kind]), journal[k], kind, bool(twice and taken % twice == 0))
    gc.collect()
    print(json.dumps({"scenario": name, "file_system": file_system, "counts": run.counts, "told": run.told}))


main(*sys.argv[1:4], *[int(n) for n in sys.argv[4:7]], once="once" in sys.argv)
