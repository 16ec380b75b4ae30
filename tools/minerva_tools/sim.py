"""minerva-sim, the Rust firmware's device as a program of this computer: where it is, or how it is built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from minerva_hub.errors import MinervaError

ROOT: Final = Path(__file__).resolve().parents[2]
NOT_TO_BE_HAD: Final = 3  # build-sim.sh's status when something outside the project is missing


class SimUnavailableError(MinervaError):
    """There is no minerva-sim here, and why."""


class SimBuildError(MinervaError):
    """The Rust firmware does not compile."""


def sim_program(*, root: Path = ROOT) -> Path:
    """$MINERVA_SIM, else what scripts/build-sim.sh builds in the clone at `root`. Blocks while it is built.

    Standard error tells of a build. SimUnavailableError: it cannot be had here; SimBuildError: it should be.
    """
    named = os.environ.get("MINERVA_SIM")
    if named:
        if not os.access(named, os.X_OK):
            raise SimUnavailableError(f"MINERVA_SIM is {named}, which is no program")
        return Path(named)
    script = root / "scripts" / "build-sim.sh"
    if not script.is_file():
        raise SimUnavailableError("minerva-sim is built from a clone of the project, and this is none")
    with subprocess.Popen(
        ["sh", str(script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        assert build.stdout is not None and build.stderr is not None  # noqa: S101 - they were asked for
        said = ""
        for line in build.stderr:
            if "building" in line:
                print(line, end="", file=sys.stderr, flush=True)
            else:
                said += line
        program = build.stdout.read().strip()
    if build.returncode == NOT_TO_BE_HAD:
        raise SimUnavailableError(said.strip().splitlines()[-1].removeprefix("build-sim: "))
    if build.returncode != 0:
        raise SimBuildError(said.strip() or f"build-sim.sh ended with {build.returncode}")
    return Path(program)
