"""`minerva device logs` and `shell`, as processes of their own: they end with Ctrl-C and Ctrl-]."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tools.usb_rig import plug

pytestmark = pytest.mark.mpy


def heard(stream: int, text: bytes) -> bytes:
    """What comes until `text` is among it."""
    said = b""
    until = time.monotonic() + 60
    while text not in said:
        assert time.monotonic() < until, said
        if select.select([stream], [], [], 0.2)[0]:
            piece = os.read(stream, 4096)
            assert piece, said
            said += piece
    return said


def test_logs_show_how_it_begins_and_disturb_nothing(tmp_path: Path) -> None:
    with plug(tmp_path / "flash") as board:
        (board.flash / "main.py").write_text("print('the kitchen listens')\n")
        command = [
            sys.executable,
            "-m",
            "minerva_tools.cli",
            "device",
            "logs",
            "--restart",
            "--port",
            board.port,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as logs:
            assert logs.stdout is not None
            heard(logs.stdout.fileno(), b"the kitchen listens")
            logs.send_signal(signal.SIGINT)
            assert logs.wait(30) == 0
        assert board.starts == 2  # it was restarted, and left alone afterwards


def test_the_shell_is_the_boards_prompt_and_ends_with_a_restart(tmp_path: Path) -> None:
    with plug(tmp_path / "flash") as board:
        host, terminal = pty.openpty()
        command = [sys.executable, "-m", "minerva_tools.cli", "device", "shell", "--port", board.port]
        with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal) as shell:
            heard(host, b">>> ")
            os.write(host, b"\r")
            heard(host, b">>> ")
            os.write(host, b"\x1d")
            assert shell.wait(30) == 0
        os.close(host)
        os.close(terminal)
        until = time.monotonic() + 30
        while board.starts < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert board.starts == 2
