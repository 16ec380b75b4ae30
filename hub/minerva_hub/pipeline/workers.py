"""The engines at work: loads them, then gives each transcriber the job whose turn it is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from minerva_hub.config import HubConfig
from minerva_hub.diarize import Diarizer, choose_diarizer
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo
from minerva_hub.pipeline.partials import Partials
from minerva_hub.pipeline.queue import Job
from minerva_hub.pipeline.scheduler import PartialJob, Scheduler
from minerva_hub.pipeline.scribe import Written, write_down
from minerva_hub.pipeline.stream import Stream
from minerva_hub.pipeline.tones import ToneMeter
from minerva_hub.pipeline.tool import EngineHungError, Tool, Tools
from minerva_hub.tone import choose_reader
from minerva_hub.transcribe import Engine

RETRIES_S = (0.5, 3.0)  # before a segment is given up: a recogniser that died is started again meanwhile
HANGS = 2  # of one segment: each costs a recogniser
LATE_S = 10.0  # words that come so long after they were said are marked
LATE_STEPS_S = (LATE_S, 30.0, 60.0, 120.0, 300.0)

_log = logging.getLogger(__name__)


def late_warning(waited_s: float) -> str | None:
    """What people are told of a segment that has waited so long, in steps, not anew each second."""
    step = max((step for step in LATE_STEPS_S if step <= waited_s), default=None)
    if step is None:
        return None
    return (
        f"Words come more than {step:g} s late: the recogniser is slower than people speak. "
        "What was said waits for it, and partials hold back"
    )


class Workers:
    """The transcribers of the pipeline, a thread each.

    `add` stores what was written down, `show` takes what is known of an engine, `after` is told that a stream
    has no text to come. `work` counts what was done: jobs, the milliseconds that they took, encoder frames.
    """

    def __init__(
        self,
        config: HubConfig,
        scheduler: Scheduler,
        partials: Partials,
        choose: Callable[[], Engine],
        *,
        add: Callable[..., Awaitable[object]],
        show: Callable[[EngineInfo], None],
        warn: Callable[[str, str | None], None],
        after: Callable[[Stream], None],
        drops: Counter[str],
    ) -> None:
        self.work: Counter[str] = Counter()
        self._config = config
        self._scheduler = scheduler
        self._partials = partials
        self._choose_engine = choose
        self._add = add
        self._show = show
        self._warn = warn
        self._after = after
        self._drops = drops
        self._name = "none"
        self._limit_s = config.transcribe.job_limit_s
        self._tools: Tools
        self._diarizer: Diarizer[Any] | None = None
        self._meter: ToneMeter | None = None

    def diarizer(self) -> Diarizer[Any]:
        """The diarizer in use; it is loaded before the first segment is written down."""
        if self._diarizer is None:
            raise RuntimeError("the diarizer is loaded before the first worker starts")
        return self._diarizer

    async def run(self) -> None:
        """Choose and load the engines, then let the workers begin."""
        try:
            engine = await asyncio.to_thread(self._choose_engine)
            final = engine.info
            self._name = final.name
            self._tools = Tools(engine, self._choose_engine)
            self._show(msgspec.structs.replace(final, state="loading"))
            self._diarizer = await asyncio.to_thread(
                choose_diarizer, self._config.diarize, self._config.models.path
            )
            self._show(self._diarizer.info)
            await self._load_tone()
            async with asyncio.TaskGroup() as workers:
                ready: list[asyncio.Event] = []
                for number in range(self._config.transcribe.workers):
                    ready.append(asyncio.Event())
                    workers.create_task(self._work(number, ready[-1]))
                for event in ready:
                    await event.wait()
                self._show(final)
                self._partials.enabled = True
        except* (EngineUnavailableError, EngineError) as problems:
            self._partials.enabled = False
            text = "; ".join(str(problem) for problem in problems.exceptions)
            self._show(EngineInfo(stage="transcribe", name=self._name, state="error", reason=text))
            self._warn("engine", f"Nothing is written down: {text}")

    async def _load_tone(self) -> None:
        """Tone is told or not; that it cannot be keeps no words from being written down."""
        try:
            reader = await asyncio.to_thread(choose_reader, self._config.tone, self._config.models.path)
        except EngineUnavailableError as problem:
            self._show(
                EngineInfo(stage="tone", name=self._config.tone.engine, state="error", reason=str(problem))
            )
            return
        if reader is None:
            self._show(EngineInfo(stage="tone", name="off", state="off", reason="Switched off."))
            return
        self._meter = ToneMeter(reader)
        self._show(reader.info)

    async def _work(self, number: int, ready: asyncio.Event) -> None:
        """One transcriber with its own thread: loads, then takes jobs for ever."""
        tool = await self._tools.open(number)
        ready.set()
        try:
            while True:
                job = await self._scheduler.take()
                try:
                    if isinstance(job, PartialJob):
                        tool = await self._hear(job, tool)
                    else:
                        tool = await self._do(job, tool)
                finally:
                    self._scheduler.done(job)
                    if isinstance(job, Job) and not self._scheduler.finals.pending(job.stream.device):
                        self._after(job.stream)
        finally:
            await tool.end()

    async def _hear(self, job: PartialJob, tool: Tool) -> Tool:
        """The words so far of somebody who speaks. What fails is only older words on the page."""
        so_far = self._partials.take(job)
        if so_far is None:
            self._scheduler.dropped += 1
            return tool
        began = time.perf_counter()
        hypothesis = None
        try:
            hypothesis = await tool.use(lambda own: own.hypothesis(so_far.pcm), self._limit_s)
        except EngineHungError as problem:
            tool = await self._replaced(tool, job.spoken.stream.room, problem)
        except Exception as problem:
            self._failed(problem, job.spoken.stream.room)
        busy_s = time.perf_counter() - began
        self._count("partial", busy_s, 0 if hypothesis is None else hypothesis.encoder_frames)
        self._partials.heard(job, so_far, hypothesis, busy_s)
        return tool

    async def _do(self, job: Job, tool: Tool) -> Tool:
        stream = job.stream
        written, tool = await self._written(job, tool)
        if written.drafts and not stream.removed:
            late_s = time.monotonic() - job.since_s
            await self._add(
                stream.device,
                stream.room,
                self._name,
                written.drafts,
                stream.point_at(job.settles),
                late_s=round(late_s) if late_s > LATE_S else 0,
            )
        stream.settle(job.settles)
        return tool

    async def _written(self, job: Job, tool: Tool) -> tuple[Written, Tool]:
        """Write a segment down, trying again when an engine fails; then it is said, counted and given up."""
        segment, committed, room = job.segment, job.committed, job.stream.room
        if segment is None:
            return Written((), 0.0), tool
        hangs = 0
        for pause_s in (*RETRIES_S, None):
            try:
                written = await tool.use(
                    lambda own: write_down(segment, own, self.diarizer(), self._meter, committed),
                    self._limit_s,
                )
            except EngineHungError as problem:
                tool = await self._replaced(tool, room, problem)
                hangs += 1
                if hangs == HANGS:
                    break
            except Exception as problem:
                self._failed(problem, room)
                if pause_s is not None:
                    await asyncio.sleep(pause_s)
            else:
                self._warn("engine", None)
                self._count("final", written.busy_s, written.encoder_frames)
                return written, tool
        self._drops["segments"] += 1  # what an engine chokes on must not come back for ever
        return Written((), 0.0), tool

    async def _replaced(self, tool: Tool, room: str, problem: EngineHungError) -> Tool:
        self._drops["engine_hangs"] += 1
        _log.error("a recogniser hangs on speech of %s: %s", room, problem)
        self._warn("engine", f"{room}: {problem}; a fresh one takes its place")
        return await self._tools.replace(tool, self._limit_s)

    def _failed(self, problem: Exception, room: str) -> None:
        if not isinstance(problem, EngineError | EngineUnavailableError):
            _log.error("an engine failed on a segment of %s", room, exc_info=problem)
        self._drops["engine_errors"] += 1
        self._warn("engine", f"{room}: a stretch of speech could not be written down: {problem}")

    def _count(self, kind: str, busy_s: float, frames: int) -> None:
        self.work[f"{kind}s"] += 1
        self.work[f"{kind}_ms"] += round(busy_s * 1000)
        self.work[f"{kind}_encoder_frames"] += frames
