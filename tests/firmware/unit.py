"""One device that is switched on: pytest-embedded's DUT, fed by a process or a serial port."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pexpect
from minerva_tools.virtual import Hearing
from pytest_embedded.app import App
from pytest_embedded.dut import Dut
from pytest_embedded.log import DuplicateStdoutPopen, PexpectProcess
from pytest_embedded.utils import Meta

from tests.firmware.variants import BoardVariant, ProcessVariant, Variant

SAYS_S = 30.0
A_WHILE_S = 0.5
LOOK_S = 0.02  # pexpect reads a file that grows: between its looks it must not take the processor


class DeviceProcess(DuplicateStdoutPopen):
    """The device as a process: its log is a file from the start, which pexpect reads without a queue."""

    SOURCE = "DEVICE"
    REDIRECT_CLS = None


class SerialLine:
    """A board at its serial line: what it says goes to the log; opening it resets the board."""

    def __init__(self, port: Path, log: Path) -> None:
        self._line = os.open(port, os.O_RDWR | os.O_NOCTTY)
        attributes = termios.tcgetattr(self._line)
        attributes[0] = attributes[1] = attributes[3] = 0
        attributes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        attributes[4] = attributes[5] = termios.B115200
        attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 0, 1  # a read ends after 0.1 s
        termios.tcsetattr(self._line, termios.TCSANOW, attributes)
        self._reset()
        self._log = log
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read, name="serial", daemon=True)
        self._reader.start()

    def _reset(self) -> None:
        """As esptool does: RTS pulls the chip's EN down; without DTR it then boots the application."""
        with contextlib.suppress(OSError):  # a line without these wires, a pseudo terminal
            fcntl.ioctl(self._line, termios.TIOCMBIC, struct.pack("I", termios.TIOCM_DTR))
            fcntl.ioctl(self._line, termios.TIOCMBIS, struct.pack("I", termios.TIOCM_RTS))
            time.sleep(0.1)
            fcntl.ioctl(self._line, termios.TIOCMBIC, struct.pack("I", termios.TIOCM_RTS))

    def _read(self) -> None:
        with self._log.open("ab", buffering=0) as log:
            while not self._over.is_set():
                log.write(os.read(self._line, 4096))

    def write(self, text: str) -> None:
        """A line to the board, which its console may ignore."""
        os.write(self._line, text.encode() + b"\n")

    def close(self) -> None:
        """Let go of the port."""
        self._over.set()
        self._reader.join()
        os.close(self._line)


class Unit:
    """`async with` switches it on and off; `dut` is pytest-embedded's, with the rest of its calls."""

    def __init__(self, variant: Variant, flash: Path, hearing: Hearing, log_folder: Path, name: str) -> None:
        self.variant = variant
        self.dut: Dut
        self._flash = flash
        self._hearing = hearing
        self._folder = log_folder
        self._name = name
        self._source: DeviceProcess | SerialLine
        self._log: Any

    async def __aenter__(self) -> Unit:
        self._folder.mkdir(parents=True, exist_ok=True)
        meta = Meta(str(self._folder), {}, {})
        if isinstance(self.variant, BoardVariant):
            log = self._folder / "serial.log"
            log.touch()
            self._source = SerialLine(self.variant.port, log)
        else:
            assert isinstance(self.variant, ProcessVariant)
            command, variables = self.variant.start(self._hearing)
            self._source = DeviceProcess(
                None,
                command,
                meta,
                cwd=self._flash,
                env={**os.environ, **variables},
                start_new_session=True,
            )
            log = Path(self._source._logfile)
        self._log = log.open("rb")
        reader = PexpectProcess(self._log, timeout=SAYS_S)
        reader.delayafterread = LOOK_S
        self.dut = Dut(reader, None, App(), str(log), self._name, meta)
        self.dut.write = self._source.write
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.off()

    async def says(self, *texts: str, timeout_s: float = SAYS_S) -> str:
        """Wait until its log, after what was waited for last, has one of `texts`; which one it was.

        pexpect.TIMEOUT, with the end of its log, when it does not say so in time or before it ends.
        """
        for _ in range(round(timeout_s / A_WHILE_S)):
            was_running = self.running
            with contextlib.suppress(pexpect.TIMEOUT):
                match = await asyncio.to_thread(self.dut.expect_exact, list(texts), timeout=A_WHILE_S)
                return bytes(match).decode()
            if not was_running:
                break
        raise pexpect.TIMEOUT(f"{self._name} never said {texts}; it said:\n{self.log[-2000:]}")

    @property
    def log(self) -> str:
        """All that it said."""
        return Path(self.dut.logfile).read_text(errors="replace")

    def _tell(self, line: str) -> None:
        self.dut.write(line)

    def press(self) -> None:
        """Press its button."""
        self._tell("press")

    def wifi(self, up: bool) -> None:
        """Switch the Wi-Fi on or off that it may join."""
        self._tell("wifi up" if up else "wifi down")

    def network(self, flows: bool) -> None:
        """Let the network take nothing of what it says, or take it again."""
        self._tell("net flow" if flows else "net stall")

    def microphone(self, works: bool) -> None:
        """Break the microphone, so that it gives nothing, or mend it."""
        self._tell("mic on" if works else "mic off")

    async def ended(self, timeout_s: float = SAYS_S) -> int:
        """The status with which it ended by itself."""
        assert isinstance(self._source, DeviceProcess)
        return await asyncio.to_thread(self._source.wait, timeout_s)

    @property
    def running(self) -> bool:
        """Whether it is on."""
        return not isinstance(self._source, DeviceProcess) or self._source.poll() is None

    async def off(self) -> None:
        """Take its power away, in the middle of whatever it does; harmless when it is off."""
        source = self._source
        if isinstance(source, DeviceProcess):
            if source.poll() is None:
                source.kill()
            await asyncio.to_thread(subprocess.Popen.wait, source)
            if source.stdin is not None:
                source.stdin.close()
        source.close()
        self._log.close()
