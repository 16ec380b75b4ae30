"""Interpreters for device code, and running the device's own checks under them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from minerva_tools.virtual import Interpreter, choose_interpreter, device_folder, find_micropython

ON_DEVICE = Path(__file__).parent / "on_device"
MICROPYTHONS = ("native", "i386")


def interpreter_for(name: str) -> Interpreter:
    """`cpython`, `micropython-native` or `micropython-i386`; skips where it cannot be had."""
    if name == "cpython":
        return choose_interpreter("cpython")
    arch = name.removeprefix("micropython-")
    if find_micropython(arch) is None:
        pytest.skip(f"no MicroPython for {arch} here: scripts/get-micropython.sh {arch}")
    return choose_interpreter("micropython", arch=arch)


def run_script(
    interpreter: Interpreter, script: Path, *arguments: object, cwd: Path | None = None, **variables: str
) -> str:
    """What the script says; a failing one fails the test with it. It may import the virtual hardware."""
    hardware = device_folder() / "boards" / "virtual_hw"
    done = subprocess.run(
        [*interpreter.command, str(script), *map(str, arguments)],
        env=variables | interpreter.environment([device_folder(), ON_DEVICE, hardware]),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
