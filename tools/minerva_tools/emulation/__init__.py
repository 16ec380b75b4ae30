"""The firmware's crates on emulated chips: built, run, compared with this computer and the limits."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minerva_hub.errors import UserError

from minerva_tools.emulation import building, report, running
from minerva_tools.emulation.building import ROOT, Toolchain, Unavailable
from minerva_tools.emulation.report import Ran, Report
from minerva_tools.emulation.running import Printed
from minerva_tools.emulation.targets import CHIPS, HOST, Target
from minerva_tools.measure import conditions, usable_cores

__all__ = ["CHIPS", "HOST", "Ran", "Report", "Unavailable", "emulate"]


def emulate(names: Sequence[str] = (), into: Path = ROOT / ".cache" / "emulate") -> Report:
    """Build and run on the named chips (none: all) and on this computer; build products go to `into`.

    A chip that cannot be had here is in the report as skipped, with the reason. UserError: no such chip.
    Unavailable: not even this computer's own program can be built.
    """
    chips = {chip.name: chip for chip in CHIPS}
    for name in names:
        if name not in chips:
            raise UserError(f"there is no chip {name!r}; there are {', '.join(chips)}")
    wanted = [chips[name] for name in dict.fromkeys(names or chips)]
    host = _one(HOST, None, into)
    chain, lacking = _toolchain()

    def attempt(chip: Target) -> Printed | str:
        if chain is None:
            return lacking
        try:
            return _one(chip, chain, into)
        except Unavailable as exc:
            return str(exc)

    # A build is one long step of the linker's on one core; the longest is the last in the list.
    with ThreadPoolExecutor(usable_cores()) as pool:
        outcomes = dict(zip(reversed(wanted), pool.map(attempt, reversed(wanted)), strict=True))
    printed = {chip: made for chip in wanted if isinstance(made := outcomes[chip], Printed)}
    skipped = {chip: why for chip in wanted if isinstance(why := outcomes[chip], str)}
    for chip, why in skipped.items():
        print(f"{chip.name} is left out: {why}", file=sys.stderr, flush=True)
    results = tuple(report.compare(host, printed, report.documented_self_test()))
    return Report(
        ok=bool(printed) and all(result.ok for result in results),
        conditions=conditions() | _versions(chain),
        targets={
            target.name: _ran(target, host if target is HOST else printed.get(target), skipped.get(target))
            for target in (HOST, *wanted)
        },
        results=results,
    )


def _one(target: Target, chain: Toolchain | None, into: Path) -> Printed:
    began = time.monotonic()
    program = building.build(target, chain, into / target.name)
    built = time.monotonic()
    printed = running.run(target, program)
    spent = f"built in {built - began:.1f} s, ran in {time.monotonic() - built:.1f} s"
    print(f"{target.name}: {spent}", file=sys.stderr, flush=True)
    return printed


def _toolchain() -> tuple[Toolchain | None, str]:
    """The compiler for chips, or why there is none."""
    try:
        return building.toolchain(), ""
    except Unavailable as exc:
        return None, str(exc)


def _ran(target: Target, printed: Printed | None, skipped: str | None) -> Ran:
    if printed is None:
        return Ran(about=target.about, skipped=skipped)
    return Ran(about=target.about, hashes=printed.hashes, numbers=printed.numbers)


def _versions(chain: Toolchain | None) -> dict[str, str | int]:
    """The compilers that the figures depend on."""
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=False)
    return {"host rustc": rustc.stdout.strip() or "none", "chips": chain.about if chain else "none"}
