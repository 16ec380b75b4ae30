"""A board on USB: the unix MicroPython with a prompt (raw_repl.py) behind a pseudo terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import threading
import tty
from collections.abc import Mapping
from pathlib import Path

from minerva_tools.virtual import Interpreter, device_folder

RESET, SOFT = 42, 43
PROMPTS = (b">>> ", b"exit\r\n>", b"\x04>")
SHIM = Path(__file__).with_name("raw_repl.py")


class UsbBoard:
    """A board, plugged in within its context; `port` is its serial port, `flash` the folder it boots from.

    It stays on until the end, whatever is done to the port; `starts` counts power-ons and hard resets.
    `cut_after` unplugs it after so many bytes from the host.
    """

    def __init__(
        self, flash: Path, interpreter: Interpreter, *, variables: Mapping[str, str] | None = None
    ) -> None:
        self.flash = flash
        self.starts = 0
        self.cut_after: int | None = None
        self.taken = 0
        self.said = bytearray()
        hardware = device_folder() / "boards" / "virtual_hw"
        self._command = [*interpreter.command, str(SHIM)]
        self._environment = {**os.environ, **interpreter.environment([hardware]), **(variables or {})}
        self._ended = threading.Event()
        self._deaf = False
        self._held = b""

    def __enter__(self) -> UsbBoard:
        self._host, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._process = self._power_on("hard")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(20)
        self._process.kill()
        self._process.wait()
        self._close_pipes()
        os.close(self._host)
        os.close(self._slave)

    def _power_on(self, kind: str) -> subprocess.Popen[bytes]:
        self.starts += kind == "hard"
        self._deaf = True  # until it runs: what comes earlier waits in the port
        return subprocess.Popen(
            [*self._command, kind],
            cwd=self.flash,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            assert self._process.stdin is not None and self._process.stdout is not None
            board = self._process.stdout.fileno()
            heard = [board] if self._deaf else [self._host, board]
            ready, _, _ = select.select(heard, [], [], 0.05)
            if board in ready:
                data = os.read(board, 4096)
                if not data:
                    self._ended_or_reset()
                    continue
                self.said += data
                held, self._held, self._deaf = self._held, b"", False
                self._write(held)
                os.write(self._host, data)
            if self._host in ready:
                self._from_host(os.read(self._host, 4096))

    def _from_host(self, data: bytes) -> None:
        self.taken += len(data)
        if self.cut_after is not None and self.taken >= self.cut_after:
            self.cut_after = None
            self._process.kill()  # power is gone in the middle of whatever it did
            return
        head, ctrl_c, rest = data.partition(b"\x03")
        self._write(head)
        if ctrl_c and not self.said.endswith(PROMPTS):
            # It runs something: that ends, and says so, before it hears what comes behind.
            self._process.send_signal(signal.SIGINT)
            self._held, self._deaf = rest, True
        elif ctrl_c:
            self._write(b"\x03" + rest)

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it just ended
            self._process.stdin.write(data)

    def _ended_or_reset(self) -> None:
        status = self._process.wait()
        self._close_pipes()
        self._process = self._power_on("soft" if status == SOFT else "hard")
