"""Words while somebody speaks: how soon, how often, whether what was shown as certain stays, at what cost.

One device says the bundled conversation. The recogniser is a Whisper model of the true size of "tiny" with
made weights (they always say the same sentence), so the work is real and the words are not; then one that
takes a fixed time without using the processor, so that other work on the computer hardly matters. What
partials do to real words is measured with pocketsphinx, on the same conversation cut at a fixed pace.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from minerva_tools.bench._agreement import agreement_results
from minerva_tools.bench._devices import PACKET_S, Load
from minerva_tools.bench._hub import Measured
from minerva_tools.bench._listener import listening
from minerva_tools.bench._pair import BenchError, begin, finish, line, measured_hub, process
from minerva_tools.bench._stretches import Stretch, stretches
from minerva_tools.conversation import RATE, load_demo
from minerva_tools.measure import Result, at_most, figure, percentile
from minerva_tools.scripted_whisper import TINY, write_scripted_whisper

SAID = tuple(f" word{number}" for number in range(24))  # tokens of the five or six seconds of an utterance
TIMED_S = (
    0.45  # what a partial of Whisper's "tiny" takes one thread of a processor that has nothing else to do
)
MAX_FIRST_S = 1.0
MAX_GAP_S = 1.0
MIN_STRETCHES = 10
SHORT_S = 1.0  # a stretch that is over before then owes no partial


def run() -> Iterable[Result]:
    """Measure live with Whisper's dimensions and with a fixed time, then the words with pocketsphinx."""
    with tempfile.TemporaryDirectory(prefix="minerva-bench-") as folder:
        model = Path(folder) / "whisper"
        write_scripted_whisper(model, SAID, size=TINY)
        yield from asyncio.run(measure(model))
    yield from asyncio.run(measure(None))
    yield from agreement_results()


async def measure(model: Path | None) -> list[Result]:
    """One device in real time; without a model, the timed engine."""
    demo = load_demo()
    seconds = sum(len(sound) for sound in demo.sound.values()) / RATE
    load = Load(address="", devices=1, kind="ima_adpcm", seconds=seconds, rest_s=4.0, from_start=True)
    found, measured = await live(load, model)
    due = [one for one in found if one.ended_s is not None and one.ended_s - one.began_s > SHORT_S]
    if len(due) < MIN_STRETCHES:
        raise BenchError(f"{len(due)} stretches of speech were heard; {MIN_STRETCHES} make a figure")
    told = [one for one in due if one.partials]
    firsts = [one.first_s for one in told]
    gaps = [gap for one in told for gap in one.gaps_s]
    finals = [one.written_s - one.ended_s for one in found if one.written_s and one.ended_s]
    work = measured.work
    partial_ms, final_ms = (work[f"{one}_ms"] / max(1, work[f"{one}s"]) for one in ("partial", "final"))
    under = (
        f"1 device, {len(due)} stretches, {work['partials']} partials of {partial_ms:.0f} ms, "
        f"{work['finals']} finals of {final_ms:.0f} ms, {kind(model)}, {PACKET_S * 1000:.0f} ms packets"
    )
    results = [
        at_most(
            "first_p95", percentile(firsts, 95), "s", MAX_FIRST_S, under + "; from the reference's onset"
        ),
        figure("first_p50", percentile(firsts, 50), "s", under),
        figure("first_max", max(firsts), "s", under),
        at_most("gap_p95", percentile(gaps, 95), "s", MAX_GAP_S, under + "; the end of the segment included"),
        figure("gap_max", max(gaps), "s", under),
        at_most("without", len(due) - len(told), "stretches", 0, under + f", of those over {SHORT_S:g} s"),
        at_most("committed_changed", sum(one.broken for one in found), "times", 0, under),
        figure(
            "final_p95", percentile(finals, 95), "s", under + "; from the end of the segment to the client"
        ),
        figure("final_p50", percentile(finals, 50), "s", under),
        *frames(measured, under),
        figure("dropped", measured.drops.get("partials", 0), "partials", under),
        figure("hub_cpu", measured.cpu_share * 100, "%", "of a core, " + under),
    ]
    return named(model, results)


def kind(model: Path | None) -> str:
    """The recogniser in words."""
    engine = "Whisper tiny's dimensions, int8" if model else f"an engine that takes {TIMED_S:g} s"
    return f"{engine}, 2 workers of one thread"


def frames(measured: Measured, under: str) -> list[Result]:
    """Frames of 10 ms that the encoder was given for a job; nothing of an engine without an encoder."""
    work = measured.work
    return [
        figure(f"frames_per_{one}", work[f"{one}_encoder_frames"] / work[f"{one}s"], "frames", under)
        for one in ("partial", "final")
        if work.get(f"{one}_encoder_frames")
    ]


def named(model: Path | None, results: list[Result]) -> list[Result]:
    """The results under the recogniser's name."""
    prefix = "whisper" if model else "timed"
    return [msgspec.structs.replace(one, name=f"{prefix}.{one.name}") for one in results]


async def live(load: Load, model: Path | None) -> tuple[list[Stretch], Measured]:
    """Run the load on a hub with the model: the stretches that a client saw, and the hub's own figures."""
    async with measured_hub(load.devices, load.kind, TIMED_S, model) as (address, hub):
        utc_s = time.time() - time.monotonic()
        async with listening(address) as seen:
            to_hub = msgspec.structs.replace(load, address=address)
            async with process("minerva_tools.bench._devices", to_hub, None) as sender:
                await line(sender, 60)
                begin(hub)
                report = await line(sender, load.seconds + load.rest_s + 60)
        measured = await finish(hub)
    onsets = {"d0": _onsets(report["began_s"], load)} if load.from_start else {}
    return stretches(seen, utc_s, onsets), measured


def _onsets(began_s: float, load: Load) -> list[float]:
    """When each stretch of the reference began, on CLOCK_MONOTONIC: the rooms one after the other, again."""
    demo = load_demo()
    onsets: list[float] = []
    at_s = began_s
    while at_s < began_s + load.seconds:
        for room in demo.reference.rooms:
            onsets += [at_s + start for turn in room.turns for start, _ in turn.speech]
            at_s += len(demo.sound[room.room]) / RATE
    return onsets
