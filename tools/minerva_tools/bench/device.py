"""The device: what a 20 ms frame costs under MicroPython, with 64-bit and with 32-bit integers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec
from minerva_hub.errors import MinervaError

from minerva_tools.measure import Result, at_most, figure
from minerva_tools.virtual import Interpreter, choose_interpreter, device_folder

SCRIPT = Path(__file__).parents[1] / "data" / "device_frame.py"
ARCHITECTURES = ("native", "i386")
MAX_RATIO = 1.5  # of the viper loops alone: what is around them must not cost more than half of them
FRAME_US = 20_000.0
TIMEOUT_S = 120.0


class Measured(msgspec.Struct, frozen=True):
    """What device_frame.py prints: microseconds of a frame, and bytes allocated in `frames` frames."""

    open_us: float
    closed_us: float
    loops_us: float
    allocated: int
    allocated_past: int
    frames: int


class DeviceBenchError(MinervaError):
    """The interpreter did not come to an end as it should."""


def run() -> Iterable[Result]:
    """Measure on both interpreters; VirtualDeviceError, which says how to get it, where one is missing."""
    for arch in ARCHITECTURES:
        interpreter = choose_interpreter("micropython", arch=arch)
        yield from _results(arch, interpreter.title, _measure(interpreter))


def _measure(interpreter: Interpreter) -> Measured:
    done = subprocess.run(
        [*interpreter.command, str(SCRIPT)],
        env={**os.environ, **interpreter.environment([device_folder()])},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode != 0:
        raise DeviceBenchError(f"{interpreter.title}: {done.stdout}{done.stderr}"[-2000:])
    return msgspec.json.decode(done.stdout, type=Measured)


def _results(arch: str, title: str, measured: Measured) -> Iterable[Result]:
    under = f"{title}, from I2S slots to an ADPCM packet in the ring, best of many rounds"
    worst_us = max(measured.open_us, measured.closed_us)
    yield at_most(
        f"frame_{arch}", worst_us, "us", FRAME_US / 100, f"{under}; a hundredth of the frame's 20 ms"
    )
    yield figure(f"loops_{arch}", measured.loops_us, "us", f"{title}, the viper loops alone")
    yield at_most(f"overhead_{arch}", worst_us / measured.loops_us, "x", MAX_RATIO, "a frame over its loops")
    counted = f"{title}, {measured.frames} frames after warm-up, gate open and closed"
    yield at_most(f"allocated_{arch}", measured.allocated / measured.frames, "B/frame", 0, counted)
    past = f"{counted}; from before and after 2^30 and 2^32 ms since boot"
    yield at_most(f"allocated_past_{arch}", measured.allocated_past / measured.frames, "B/frame", 0, past)
