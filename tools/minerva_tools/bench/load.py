"""500 live devices on one core: how long a packet waits for its decision, what is lost, and the memory.

A packet of 60 ms completes one or two windows of 32 ms; its decision is that on the last of them. What is
left of it waits for the next packet, however fast the hub is, and is not in the figure.

Both media kinds in turn, packets of 60 ms, each device at its own place of the bundled conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from minerva_tools.bench._devices import PACKET_S, Load
from minerva_tools.bench._pair import begin, finish, line, measured_hub, process
from minerva_tools.measure import Result, at_most, figure, percentile

DEVICES = 500
SECONDS = 30.0
MAX_WAIT_MS = 150.0
AUDIO_DROPS = ("packets", "segments", "notes", "engine_errors")  # a bus that skips a level loses no audio
MAX_MB = 500.0
LATE_S = 0.1  # a load that is later than this does not load


def run() -> Iterable[Result]:
    """Measure with each kind of media."""
    for kind in ("pcm_s16le", "ima_adpcm"):
        yield from asyncio.run(measure(kind, DEVICES, SECONDS))


async def measure(kind: str, devices: int, seconds: float) -> list[Result]:
    """Run the load once."""
    async with measured_hub(devices, kind, None) as (address, hub):
        load = Load(address=address, devices=devices, kind=kind, seconds=seconds, rest_s=1.0)
        async with process("minerva_tools.bench._devices", load, 1) as sender:
            await line(sender, 120)
            begin(hub)
            late_s = (await line(sender, seconds + 60))["late_p95_s"]
        measured = await finish(hub)
    undecided = devices * int(seconds / PACKET_S) - len(measured.waits_s)
    under = (
        f"{devices} devices, {kind}, 60 ms packets, {seconds:g} s, hub on a core at {measured.cpu_share:.0%},"
        f" {measured.inferred / max(1, measured.windows):.0%} of {measured.windows} windows asked the network"
    )
    waits_ms = [wait * 1000 for wait in measured.waits_s]
    return [
        at_most(f"{kind}.wait_p95", percentile(waits_ms, 95), "ms", MAX_WAIT_MS, under),
        figure(f"{kind}.wait_p50", percentile(waits_ms, 50), "ms", under),
        at_most(
            f"{kind}.dropped",
            sum(measured.drops.get(name, 0) for name in AUDIO_DROPS) + measured.gaps,
            "packets",
            0,
            under,
        ),
        at_most(f"{kind}.undecided_packets", undecided, "packets", 0, under),
        at_most(f"{kind}.undecided_streams", measured.undecided, "streams", 0, under),
        at_most(
            f"{kind}.memory", measured.peak_mb, "MB", MAX_MB, under + ", peak resident, no Whisper model"
        ),
        at_most(f"{kind}.load_late", late_s * 1000, "ms", LATE_S * 1000, "p95 of the load's own delay"),
    ]
