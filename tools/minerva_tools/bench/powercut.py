"""Power cuts: what becomes of a device whose power fails at any write of an update, counted."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from minerva_tools.measure import Result, at_least, at_most, figure, not_measured
from minerva_tools.powercut import HEAP, KINDS, SCENARIOS, PowerCutError, run_all
from minerva_tools.virtual import choose_interpreter

FIRMWARE: Final = Path(__file__).resolve().parents[3] / "firmware_rs"
EXAMPLE: Final = (
    "cargo",
    "run",
    "--quiet",
    "--locked",
    "--release",
    "-p",
    "minerva-ota",
    "--example",
    "powercut",
)
RUST_MIN_POINTS = 10_000

ARCHITECTURES = ("native", "i386")
MIN_POINTS = 5000
TWICE = 10  # every tenth recovery is cut again


def run() -> Iterable[Result]:
    """Every cut point of every scenario; VirtualDeviceError where an interpreter is missing.

    Without cargo the Rust firmware is not measured, and that is not ok.
    """
    yield from _rust()
    yield from _micropython()


def _rust() -> Iterable[Result]:
    cargo = shutil.which(EXAMPLE[0])
    if cargo is None or not FIRMWARE.is_dir():
        why = "no cargo here (https://rustup.rs)" if cargo is None else "not a clone of the project"
        yield not_measured("rust", "", f"power cuts of the Rust firmware: {why}")
        return
    done = subprocess.run([cargo, *EXAMPLE[1:]], cwd=FIRMWARE, stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if not lines:
        raise PowerCutError("the power cuts of the Rust firmware do not run: cargo said why")
    under = "Rust on the host, ESP-IDF's choice of a slot over a NOR flash in memory"
    names = ", ".join(dict.fromkeys(line["scenario"] for line in lines))
    total = {name: sum(line[name] for line in lines) for name in lines[0] if name != "scenario"}
    if done.returncode != 0 and not total["bricked"] and not total["unverified"]:
        raise PowerCutError(
            f"the power cuts of the Rust firmware ended with {done.returncode} after {names}: it said why"
        )
    yield at_least(
        "rust.points", total["points"], "", RUST_MIN_POINTS, f"{under}; {names}: every write and erase"
    )
    yield figure("rust.operations", total["operations"], "", f"{under}; writes and erases")
    yield figure("rust.twice", total["twice"], "", "of the points: cut again while the device recovered")
    yield at_most("rust.bricked", total["bricked"], "", 0, "of all: no start, or no end of the update")
    yield at_most("rust.unverified", total["unverified"], "", 0, "of all: ran what it must not")


def _micropython() -> Iterable[Result]:
    interpreters = [choose_interpreter("micropython", arch=arch, heap=HEAP) for arch in ARCHITECTURES]
    outcomes = run_all(interpreters, twice=TWICE)
    for outcome in outcomes:
        for line in outcome.told:
            # No place for it in a table.
            print(f"{outcome.interpreter}, {outcome.file_system}, {outcome.scenario}: {line}")
    titles = " and ".join(interpreter.title for interpreter in interpreters)
    under = f"{titles}, littlefs over a NOR flash in memory, FAT over a disk"
    counts = [outcome.counts for outcome in outcomes]
    points = sum(c.points for c in counts)
    if any(c.points < c.operations for c in counts):
        raise PowerCutError("a scenario has fewer cut points than writes")
    yield at_least("points", points, "", MIN_POINTS, f"{under}; {', '.join(SCENARIOS)}: every write")
    yield figure("operations", sum(c.operations for c in counts), "", f"{under}; programs, erases, sectors")
    for kind in KINDS:
        yield figure(kind, sum(getattr(c, kind) for c in counts), "", f"of the points: {KINDS[kind]}")
    yield figure("twice", sum(c.twice for c in counts), "", "more, cut again while the device recovered")
    yield at_most(
        "bricked", sum(c.bricked for c in counts), "", 0, "of all: no start, or no end of the update"
    )
    yield at_most(
        "unverified", sum(c.unverified for c in counts), "", 0, "of all: ran or trusted what it must not"
    )
