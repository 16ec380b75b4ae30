"""The devices under test: what starts each, and what can be done to it from outside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from minerva_tools.sim import SimBuildError
from minerva_tools.virtual import (
    Hearing,
    Interpreter,
    VirtualDeviceError,
    choose_interpreter,
    device_folder,
    find_micropython,
)

# What a test may need of its device: a room that the test fills with sound, a clock that may run faster and
# may have begun long ago, settings of the test's own, a hub at a plain socket, the button, the power switch,
# Wi-Fi, a network that stalls and a microphone that fails.
PROCESS = frozenset(
    {"sound", "clock", "settings", "socket", "button", "power", "wifi", "network", "microphone"}
)
BOARD = frozenset({"power"})


@dataclass(frozen=True)
class Variant:
    """One implementation of the device; `title` says what exactly runs, `can` what a test can do to it."""

    name: str
    title: str
    can: frozenset[str]


@dataclass(frozen=True)
class ProcessVariant(Variant):
    """A process on this computer: the application in device/ on the virtual board, or minerva-sim."""

    interpreter: Interpreter

    def start(self, hearing: Hearing) -> tuple[list[str], dict[str, str]]:
        """(command, variables), to be run in a folder that holds settings.json.

        Standard input takes `press`, `wifi up`, `wifi down`, `mic off`, `mic on`, `net stall`, `net flow`,
        `quit`.
        """
        return self.interpreter.device(device_folder(), hearing)


@dataclass(frozen=True)
class BoardVariant(Variant):
    """A board at the serial port `port` that holds `settings` already."""

    port: Path
    settings: Path


@cache
def find_variant(name: str) -> Variant | str | SimBuildError:
    """The variant of that name, or why there is none here. minerva-sim is built, once, where it can be."""
    try:
        if name == "rust":
            interpreter = choose_interpreter("rust")
        else:
            # The 32-bit interpreter is nearest to a board: its numbers and its ticks wrap as there.
            arch = next((arch for arch in ("i386", "native") if find_micropython(arch)), "native")
            interpreter = choose_interpreter("micropython", arch=arch)
    except VirtualDeviceError as reason:
        return str(reason)
    except SimBuildError as fault:
        return fault
    return ProcessVariant(name, interpreter.title, PROCESS, interpreter)
