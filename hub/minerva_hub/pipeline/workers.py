"""The engines at work: loads them, then gives each transcriber the next segment whose device has its turn."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from minerva_hub.config import HubConfig
from minerva_hub.diarize import Diarizer, choose_diarizer
from minerva_hub.errors import EngineError, EngineUnavailableError
from minerva_hub.events import EngineInfo
from minerva_hub.pipeline.queue import Job, SegmentQueue
from minerva_hub.pipeline.scribe import Written, write_down
from minerva_hub.pipeline.stream import Stream
from minerva_hub.pipeline.tones import ToneMeter
from minerva_hub.segment import Segment
from minerva_hub.tone import choose_reader
from minerva_hub.transcribe import Engine, Transcriber

RETRIES_S = (0.5, 3.0)  # before a segment is given up: a recogniser that died is started again meanwhile

_log = logging.getLogger(__name__)


class Workers:
    """The transcribers of the pipeline, a thread each.

    `add` stores what was written down, `show` takes what is known of an engine, `after` is told that a stream
    has no text to come.
    """

    def __init__(
        self,
        config: HubConfig,
        queue: SegmentQueue,
        choose: Callable[[], Engine],
        *,
        add: Callable[..., Awaitable[object]],
        show: Callable[[EngineInfo], None],
        warn: Callable[[str, str | None], None],
        after: Callable[[Stream], None],
        drops: Counter[str],
    ) -> None:
        self._config = config
        self._queue = queue
        self._choose_engine = choose
        self._add = add
        self._show = show
        self._warn = warn
        self._after = after
        self._drops = drops
        self._name = "none"
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
            self._show(msgspec.structs.replace(final, state="loading"))
            self._diarizer = await asyncio.to_thread(choose_diarizer, self._config.diarize)
            self._show(self._diarizer.info)
            await self._load_tone()
            async with asyncio.TaskGroup() as workers:
                ready: list[asyncio.Event] = []
                for number in range(self._config.transcribe.workers):
                    ready.append(asyncio.Event())
                    workers.create_task(self._work(number, engine, ready[-1]))
                for event in ready:
                    await event.wait()
                self._show(final)
        except* (EngineUnavailableError, EngineError) as problems:
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

    async def _work(self, number: int, engine: Engine, ready: asyncio.Event) -> None:
        """One transcriber with its own thread: loads, then takes segments for ever."""
        with ThreadPoolExecutor(1, thread_name_prefix=f"transcriber-{number}") as thread:
            opening = thread.submit(engine.open)
            try:
                transcriber = await asyncio.wrap_future(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(_close_unused)
                raise
            ready.set()
            try:
                while True:
                    job = await self._queue.take()
                    try:
                        await self._do(job, engine.info.name, thread, transcriber)
                    finally:
                        self._queue.done(job.stream.device)
                        if not self._queue.pending(job.stream.device):
                            self._after(job.stream)
            finally:
                transcriber.close()

    async def _do(self, job: Job, engine: str, thread: ThreadPoolExecutor, transcriber: Transcriber) -> None:
        stream = job.stream
        written = await self._written(job.segment, thread, transcriber, stream.room)
        if written.drafts and not stream.removed:
            point = stream.point_at(job.settles)
            await self._add(stream.device, stream.room, engine, written.drafts, point)
        stream.settle(job.settles)

    async def _written(
        self, segment: Segment | None, thread: ThreadPoolExecutor, transcriber: Transcriber, room: str
    ) -> Written:
        """Write a segment down, trying again when an engine fails; then it is said, counted and given up."""
        if segment is None:
            return Written((), 0.0)
        loop = asyncio.get_running_loop()
        for pause_s in (*RETRIES_S, None):
            try:
                written = await loop.run_in_executor(
                    thread, write_down, segment, transcriber, self.diarizer(), self._meter
                )
            except Exception as problem:
                if not isinstance(problem, EngineError | EngineUnavailableError):
                    _log.exception("an engine failed on a segment of %s", room)
                self._drops["engine_errors"] += 1
                self._warn("engine", f"{room}: a stretch of speech could not be written down: {problem}")
                if pause_s is not None:
                    await asyncio.sleep(pause_s)
            else:
                self._warn("engine", None)
                return written
        self._drops["segments"] += 1  # what an engine chokes on must not come back for ever
        return Written((), 0.0)


def _close_unused(opening: Future[Transcriber]) -> None:
    """A transcriber whose loading ended after the hub had been told to stop."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
