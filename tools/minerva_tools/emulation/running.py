"""Runs the built program under QEMU and reads what it printed."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from minerva_hub.errors import MinervaError

from minerva_tools.emulation.building import need
from minerva_tools.emulation.targets import HOST, Target

RUN_LIMIT_S = 300.0
_QUIET = ("-display", "none", "-monitor", "none", "-kernel")
_PACKAGES = {"qemu-system-arm": "qemu-system-arm"}


class RunError(MinervaError):
    """The program did not end as it should; says what it printed last."""


@dataclass(frozen=True)
class Printed:
    """What the program said: hashes and other words to compare, and numbers."""

    hashes: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)


def run(target: Target, program: Path) -> Printed:
    """Run the program to its end. Unavailable: no QEMU for it. RunError: it failed, or said too little."""
    if target is not HOST:
        emulator = target.qemu[0]
        need(emulator, f"package {_PACKAGES.get(emulator, 'qemu-system-misc')}")
    command = [*target.qemu, *(_QUIET if target.qemu else ()), str(program)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=RUN_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise RunError(f"{target.name}: not done after {RUN_LIMIT_S:.0f} s") from exc
    if done.returncode:
        tail = " / ".join((done.stdout + done.stderr).splitlines()[-3:])
        raise RunError(f"{target.name}: exit {done.returncode}: {tail}")
    return read(done.stdout, target.name)


def read(text: str, whose: str) -> Printed:
    """Lines of `name value`, the last `end complete`. RunError: anything else."""
    printed = Printed()
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name.endswith((".hash", ".self_test")) or name == "end":
            printed.hashes[name] = value
        elif value.isdecimal():
            printed.numbers[name] = int(value)
        else:
            raise RunError(f"{whose}: {line[:200]!r} is not a name and its value")
    if printed.hashes.pop("end", "") != "complete":
        raise RunError(f"{whose}: it ended before its end")
    return printed
