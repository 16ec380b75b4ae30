"""One scheduler for all streams: finals first, partials in turn, old requests dropped; their pace."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.config import TranscribeConfig
from minerva_hub.pipeline.queue import Job
from minerva_hub.pipeline.scheduler import PartialJob, Scheduler
from minerva_hub.pipeline.spoken import MAX_RATE, Spoken, pace_s
from minerva_hub.segment import Segment


class Stream:
    def __init__(self, name: str) -> None:
        self.device = name

    def settle(self, seq: int) -> None: ...


def spoken(name: str) -> Spoken:
    return Spoken(Stream(name), 0)  # type: ignore[arg-type]


def final(scheduler: Scheduler, name: str) -> None:
    scheduler.finals.put(Stream(name), Segment(np.zeros(16, np.int16), 0, 1, 0))  # type: ignore[arg-type]


async def take(scheduler: Scheduler) -> Any:
    async with asyncio.timeout(1):
        return await scheduler.take()


async def nothing(scheduler: Scheduler) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await scheduler.take()


async def test_finals_go_before_partials_that_were_asked_for_earlier() -> None:
    scheduler = Scheduler(2)
    scheduler.ask(spoken("a"))
    final(scheduler, "b")
    final(scheduler, "c")
    kinds = [type(await take(scheduler)) for _ in range(3)]
    assert kinds == [Job, Job, PartialJob]


async def test_one_of_several_workers_is_kept_for_finals() -> None:
    scheduler = Scheduler(3)
    for name in "abc":
        scheduler.ask(spoken(name))
    first, _ = await take(scheduler), await take(scheduler)
    await nothing(scheduler)
    final(scheduler, "d")
    assert isinstance(await take(scheduler), Job)
    scheduler.done(first)
    assert (await take(scheduler)).spoken.stream.device == "c"


async def test_a_lone_worker_does_partials_too() -> None:
    scheduler = Scheduler(1)
    scheduler.ask(spoken("a"))
    assert isinstance(await take(scheduler), PartialJob)


async def test_while_a_final_is_late_nobody_works_on_partials() -> None:
    scheduler = Scheduler(3)
    final(scheduler, "a")
    late = await take(scheduler)
    scheduler.ask(spoken("b"))
    late.since_s -= 3.1
    await nothing(scheduler)
    waiting = asyncio.ensure_future(take(scheduler))
    await asyncio.sleep(0)
    scheduler.done(late)
    assert isinstance(await waiting, PartialJob)


async def test_a_worker_that_waits_is_woken_by_either() -> None:
    scheduler = Scheduler(2)
    waiting = [asyncio.ensure_future(scheduler.take()) for _ in range(2)]
    await asyncio.sleep(0)
    scheduler.ask(spoken("a"))
    final(scheduler, "b")
    done = await asyncio.wait_for(asyncio.gather(*waiting), 1)
    assert {type(job) for job in done} == {Job, PartialJob}


async def test_the_older_request_of_a_device_is_dropped_and_the_newer_has_its_place() -> None:
    scheduler = Scheduler(2)
    older, newer = spoken("a"), spoken("a")
    scheduler.ask(older)
    scheduler.ask(spoken("b"))
    scheduler.ask(newer)
    assert (scheduler.partials, scheduler.dropped) == (2, 1)
    job = await take(scheduler)
    assert job.spoken is newer
    scheduler.done(job)
    assert (await take(scheduler)).spoken.stream.device == "b"


async def test_who_fell_silent_is_not_asked_for() -> None:
    scheduler = Scheduler(2)
    scheduler.ask(spoken("a"))
    scheduler.withdraw("a")
    scheduler.withdraw("b")
    assert (scheduler.partials, scheduler.dropped) == (0, 1)
    await nothing(scheduler)


@given(st.lists(st.sampled_from("abcd"), min_size=8, max_size=80))
def test_devices_take_turns_however_often_one_asks(asking: list[str]) -> None:
    async def run() -> None:
        scheduler = Scheduler(2)
        served: list[str] = []
        for number, name in enumerate(asking):
            scheduler.ask(spoken(name))
            if number % 2:
                job = await take(scheduler)
                served.append(job.spoken.stream.device)
                scheduler.done(job)
                waiting = list(scheduler._line)
                assert len(waiting) <= 3
        # Between two turns of one device every other that waited all the while had its own.
        assert len(served) + scheduler.partials + scheduler.dropped == len(asking)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("cost_s", "speaking", "finals", "expected_s"),
    [
        (0.1, 1, 0, 0.7),  # as quick as the settings allow
        (0.42, 1, 0, 0.7),
        (0.6, 1, 0, 1.0),  # the engine is the limit: at most SHARE of a worker
        (0.42, 4, 0, 2.8),  # shared by four
        (0.42, 4, 2, 5.0),  # finals wait: hold back; no slower than the settings say
        (0.42, 100, 0, 5.0),
        (0.0, 100, 0, 100 / MAX_RATE),
        (0.0, 20, 0, 1.0),
    ],
)
def test_the_pace_follows_cost_and_load(cost_s: float, speaking: int, finals: int, expected_s: float) -> None:
    pace = pace_s(TranscribeConfig(), cost_s, speaking=speaking, workers=1, finals=finals, all_workers=2)
    assert pace == pytest.approx(expected_s)
