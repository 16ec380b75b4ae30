"""Partials: the words of people who are still speaking, at the pace that the engines can keep.

Of each stream on which somebody speaks, the words so far are asked for again and again; two hypotheses in a
row make words certain (`transcribe.agreement`). Nothing of this is stored, and nothing of it decides what a
segment is: when it ends, its final transcript begins with the words that were shown as certain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from minerva_hub.config import TranscribeConfig
from minerva_hub.events import Partial
from minerva_hub.pipeline.scheduler import PartialJob, Scheduler
from minerva_hub.pipeline.spoken import Spoken, pace_s
from minerva_hub.pipeline.stream import Stream
from minerva_hub.segment import SoFar
from minerva_hub.transcribe import RATE, Hypothesis

FIRST: Final = RATE // 5  # samples of speech, its pre-roll not counted, that are worth a first look
MAX_COST_S: Final = 2.0  # an engine that needs longer for a partial gets no more of this stretch
MEMORY: Final = 0.2  # share of the newest partial in the mean cost that a first one is expected to have


class Partials:
    """The speech that goes on, by device. Lives in the event loop's thread."""

    def __init__(
        self, config: TranscribeConfig, scheduler: Scheduler, publish: Callable[[Partial], None]
    ) -> None:
        self.enabled = False  # until the engines are loaded
        self._config = config
        self._scheduler = scheduler
        self._publish = publish
        self._spoken: dict[str, Spoken] = {}
        self._cost_s = 0.0

    def began(self, stream: Stream, since_ms: int) -> None:
        """Somebody begins to speak."""
        if self._config.partials and not stream.guest:
            self.ended(stream)
            self._spoken[stream.device] = Spoken(stream, since_ms)

    def ended(self, stream: Stream) -> tuple[str, ...]:
        """The speech is over, or was none: the words that people saw as certain."""
        self._scheduler.withdraw(stream.device)
        spoken = self._spoken.pop(stream.device, None)
        return () if spoken is None or spoken.stream is not stream else spoken.agreement.committed

    def look(self) -> None:
        """Ask for what is due; called after each step of the detector."""
        if not self.enabled:
            return
        now_s = time.monotonic()
        for spoken in self._spoken.values():
            if not spoken.at_work and self._due(spoken, now_s):
                spoken.asked_s = now_s
                self._scheduler.ask(spoken)

    def take(self, job: PartialJob) -> SoFar | None:
        """The sound for a worker that begins with the job; None when there is none any more."""
        if self._spoken.get(job.spoken.stream.device) is not job.spoken:
            return None
        so_far = job.spoken.stream.ear.so_far()
        job.spoken.at_work = so_far is not None
        return so_far

    def heard(self, job: PartialJob, so_far: SoFar, hypothesis: Hypothesis | None, busy_s: float) -> None:
        """What came of it; None: the engine failed, which the next one may not."""
        spoken = job.spoken
        spoken.at_work = False
        spoken.cost_s = busy_s
        self._cost_s += (busy_s - self._cost_s) * MEMORY
        stream = spoken.stream
        if hypothesis is None or stream.removed or self._spoken.get(stream.device) is not spoken:
            return
        spoken.agreement.push(hypothesis.words, certain=so_far.certain)
        committed, tail = spoken.agreement.text
        if committed or tail:
            self._publish(
                Partial(
                    device=stream.device,
                    room=stream.room,
                    since_ms=spoken.since_ms,
                    until_ms=so_far.end_ms,
                    committed=committed,
                    tail=tail,
                )
            )

    def _due(self, spoken: Spoken, now_s: float) -> bool:
        if spoken.asked_s is None:
            return spoken.stream.ear.spoken >= FIRST
        cost_s = self._cost_s if spoken.cost_s is None else spoken.cost_s
        if cost_s > MAX_COST_S and spoken.cost_s is not None:
            return False
        pace = pace_s(
            self._config,
            cost_s,
            speaking=len(self._spoken),
            workers=self._scheduler.partial_workers,
            finals=len(self._scheduler.finals),
            all_workers=self._config.workers,
        )
        return now_s - spoken.asked_s >= pace
