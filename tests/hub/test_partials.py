"""Partials through the whole pipeline, with engines that follow a script, fail, hang or are slow."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from minerva_hub.bus import Bus, Subscription
from minerva_hub.config import DiarizeConfig, HubConfig, SegmentConfig, TranscribeConfig
from minerva_hub.errors import EngineError
from minerva_hub.events import BusEvent, DeviceRecord, EngineInfo, Partial, Speaking, UtteranceAdded
from minerva_hub.pipeline import Pipeline
from minerva_hub.pipeline import live as live_module
from minerva_hub.pipeline import workers as workers_module
from minerva_hub.segment import EarBank
from minerva_hub.store import Store
from minerva_hub.transcribe import RATE, Hypothesis, TimedWord, Transcript

PACKET = 960


class Reader:
    """An engine that reads a word each 0.4 s of sound from a list; `hook` is called before each job."""

    WORDS = tuple(f"w{number}" for number in range(60))

    def __init__(self, hook: Callable[[str], None] = lambda kind: None) -> None:
        self.info = EngineInfo(stage="transcribe", name="reader", state="ready", reason="test")
        self.hook = hook
        self.opened = 0

    def open(self) -> Reader:
        self.opened += 1
        return self

    def close(self) -> None:
        pass

    def transcribe(self, pcm: np.ndarray) -> Transcript:
        self.hook("final")
        count = int(len(pcm) / RATE / 0.4)
        words = tuple(TimedWord(w, 0.4 * i, 0.4 * i + 0.3, 1.0) for i, w in enumerate(self.WORDS[:count]))
        return Transcript(" ".join(w.text for w in words), words, "en", 3000)

    def hypothesis(self, pcm: np.ndarray) -> Hypothesis:
        self.hook("partial")
        count = int(len(pcm) / RATE / 0.4)
        heard = ["other" if i == 1 else word for i, word in enumerate(self.WORDS[:count])]
        return Hypothesis((*heard, "cut-o"), 3000)


class House:
    """A pipeline with a stream, fed in real time or as fast as it takes."""

    def __init__(self, pipeline: Pipeline, store: Store, events: Subscription) -> None:
        self.pipeline = pipeline
        self.store = store
        self.seen: list[BusEvent] = []
        self.warned: dict[str, None] = {}
        self._events = events
        self._seq = 0
        record = DeviceRecord(id="kitchen", room="Kitchen", token_hash="", created_ms=0)
        self.stream = pipeline.open_stream(record, "00112233445566ff", 0, None)

    async def follow(self) -> None:
        async for event in self._events:
            self.seen.append(event)

    async def say(self, pcm: np.ndarray, pace: float = 1.0) -> None:
        """Feed sound at `pace` times real time."""
        for at in range(0, len(pcm) - PACKET + 1, PACKET):
            payload = memoryview(pcm[at : at + PACKET].astype("<i2").tobytes())
            self.pipeline.accept(self.stream, 1, 0, 3, self._seq, 60 * self._seq, payload)
            self._seq += 1
            await asyncio.sleep(0.06 / pace)

    def of(self, kind: type) -> list:
        return [event for event in self.seen if isinstance(event, kind)]

    async def until(self, condition: Callable[[], object], timeout_s: float = 15.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def house(folder: Path, engine: Reader, **transcribe: object) -> AsyncIterator[House]:
    config = HubConfig(
        transcribe=TranscribeConfig(**({"pace_min_s": 0.2} | transcribe)),  # type: ignore[arg-type]
        diarize=DiarizeConfig(engine="off"),
        segment=SegmentConfig(),
    )
    config = msgspec.structs.replace(config, ingest=msgspec.structs.replace(config.ingest, lead_ms=60_000))
    store = await Store.open(folder)
    bus = Bus()
    bank = EarBank(config.segment)
    warned: dict[str, None] = {}
    pipeline = Pipeline(
        config,
        store,
        bus,
        bank=bank,
        engine=lambda: engine,
        changed=lambda: warned.update(dict.fromkeys(pipeline.warnings.values())),
    )
    await pipeline.start()
    with bus.subscribe(10_000) as events:
        one = House(pipeline, store, events)
        one.warned = warned
        following = asyncio.create_task(one.follow())
        await one.until(
            lambda: any(e.stage == "transcribe" and e.state == "ready" for e in pipeline.engines())
        )
        try:
            yield one
        finally:
            await pipeline.stop()
            following.cancel()
            await store.close()


async def test_committed_words_only_grow_and_the_utterance_begins_with_them(
    tmp_path: Path, speech: np.ndarray
) -> None:
    async with house(tmp_path, Reader()) as home:
        await home.say(np.concatenate([speech, np.zeros(RATE, np.int16)]), pace=4)
        await home.until(lambda: home.of(UtteranceAdded) and not home.pipeline.busy)
        shown = home.of(Partial)
        said = home.of(UtteranceAdded)
        assert len(shown) >= 3
        for since_ms in {event.since_ms for event in shown}:
            mine = [event for event in shown if event.since_ms == since_ms]
            for earlier, later in pairwise(mine):
                assert later.committed.startswith(earlier.committed)
                assert later.until_ms > earlier.until_ms
            text = next(
                u.utterance.text for u in said if u.utterance.start_ms <= since_ms < u.utterance.end_ms
            )
            assert text.startswith(mine[-1].committed)
        kept = [event.committed for event in shown if " " in event.committed]
        assert kept and all(words.startswith("w0 other") for words in kept)  # and so does the line:
        assert said[0].utterance.text.startswith("w0 other w2")
        assert all(event.tail.endswith("cut-o") and "cut-o" not in event.committed for event in shown)
        since = {event.since_ms for event in home.of(Speaking) if event.state == "speaking"}
        assert {event.since_ms for event in shown} <= since
        work = home.pipeline.work()
        assert work["partial_encoder_frames"] == 3000 * work["partials"] > 0
        assert work["final_encoder_frames"] == 3000 * work["finals"] > 0


async def test_partials_can_be_switched_off(tmp_path: Path, speech: np.ndarray) -> None:
    async with house(tmp_path, Reader(), partials=False) as home:
        await home.say(np.concatenate([speech, np.zeros(RATE, np.int16)]), pace=8)
        await home.until(lambda: home.of(UtteranceAdded) and not home.pipeline.busy)
        assert home.of(Partial) == [] and home.pipeline.work()["finals"] > 0
        assert home.of(UtteranceAdded)[0].utterance.text.startswith("w0 w1 w2")


async def test_an_engine_that_fails_on_partials_costs_no_final(tmp_path: Path, speech: np.ndarray) -> None:
    def fail(kind: str) -> None:
        if kind == "partial":
            raise EngineError("told to fail")

    async with house(tmp_path, Reader(fail)) as home:
        await home.say(np.concatenate([speech, np.zeros(RATE, np.int16)]), pace=8)
        await home.until(lambda: home.of(UtteranceAdded) and not home.pipeline.busy)
        assert home.of(Partial) == []
        assert home.pipeline.drops["engine_errors"] > 0 and home.pipeline.drops["segments"] == 0


async def test_an_engine_that_hangs_is_replaced_and_the_segment_is_written_down(
    tmp_path: Path, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    hung = []

    def hang_once(kind: str) -> None:
        if kind == "final" and not hung:
            hung.append(threading.current_thread())
            release.wait(60)

    monkeypatch.setattr("minerva_hub.pipeline.tool.END_S", 0.1)
    engine = Reader(hang_once)
    async with house(tmp_path, engine, workers=1, partials=False) as home:
        home.pipeline._workers._limit_s = 1.5  # below what a setting may say, so that the test is quick
        await home.say(np.concatenate([speech, np.zeros(RATE, np.int16)]), pace=8)
        await home.until(lambda: home.pipeline.drops["engine_hangs"] == 1)
        await home.until(lambda: home.of(UtteranceAdded) and not home.pipeline.busy)
        assert home.pipeline.drops["segments"] == 0 and engine.opened == 2
        [said] = [text for text in home.warned if "a fresh one takes its place" in text]
        assert said.startswith("Kitchen: ") and "more than 1.5 s ([transcribe] job_limit_s)" in said
        assert "engine" not in home.pipeline.warnings
    release.set()
    hung[0].join(5)
    assert not hung[0].is_alive()


async def test_an_engine_that_hangs_ever_again_is_given_up(
    tmp_path: Path, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr("minerva_hub.pipeline.tool.END_S", 0.1)
    async with house(tmp_path, Reader(lambda kind: release.wait(60) and None), workers=1) as home:
        home.pipeline._workers._limit_s = 0.2
        await home.say(np.concatenate([speech, np.zeros(RATE, np.int16)]), pace=8)
        await home.until(lambda: any(e.state == "error" for e in home.pipeline.engines()))
        assert "hangs in 3 threads" in home.pipeline.warnings["engine"]
        assert home.pipeline.drops["engine_hangs"] == 3
    release.set()


async def test_words_that_come_late_are_marked_and_the_page_is_told(
    tmp_path: Path, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minerva_hub.pipeline.workers.LATE_S", 0.5)
    monkeypatch.setattr(workers_module, "LATE_STEPS_S", (0.5, 60.0))
    monkeypatch.setattr(live_module, "HOUSEKEEPING_S", 0.1)
    engine = Reader(lambda kind: time.sleep(1.2))
    async with house(tmp_path, engine, workers=1, partials=False) as home:
        await home.say(np.concatenate([speech, np.zeros(RATE, np.int16)]), pace=16)
        await home.until(lambda: "late" in home.pipeline.warnings)
        assert "slower than people speak" in home.pipeline.warnings["late"]
        await home.until(lambda: home.of(UtteranceAdded) and not home.pipeline.busy)
        assert all(event.late_s >= 1 for event in home.of(UtteranceAdded))
        await home.until(lambda: "late" not in home.pipeline.warnings)


async def test_nothing_of_a_partial_is_stored(tmp_path: Path, speech: np.ndarray) -> None:
    class Secretive(Reader):
        WORDS = tuple(f"said{number}" for number in range(60))

        def hypothesis(self, pcm: np.ndarray) -> Hypothesis:
            return Hypothesis((f"xyzzy{len(pcm)}", "plugh"))

    async with house(tmp_path, Secretive()) as home:
        await home.say(np.concatenate([speech, np.zeros(RATE, np.int16)]), pace=4)
        await home.until(lambda: home.of(UtteranceAdded) and not home.pipeline.busy)
        assert any("xyzzy" in event.tail for event in home.of(Partial))
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"said0" in kept and b"xyzzy" not in kept and b"plugh" not in kept
