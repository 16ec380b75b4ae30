"""The suite's way to a board: a device that is told apart from one only by having a computer for its chip."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from minerva_tools.virtual import Hearing

from tests.device.device_hub import talk, write_wav
from tests.firmware.variants import ProcessVariant, find_variant

ROOT = Path(__file__).parents[2]


@pytest.mark.mpy
def test_the_suite_takes_a_board_at_a_serial_port(tmp_path: Path) -> None:
    variant = find_variant("micropython")
    if not isinstance(variant, ProcessVariant):
        pytest.skip(str(variant))
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"ws://127.0.0.1:{free.getsockname()[1]}/link"
    settings = tmp_path / "settings.json"
    settings.write_text(
        json.dumps(
            {"version": 1, "board": "virtual", "device": "k", "url": url, "token": "t", "ceiling": "full"}
        )
    )
    wav = write_wav(tmp_path / "talk.wav", talk(10))
    command, variables = variant.start(
        Hearing(wav=wav, full_scale_spl=120, loop=True, lossless=True, speed=4, boot_ms=0)
    )
    board, port = pty.openpty()
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=board,
        stderr=board,
    ) as process:
        try:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "tests/firmware", "-q", "-p", "no:cacheprovider"),
                    *(
                        "-m",
                        "hardware",
                        "-k",
                        "mode_that_is_lacking or kind_and_frames or hub_mute or test_health or test_wifi",
                    ),
                    *("--device-port", os.ttyname(port), "--device-settings", str(settings)),
                    *("--device-variant", "micropython", "--basetemp", str(tmp_path / "inner")),
                ],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=150,
            )
        finally:
            process.kill()
            os.close(board)
            os.close(port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed, 1 skipped" in done.stdout, done.stdout
    assert "board offers no wifi to a test" in done.stdout
