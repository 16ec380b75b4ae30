"""Virtual devices: the unmodified device application in a process of its own, hearing a WAV file.

It runs under the real MicroPython where one can be had, under CPython otherwise, or it is minerva-sim, the
Rust firmware's device; it says which. The process ends with `stop()`, and by itself when the program that
started it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from minerva_hub.errors import MinervaError

from minerva_tools.sim import SimUnavailableError, sim_program

if TYPE_CHECKING:
    from minerva_tools.virtual_flash import Flash

InterpreterName = Literal["auto", "micropython", "cpython", "rust"]

MAX_LOG_LINES: Final = 1000  # of a device's log; a device says some twenty lines an hour
STOP_TIMEOUT_S: Final = 3.0
RESET_STATUS: Final = 42  # the virtual board's machine.reset()
# What a full-scale sine means in the WAV files of minerva_tools.render: 10 Pa peak, in dB SPL (20 µPa).
ROOM_FULL_SCALE_SPL: Final = 110.97


class VirtualDeviceError(MinervaError):
    """A virtual device did not start, or ended when it should not have."""


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """What a device hears, and its clock: as `VirtualDevice` takes them."""

    wav: Path
    full_scale_spl: float
    loop: bool
    lossless: bool
    speed: float
    boot_ms: int

    def variables(self) -> dict[str, str]:
        """For the virtual board of the device application."""
        return {
            "MINERVA_CONTROL": "1",
            "MINERVA_MIC_WAV": str(self.wav),
            "MINERVA_MIC_SPL": str(self.full_scale_spl),
            "MINERVA_MIC_LOOP": "1" if self.loop else "0",
            "MINERVA_MIC_LOSSLESS": "1" if self.lossless else "0",
            "MINERVA_SPEED": str(self.speed),
            "MINERVA_BOOT_MS": str(self.boot_ms),
        }

    def arguments(self) -> list[str]:
        """For minerva-sim in a folder that holds settings.json."""
        return [
            "--settings=settings.json",
            f"--wav={self.wav}",
            f"--spl={self.full_scale_spl}",
            f"--speed={self.speed}",
            f"--boot-ms={self.boot_ms}",
            *(["--loop"] if self.loop else []),
            *(["--lossless"] if self.lossless else []),
        ]


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """What runs a device: `title` for people, `command` before the script's path; of "rust" the device."""

    name: Literal["micropython", "cpython", "rust"]
    title: str
    command: tuple[str, ...]

    def environment(self, paths: list[Path]) -> dict[str, str]:
        """The variables that let it import from `paths`, first one first."""
        joined = os.pathsep.join(str(p) for p in paths)
        if self.name == "micropython":
            return {"MICROPYPATH": joined + os.pathsep + ".frozen"}
        return {"PYTHONPATH": joined, "PYTHONUNBUFFERED": "1"}

    def device(self, application: Path, hearing: Hearing) -> tuple[list[str], dict[str, str]]:
        """(command, variables) of the device in `application`, in a folder that holds settings.json."""
        if self.name == "rust":
            return [*self.command, *hearing.arguments()], {}
        paths = [application / "boards" / "virtual_hw", application]
        return [*self.command, str(application / "main.py")], {
            **hearing.variables(),
            **self.environment(paths),
        }

    def device_with_slots(self, application: Path, hearing: Hearing) -> tuple[list[str], dict[str, str]]:
        """(command, variables) of the device whose flash, slots and all, is the folder it runs in.

        VirtualDeviceError: only MicroPython runs what a release holds.
        """
        if self.name != "micropython":
            raise VirtualDeviceError(f"a virtual device with slots needs MicroPython, not {self.title}")
        hardware = application / "boards" / "virtual_hw"
        return [*self.command, str(hardware / "power_on.py")], {
            **hearing.variables(),
            **self.environment([hardware]),
        }


def device_folder() -> Path:
    """The folder of the device application: main.py, minerva/, boards/."""
    here = Path(__file__).resolve().parent
    for folder in (here.parents[1] / "device", here / "device"):
        if (folder / "main.py").is_file():
            return folder
    raise VirtualDeviceError(
        f"the device application is missing: neither in {here.parents[1]} nor in {here}; "
        "virtual devices need the project's folder device/"
    )


def _version(path: Path) -> str | None:
    """`MicroPython 1.25.0`, or None when `path` does not run or is something else."""
    probe = "import sys; print(sys.implementation.name, '%d.%d.%d' % sys.implementation.version[:3])"
    try:
        done = subprocess.run(
            [str(path), "-c", probe], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    name, _, version = done.stdout.strip().partition(" ")
    return f"MicroPython {version}" if name == "micropython" else None


def find_micropython(arch: str = "native") -> Path | None:
    """The MicroPython for `arch` ("native", "amd64", "i386"…), or None where there is none that runs.

    Looks where scripts/get-micropython.sh puts it; for "native" then at $MINERVA_MICROPYTHON and on PATH.
    """
    cache = device_folder().parent / ".cache"
    candidates: list[Path] = []
    if arch == "native":
        named = os.environ.get("MINERVA_MICROPYTHON")
        if named:
            candidates.append(Path(named))
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        candidates.append(cache / f"micropython-{machine}" / "bin" / "micropython")
        on_path = shutil.which("micropython")
        if on_path:
            candidates.append(Path(on_path))
    else:
        candidates.append(cache / f"micropython-{arch}" / "bin" / "micropython")
    return next((p for p in candidates if p.is_file() and _version(p)), None)


def choose_interpreter(
    name: InterpreterName = "auto", *, arch: str = "native", heap: str | None = None
) -> Interpreter:
    """What will run a device: "auto" takes MicroPython where it is found. `heap` limits it, as "192k".

    "rust" is minerva-sim, which is built where that has not been done, while this waits.
    """
    if name == "rust":
        try:
            return Interpreter(name="rust", title="minerva-sim (Rust)", command=(str(sim_program()),))
        except SimUnavailableError as reason:
            raise VirtualDeviceError(f"no minerva-sim here: {reason}") from reason
    found = None if name == "cpython" else find_micropython(arch)
    if found is not None:
        limit = ("-X", f"heapsize={heap}") if heap else ()
        title = f"{_version(found)}" + (f" ({arch})" if arch != "native" else "")
        return Interpreter(name="micropython", title=title, command=(str(found), *limit))
    if name == "micropython":
        raise VirtualDeviceError(
            f"no MicroPython for {arch} here; scripts/get-micropython.sh {arch} fetches one on Debian, "
            "apt install micropython or brew install micropython elsewhere"
        )
    version = ".".join(str(n) for n in sys.version_info[:3])
    why = " (no MicroPython here)" if name == "auto" else ""
    return Interpreter(name="cpython", title=f"CPython {version}{why}", command=(sys.executable,))


class VirtualDevice:
    """One device process. `settings` is the content of its settings.json, `wav` what its microphone hears.

    wav: mono, 16 bits, 16 kHz, a full-scale sine standing for `full_scale_spl` dB SPL. `speed` runs its
    clock and its room faster than real time; `boot_ms` is how long it has been on. `folder` is its flash (a
    fresh one, removed at the end, if None). `lossless`: a busy computer delays its audio but loses none of
    it. With `flash` it boots from slots: that is put into an empty folder, and when the board resets, its
    process is started again, `restarts` times so far.
    """

    def __init__(
        self,
        settings: Mapping[str, object],
        wav: Path,
        *,
        interpreter: Interpreter | None = None,
        folder: Path | None = None,
        application: Path | None = None,
        speed: float = 1.0,
        loop: bool = False,
        boot_ms: int = 0,
        full_scale_spl: float = ROOM_FULL_SCALE_SPL,
        lossless: bool = True,
        on_line: Callable[[str], None] | None = None,
        flash: Flash | None = None,
    ) -> None:
        self.settings = {"version": 1, "board": "virtual", **settings}
        self.interpreter = interpreter or choose_interpreter()
        self.log: deque[str] = deque(maxlen=MAX_LOG_LINES)
        self.restarts = 0
        self._flash = flash
        self._stopping = False
        self._application = application or device_folder()
        self._folder = folder
        self._own_folder: tempfile.TemporaryDirectory[str] | None = None
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._said = asyncio.Event()
        self._hearing = Hearing(
            wav=Path(wav).resolve(),
            full_scale_spl=full_scale_spl,
            loop=loop,
            lossless=lossless,
            speed=speed,
            boot_ms=boot_ms,
        )

    @property
    def running(self) -> bool:
        """Whether its process is there, or will be at once."""
        return self._process is not None and (self._process.returncode is None or self._restarts())

    def _restarts(self) -> bool:
        """Whether its process ended as a reset ends it, to begin anew."""
        if self._flash is None or self._stopping or self._process is None:
            return False
        return self._process.returncode == RESET_STATUS

    @property
    def folder(self) -> Path | None:
        """Its flash, from the first start on."""
        return self._folder

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    async def start(self) -> None:
        """Switch it on; VirtualDeviceError when the interpreter cannot be run."""
        if self._folder is None:
            self._own_folder = tempfile.TemporaryDirectory(prefix="minerva-device-")
            self._folder = Path(self._own_folder.name)
        (self._folder / "settings.json").write_text(json.dumps(self.settings))
        if self._flash is not None:
            self._flash.lay_out(self._folder)
        self._stopping = False
        process = await self._power_on()
        self._reader = asyncio.create_task(self._read_logs(process))

    async def _power_on(self) -> asyncio.subprocess.Process:
        make = self.interpreter.device if self._flash is None else self.interpreter.device_with_slots
        command, variables = make(self._application, self._hearing)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._folder,
                env={**os.environ, **variables},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for who started it, whose stop() ends it in order
            )
        except OSError as e:
            raise VirtualDeviceError(f"{self.interpreter.command[0]} cannot be run: {e}") from e
        return self._process

    async def _read_logs(self, process: asyncio.subprocess.Process) -> None:
        await self._read_log(process)
        while self._restarts():
            process = await self._power_on()
            self.restarts += 1
            if self._stopping:  # asked for while it began
                process.kill()
            await self._read_log(process)

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        async for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            self.log.append(line)
            if self._on_line is not None:
                self._on_line(line)
            self._said.set()
        await process.wait()
        self._said.set()

    async def _command(self, line: str) -> None:
        if self._process is None or self._process.stdin is None or self._process.returncode is not None:
            raise VirtualDeviceError(f"{self.settings.get('device')}: it is off, it cannot {line}")
        self._process.stdin.write(line.encode() + b"\n")
        with contextlib.suppress(ConnectionError):  # it ended meanwhile; its log says why
            await self._process.stdin.drain()

    async def press_button(self) -> None:
        """Press its button."""
        await self._command("press")

    async def set_wifi(self, up: bool) -> None:
        """Switch the Wi-Fi that it may join on or off (for settings with `wifi`)."""
        await self._command("wifi up" if up else "wifi down")

    async def wait_for(self, text: str, *, timeout_s: float = 30.0) -> str:
        """The first line of its log with `text`; VirtualDeviceError when it ends or time runs out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    self._said.clear()
                    for line in self.log:
                        if text in line:
                            return line
                    if not self.running:
                        break
                    await self._said.wait()
        state = "still running" if self.running else f"ended with {self.returncode}"
        said = "\n".join(list(self.log)[-20:])
        raise VirtualDeviceError(
            f"{self.settings.get('device')} ({state}) never said {text!r}; it said:\n{said}"
        )

    @property
    def returncode(self) -> int | None:
        """The status it ended with; None while it runs or before it started."""
        return None if self._process is None else self._process.returncode

    async def wait(self) -> int:
        """Its status, when it has ended by itself."""
        if self._process is None:
            raise VirtualDeviceError("it was never started")
        if self._reader is not None:
            await asyncio.shield(self._reader)
        return await self._process.wait()

    async def stop(self) -> None:
        """Switch it off; harmless when it is off."""
        self._stopping = True  # a reset from here on is the last
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(VirtualDeviceError):
                await self._command("quit")
            if process.stdin is not None:
                process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reader is not None:
            await self._reader
        if self._own_folder is not None:
            self._own_folder.cleanup()
            self._own_folder = None
            self._folder = None

    async def __aenter__(self) -> VirtualDevice:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()
