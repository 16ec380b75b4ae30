"""Running the device's own checks under any interpreter."""

from __future__ import annotations

import subprocess
from pathlib import Path

from minerva_tools.virtual import Interpreter, device_folder

ON_DEVICE = Path(__file__).parent / "on_device"


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
