"""500 real-time devices in one minerva-sim process: what share of a core they take, and what is late or lost.

Each hears the bundled conversation from a place of its own, at the level of a room, once in `speech` and once
in `features`. A process on another core stands for the hub. The processor's time counts from the start of the
process, with everything that happens only once.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from minerva_tools.bench._pair import BenchError, line, pin, process
from minerva_tools.bench._sink import Counted, Sink
from minerva_tools.conversation import load_demo
from minerva_tools.demo import write_wav
from minerva_tools.measure import Result, at_least, at_most, figure
from minerva_tools.sim import sim_program
from minerva_tools.virtual import ROOM_FULL_SCALE_SPL

DEVICES = 500
SETTLE_S = 4.0  # to connect everybody, and for gates to learn their room's floor
SECONDS = 24.0
RING_BYTES = 49_152  # a chip's without PSRAM
FILES = 2 * DEVICES  # that a process may have open at least
MAX_SHARE = 100.0
MAX_MB = 500.0
# What a gate holds back until it opens (480 ms) and needs to open, and beyond that the time of a few packets.
HELD_MS = {"speech": 540.0, "features": 0.0}
LATE_MS = 250.0


def run() -> Iterable[Result]:
    """Measure in each mode; SimUnavailableError where there is no cargo."""
    program = sim_program()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:  # macOS: 256
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    for mode in HELD_MS:
        yield from asyncio.run(measure(program, mode, DEVICES, SECONDS))


async def measure(program: Path, mode: str, devices: int, seconds: float) -> list[Result]:
    """Run the devices once."""
    sink = Sink(mode=mode, kind="ima_adpcm", frames=3, late_ms=HELD_MS[mode] + LATE_MS)
    with tempfile.TemporaryDirectory(prefix="minerva-bench-") as folder:
        async with process("minerva_tools.bench._sink", sink, 0) as hub:
            assert hub.stdin is not None  # noqa: S101 - it was asked for
            address = (await line(hub, 30))["address"]
            prepare(Path(folder), address, mode, devices)
            began = time.monotonic()
            with start(program, Path(folder)) as sim:
                try:
                    await asyncio.sleep(SETTLE_S)
                    hub.stdin.write(b"\n")
                    await asyncio.sleep(seconds)
                    hub.stdin.write(b"\n")
                    counted = msgspec.convert(await line(hub, 60), Counted)
                    waited_s = waited_for_core(sim.pid)
                    usage = await asyncio.to_thread(finish, sim)
                finally:
                    sim.kill()
            lasted_s = time.monotonic() - began
        said = (Path(folder) / "log").read_text()
    return results(mode, devices, counted, usage, lasted_s, waited_s, said)


def prepare(folder: Path, address: str, mode: str, devices: int) -> None:
    """The recording and the settings of all devices."""
    write_wav(folder / "rooms.wav", np.concatenate(list(load_demo().sound.values())))
    settings = {
        "version": 1,
        "board": "virtual",
        "url": address,
        "token": "bench",
        "ceiling": mode,
        "ring_bytes": RING_BYTES,
    }
    lines = [msgspec.json.encode({**settings, "device": f"d{number}"}) for number in range(devices)]
    (folder / "fleet.jsonl").write_bytes(b"\n".join(lines))


def start(program: Path, folder: Path) -> subprocess.Popen[bytes]:
    """minerva-sim on core 1; its log goes to a file, which never makes it wait."""
    with (folder / "log").open("wb") as log:
        sim = subprocess.Popen(
            [
                str(program),
                "--fleet=fleet.jsonl",
                "--wav=rooms.wav",
                "--loop",
                "--spread",
                f"--spl={ROOM_FULL_SCALE_SPL}",
            ],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    pin(sim.pid, 1)
    return sim


def finish(sim: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """End it, and read what it has used; BenchError when it does not end as it should."""
    if sim.poll() is not None:
        raise BenchError(f"minerva-sim ended early, with status {sim.returncode}")
    assert sim.stdin is not None  # noqa: S101 - it was asked for
    sim.stdin.close()
    _, status, usage = os.wait4(sim.pid, 0)
    sim.returncode = os.waitstatus_to_exitcode(status)
    if sim.returncode != 0:
        raise BenchError(f"minerva-sim ended with status {sim.returncode}")
    return usage


def waited_for_core(pid: int) -> float | None:
    """Seconds that a process could have run while others did; None where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return None


def results(
    mode: str,
    devices: int,
    counted: Counted,
    usage: resource.struct_rusage,
    lasted_s: float,
    waited_s: float | None,
    said: str,
) -> list[Result]:
    """The figures of one run."""
    if counted.refused:
        raise BenchError(f"the devices refused: {'; '.join(counted.refused)}")
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counted.kinds.items()))
    under = (
        f"{devices} devices in {mode}, packets of 60 ms, {SECONDS:g} s, {kinds or 'no packets'}, "
        f"{counted.connections} connections"
    )
    if waited_s is not None:
        under += f", waited {waited_s:.1f} of {lasted_s:.0f} s for others on its core"
    unread = said.count("samples were not read in time")
    dropped = counted.missing + sum(counted.drops.values()) + unread
    what = f"{under}; counted by the devices: {counted.drops}; {unread} microphones were read too late"
    late_ms = HELD_MS[mode] + LATE_MS
    share = 100 * (usage.ru_utime + usage.ru_stime) / lasted_s
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return [
        at_most(f"{mode}.cpu", share, "%", MAX_SHARE, f"{under}, of one core"),
        at_least(f"{mode}.heard", counted.devices, "devices", devices, f"{under}, sent something"),
        at_most(f"{mode}.dropped", dropped, "", 0, what),
        at_most(f"{mode}.late", counted.late, "packets", 0, f"{under}, {late_ms:g} ms after their sound"),
        figure(f"{mode}.delay_p50", counted.delay_p50_ms, "ms", f"{under}, after a packet's last sample"),
        figure(f"{mode}.delay_p95", counted.delay_p95_ms, "ms", f"{under}, after a packet's last sample"),
        at_most(f"{mode}.memory", usage.ru_maxrss * unit / 1e6, "MB", MAX_MB, f"{under}, peak resident"),
    ]
