"""The trial of the release that runs, and what became of the one before: until somebody was told.

Slots are loaded only while there is something to judge or to tell: they take memory.
"""

import bootslot

from minerva.selftest import SelfTest
from minerva.trial import WAIT, Facts


class Probation:
    """`slot` runs, `on_trial` or not. `now_ms()` is the device's time; the rest it is told."""

    def __init__(self, now_ms):
        self.slot, self.on_trial = bootslot.chosen
        self.welcomed = self.health_acked = False  # since the start
        self.outcome = None  # (action, "success" or "failure", text) that nobody was told yet
        self.selftest = SelfTest() if self.on_trial else None
        self.judging = False
        self._now_ms = now_ms
        self._began_ms = now_ms()
        self._slots = None
        _, record = bootslot.load()
        if record is not None and (self.on_trial or record.turns or record.outcome):
            from minerva.slots import Slots

            self._slots = Slots()
            self.judging = self.on_trial or self._slots.pending
            if not self.judging:
                self._conclude()

    def _conclude(self) -> None:
        """There is nothing more to judge: see what became of it."""
        self.judging = False
        self.on_trial = False
        self.selftest = None
        self.outcome = self._slots.outcome()
        if self.outcome is None:
            self._slots = None
        else:
            print("update: %s: %s" % self.outcome[1:])

    def heard(self, raw: "bytearray", size: int) -> None:
        """Slots that the microphone gave, while `selftest` is there."""
        self.selftest.heard(raw, size)

    def judge(self, muted: bool) -> bool:
        """Decide and record it; whether the device must restart now. OSError: not recorded, ask again."""
        facts = Facts(
            self.welcomed,
            self.health_acked,
            "waiting" if self.selftest is None else self.selftest.verdict,
            muted,
            self._now_ms() - self._began_ms,
        )
        order = self._slots.decide(facts)
        if order.name == WAIT:
            return False
        print("update: slot %s: %s %s" % (self.slot, order.name, order.why))
        if self._slots.carry_out(order):
            return True
        if not self._slots.running[1] and not self._slots.pending:
            self._conclude()
        return False

    def reported(self) -> None:
        """The outcome was told. OSError: it will be told again."""
        if self._slots is not None:
            self._slots.reported()
            self._slots = None
        self.outcome = None
