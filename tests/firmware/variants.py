"""The devices under test: what starts each, and what can be done to it from outside."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from minerva_tools.virtual import Interpreter, choose_interpreter, device_folder, find_micropython

ROOT = Path(__file__).parents[2]

# What a test may need of its device: a room that the test fills with sound, a clock that may run faster and may
# have begun long ago, settings of the test's own, a hub at a plain socket, the button, the power switch, Wi-Fi
# and a microphone that fails.
PROCESS = frozenset({"sound", "clock", "settings", "socket", "button", "power", "wifi", "microphone"})
BOARD = frozenset({"power"})


@dataclass(frozen=True)
class Setup:
    """How a device is to run: what a full-scale sine in `wav` stands for is 120 dB SPL, an INMP441's own."""

    settings: Path
    folder: Path  # its flash
    wav: Path
    speed: float
    boot_ms: int
    loop: bool


@dataclass(frozen=True)
class Variant:
    """One implementation of the device; `title` says what exactly runs."""

    name: str
    title: str
    can: frozenset[str] = PROCESS

    def command(self, setup: Setup) -> list[str]:
        """What to run; its standard input takes `press`, `wifi up`, `wifi down`, `mic off`, `mic on`, `quit`."""
        raise NotImplementedError

    def environment(self, setup: Setup) -> dict[str, str]:
        """Variables beside those of the tests."""
        return {}


@dataclass(frozen=True)
class MicroPythonVariant(Variant):
    """The application in device/, on the virtual board."""

    interpreter: Interpreter = field(kw_only=True)

    def command(self, setup: Setup) -> list[str]:
        return [*self.interpreter.command, str(device_folder() / "main.py")]

    def environment(self, setup: Setup) -> dict[str, str]:
        application = device_folder()
        return {
            **self.interpreter.environment([application / "boards" / "virtual_hw", application]),
            "MINERVA_CONTROL": "1",
            "MINERVA_MIC_WAV": str(setup.wav),
            "MINERVA_MIC_SPL": "120",
            "MINERVA_MIC_LOOP": "1" if setup.loop else "0",
            "MINERVA_MIC_LOSSLESS": "1",
            "MINERVA_SPEED": str(setup.speed),
            "MINERVA_BOOT_MS": str(setup.boot_ms),
        }


@dataclass(frozen=True)
class RustVariant(Variant):
    """firmware_rs/crates/device in the process that firmware_rs/crates/sim makes."""

    program: Path = field(kw_only=True)

    def command(self, setup: Setup) -> list[str]:
        return [
            str(self.program),
            *("--settings", str(setup.settings)),
            *("--folder", str(setup.folder)),
            *("--wav", str(setup.wav)),
            *("--spl", "120"),
            *("--speed", str(setup.speed)),
            *("--boot-ms", str(setup.boot_ms)),
            "--lossless",
            *(["--loop"] if setup.loop else []),
        ]


@dataclass(frozen=True)
class BoardVariant(Variant):
    """A board at `port` that holds `settings` already; its log comes over the serial line."""

    port: Path = field(kw_only=True)
    settings: Path = field(kw_only=True)


def find_sim() -> Path | None:
    """minerva-sim: $MINERVA_SIM, else the newest that cargo built here."""
    named = os.environ.get("MINERVA_SIM")
    if named:
        return Path(named)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "firmware_rs" / "target")
    built = [path for path in target.glob("*/minerva-sim") if path.is_file()]
    return max(built, key=lambda path: path.stat().st_mtime, default=None)


def find_variant(name: str) -> Variant | str:
    """The variant of that name, or why there is none here."""
    if name == "micropython":
        # The 32-bit interpreter is nearest to a board: its numbers and its ticks wrap as there.
        arch = next((arch for arch in ("i386", "native") if find_micropython(arch)), None)
        if arch is None:
            return "no MicroPython here: scripts/get-micropython.sh native"
        interpreter = choose_interpreter("micropython", arch=arch)
        return MicroPythonVariant(name, interpreter.title, interpreter=interpreter)
    program = find_sim()
    if program is None:
        return "no minerva-sim here: cargo build -p minerva-sim in firmware_rs"
    return RustVariant(name, "minerva-sim", program=program)
