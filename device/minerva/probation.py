"""The trial of what runs, a slot or a whole image, and what became of it: until somebody was told.

What judges is loaded only while there is something to judge or to tell: it takes memory.
"""

import os


class Probation:
    """`slot` runs, `on_trial` or not; tell it `welcomed` and `health_acked`."""

    def __init__(self):
        import bootslot

        self.slot, self.on_trial = bootslot.chosen
        self.welcomed = self.health_acked = False  # since the start
        self._selftest = None
        self._judged = []  # slots.Slots or what does as it does, on trial or with a trial behind it
        self._telling = []  # those with an outcome that nobody was told yet
        _, record = bootslot.load()
        self.security_version = 0 if record is None else record.floor
        if record is not None and (self.on_trial or record.turns or record.outcome):
            from minerva.slots import Slots

            self._take(Slots("", (self.slot, self.on_trial)))
        if "image.0" in os.listdir() or "image.1" in os.listdir():
            from minerva.hw.partition import Partitions

            self._take(Partitions())

    def _take(self, target) -> None:
        if target.running[1] or target.pending:
            self._judged.append(target)
        elif target.outcome() is not None:
            self._conclude(target)
        if target.running[1] and self._selftest is None:
            from minerva.selftest import SelfTest

            self.on_trial = True
            self._selftest = SelfTest()

    def _conclude(self, target) -> None:
        """There is nothing more to judge of it: see what became of it."""
        outcome = target.outcome()
        if outcome is not None:
            print("update: %s: %s" % outcome[1:])
            self._telling.append(target)

    @property
    def judging(self) -> bool:
        """Whether there is something on trial, or with a trial behind it that is not judged."""
        return len(self._judged) > 0

    @property
    def outcome(self) -> "tuple[int, str, str] | None":
        """(action, "success" or "failure", text) that nobody was told yet."""
        return self._telling[0].outcome() if self._telling else None

    def heard(self, raw: "bytearray", size: int) -> None:
        """Slots that the microphone gave, while `judging`."""
        if self._selftest is not None:
            self._selftest.heard(raw, size)

    def judge(self, muted: bool, uptime_ms: int) -> bool:
        """Decide and record it; whether the device must restart now. OSError: not recorded, ask again."""
        from minerva.trial import WAIT, Facts

        facts = Facts(
            self.welcomed,
            self.health_acked,
            "waiting" if self._selftest is None else self._selftest.verdict,
            muted,
            uptime_ms,
        )
        for target in list(self._judged):
            order = target.decide(facts)
            if order.name == WAIT:
                continue
            print("update: %s: %s %s" % (target.running[0], order.name, order.why))
            if target.carry_out(order):
                return True
            if not target.running[1] and not target.pending:
                self._judged.remove(target)
                self._conclude(target)
        if not self._judged:
            self.on_trial = False
            self._selftest = None
        return False

    def reported(self) -> None:
        """The outcome was told. OSError: it will be told again."""
        if self._telling:
            self._telling[0].reported()
            self._telling.pop(0)
