"""Eight people speaking on eight devices: whether one waits longer for their words than another.

The wait of an utterance is the time from the end of its segment to its text at a client, with partials on.
The recogniser is a Whisper model of the true size of "tiny" with made weights, then an engine that takes a
fixed time without using the processor.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path

from minerva_tools.bench._devices import Load
from minerva_tools.bench._pair import BenchError
from minerva_tools.bench.partials import SAID, frames, kind, live, named
from minerva_tools.measure import Result, at_most, figure, percentile
from minerva_tools.scripted_whisper import TINY, write_scripted_whisper

DEVICES = 8
SECONDS = 200.0  # the conversation has 15 stretches in 97 s
MIN_UTTERANCES = 20  # of each device
MAX_RATIO = 1.3


def run(seed: int = 8) -> Iterable[Result]:
    """Measure once; `seed` chooses where in the conversation each device begins."""
    with tempfile.TemporaryDirectory(prefix="minerva-bench-") as folder:
        model = Path(folder) / "whisper"
        write_scripted_whisper(model, SAID, size=TINY)
        yield from asyncio.run(measure(model, seed))
    yield from asyncio.run(measure(None, seed))


async def measure(model: Path | None, seed: int) -> list[Result]:
    """All devices in real time."""
    load = Load(address="", devices=DEVICES, kind="ima_adpcm", seconds=SECONDS, rest_s=10.0, seed=seed)
    found, measured = await live(load, model)
    waits: dict[str, list[float]] = {f"d{number}": [] for number in range(DEVICES)}
    for one in found:
        if one.written_s is not None and one.ended_s is not None:
            waits[one.device].append(one.written_s - one.ended_s)
    fewest = min(len(mine) for mine in waits.values())
    if fewest < MIN_UTTERANCES:
        raise BenchError(f"a device had {fewest} utterances; {MIN_UTTERANCES} of each make a figure")
    means = {device: sum(mine) / len(mine) for device, mine in waits.items()}
    everything = [wait for mine in waits.values() for wait in mine]
    work = measured.work
    under = (
        f"{DEVICES} devices, {fewest} utterances or more of each, {work['finals']} finals of "
        f"{work['final_ms'] / work['finals']:.0f} ms, {work['partials']} partials, {kind(model)}"
    )
    partial_gaps = [gap for one in found for gap in one.gaps_s if one.partials]
    results = [
        at_most(
            "ratio", max(means.values()) / min(means.values()), "times", MAX_RATIO, under + "; of mean waits"
        ),
        figure("best_mean", min(means.values()), "s", under),
        figure("worst_mean", max(means.values()), "s", under),
        figure("wait_p95", percentile(everything, 95), "s", under),
        figure("partial_gap_p50", percentile(partial_gaps, 50), "s", under),
        at_most("lost", measured.drops.get("segments", 0) + measured.gaps, "segments", 0, under),
        at_most("committed_changed", sum(one.broken for one in found), "times", 0, under),
        figure("partials_dropped", measured.drops.get("partials", 0), "partials", under),
        *frames(measured, under),
        figure("hub_cpu", measured.cpu_share * 100, "%", "of a core, " + under),
    ]
    return named(model, results)
