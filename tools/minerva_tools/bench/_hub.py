"""A hub under measurement, in a process of its own: the production hub, a timed engine, and a stop-watch.

`python -m minerva_tools.bench._hub JSON` prints {"address": …} and, when standard input ends, its Measured.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from minerva_hub import app
from minerva_hub.auth import hash_token
from minerva_hub.config import (
    DiarizeConfig,
    HubConfig,
    IngestConfig,
    ServerConfig,
    StoreConfig,
    TranscribeConfig,
)
from minerva_hub.events import DeviceRecord, EngineInfo
from minerva_hub.pipeline import Pipeline, Stream
from minerva_hub.segment import Ear, EarBank, EarEvent, SegmentEnded
from minerva_hub.transcribe import Hypothesis, TimedWord, Transcript

TOKEN = "bench"  # noqa: S105 - of virtual devices on loopback


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure: `engine_s` is how long a job takes the timed engine, None: it finds no words.

    `model`: the folder of a Whisper model that is used instead.
    """

    folder: str
    devices: int
    kind: str
    engine_s: float | None = None
    model: str | None = None


class Measured(msgspec.Struct, kw_only=True):
    """Times are seconds of CLOCK_MONOTONIC, which all processes share.

    `waits_s`: from a packet's arrival to the decision on the last window that it completes. `ends`: (device,
    start of the segment in ms UTC, arrival of the oldest packet that the step which ended it had to judge).
    """

    waits_s: list[float]
    undecided: int
    windows: int
    inferred: int
    ends: list[tuple[str, int, float]]
    drops: dict[str, int]
    work: dict[str, int]
    gaps: int
    cpu_share: float
    peak_mb: float


class TimedEngine:
    """An engine that takes a fixed time, as one that waits for a network or an accelerator does."""

    def __init__(self, busy_s: float | None) -> None:
        self.info = EngineInfo(stage="transcribe", name="bench", state="ready", reason="bench")
        self._busy_s = busy_s

    def open(self) -> TimedEngine:
        """Nothing to load."""
        return self

    def close(self) -> None:
        """Nothing to free."""

    def transcribe(self, pcm: np.ndarray[Any, np.dtype[np.int16]]) -> Transcript:
        """One word as long as the segment."""
        if self._busy_s is None:
            return Transcript("", (), "en")
        time.sleep(self._busy_s)
        return Transcript("word", (TimedWord("word", 0.0, len(pcm) / 16_000, 1.0),), "en")

    def hypothesis(self, pcm: np.ndarray[Any, np.dtype[np.int16]]) -> Hypothesis:
        """As long as an utterance."""
        return Hypothesis(tuple(word.text for word in self.transcribe(pcm).words))


class StopWatch(EarBank):
    """The production bank, which notes when packets came and when they were decided."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waits_s: list[float] = []
        self.ended: list[tuple[Ear, int, float]] = []
        self.arrived: dict[Ear, deque[tuple[int, float]]] = {}
        self.decided_ears: set[Ear] = set()

    def step(self, rounds: int = 64) -> list[tuple[Ear, EarEvent]]:
        """Judge, then look at the watch."""
        asked = {*self._woken, *self._active}
        # The oldest packet that was not judged before this step: an upper bound, as it may be a later one
        # that completes the hangover.
        oldest = {ear: waiting[0][1] for ear in asked if (waiting := self.arrived.get(ear))}
        heard = super().step(rounds)
        now = time.monotonic()
        for ear, event in heard:
            if isinstance(event, SegmentEnded):
                self.ended.append((ear, event.segment.start_ms, oldest.get(ear, now)))
        for ear in asked:
            waiting, decided = self.arrived.get(ear), ear.reached_seq
            while waiting and decided is not None and waiting[0][0] <= decided:
                self.waits_s.append(now - waiting.popleft()[1])
                self.decided_ears.add(ear)
        return heard


def _loaded(hub: app.Hub) -> bool:
    states = {one.stage: one.state for one in hub.health().engines}
    return "transcribe" in states and "loading" not in states.values()


class TimedPipeline(Pipeline):
    """The production pipeline, which notes when packets come."""

    def accept(self, stream: Stream, *packet: Any) -> bool:
        """Note the time, then go on."""
        arrived = time.monotonic()
        taken: bool = super().accept(stream, *packet)
        watch = _watch(self)
        watch.arrived.setdefault(stream.ear, deque()).append((stream.accepted_seq or 0, arrived))
        return taken


def _watch(pipeline: Pipeline) -> StopWatch:
    bank = pipeline._bank
    if not isinstance(bank, StopWatch):
        raise TypeError(f"the pipeline's bank is {type(bank)}, the bench could not put its own there")
    return bank


async def measure(setup: Setup) -> None:
    """Run until standard input ends."""
    vars(app).update(EarBank=StopWatch, Pipeline=TimedPipeline)
    config = HubConfig(
        server=ServerConfig(port=0, tls=False),
        store=StoreConfig(path=Path(setup.folder)),
        ingest=IngestConfig(kind="ima_adpcm" if setup.kind == "ima_adpcm" else "pcm_s16le"),
        transcribe=TranscribeConfig(
            engine="faster-whisper" if setup.model else "auto", model=setup.model or "base"
        ),
        diarize=DiarizeConfig(engine="off"),
    )
    engine = None if setup.model else lambda: TimedEngine(setup.engine_s)
    async with app.serve(config, engine=engine) as (hub, address):
        with hub.bus.subscribe() as news:  # of engines that load: a load before that is another matter
            while not _loaded(hub):
                await anext(news)
        for number in range(setup.devices):
            await hub.store.add_device(
                DeviceRecord(
                    id=f"d{number}", room=f"Room {number}", token_hash=hash_token(TOKEN), created_ms=0
                )
            )
        await hub.fleet.refresh()
        app.calm_collector()
        print(msgspec.json.encode({"address": address}).decode(), flush=True)
        began, cpu = time.monotonic(), time.process_time()
        loop = asyncio.get_running_loop()
        line = await loop.run_in_executor(None, sys.stdin.readline)
        while line.strip():  # an empty line: begin to count here
            began, cpu = time.monotonic(), time.process_time()
            line = await loop.run_in_executor(None, sys.stdin.readline)
        share = (time.process_time() - cpu) / (time.monotonic() - began)
        watch = _watch(hub.pipeline)
        names = {ear: stream.device for ear, stream in hub.pipeline._by_ear.items()}
        measured = Measured(
            waits_s=watch.waits_s,
            undecided=setup.devices - len(watch.decided_ears),
            windows=watch.decided,
            inferred=watch.inferred,
            ends=[(names[ear], start_ms, at) for ear, start_ms, at in watch.ended if ear in names],
            drops=hub.health().drops,
            work=hub.health().work,
            gaps=sum((await hub.store.gap_counts()).values()),
            cpu_share=share,
            peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            / (1 << (20 if sys.platform == "darwin" else 10)),
        )
        print(msgspec.json.encode(measured).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(measure(msgspec.json.decode(sys.argv[1], type=Setup)))
