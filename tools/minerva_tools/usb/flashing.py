"""Writes a firmware into a chip's flash: esptool detects the chip, erases, writes and compares.

What is decided stands in `flash`; what talks to the chip is `Chip`, with esptool behind it in `connect`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any, ClassVar, Final, Protocol

from minerva_hub.errors import UserError

from minerva_tools.usb.board import BoardError
from minerva_tools.usb.firmware import Firmware, Part
from minerva_tools.usb.ports import problem_of

BAUD: Final = 460_800

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


class WrongChipError(UserError):
    """The chip is not the one that the image is for."""


class NoChipError(BoardError):
    """Nothing answers as a chip in its download mode does."""


class Chip(Protocol):
    """A chip in its download mode. `name` is esptool's, as `esp32s3`; `flash_bytes` 0: not known."""

    name: str
    mac: str
    flash_bytes: int

    def erase(self) -> None:
        """Erase the whole flash."""
        ...

    def blank(self, offset: int, size: int) -> None:
        """Erase a stretch."""
        ...

    def write(self, parts: Sequence[Part], progress: Callable[[int], None]) -> None:
        """Write, and compare with what the flash then holds; BoardError."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """What the flash holds there; BoardError."""
        ...

    def restart(self) -> None:
        """Begin with what was written."""
        ...


def flash(chip: Chip, firmware: Firmware, *, erase: bool, bar: Bar) -> None:
    """Check that the firmware is this chip's and fits, then erase, write and start it."""
    if chip.name != firmware.chip:
        raise WrongChipError(
            f"this is an {chip.name} (MAC {chip.mac}), the image is for {firmware.chip}: nothing was "
            f"written. Take the image for {chip.name}"
        )
    if chip.flash_bytes and chip.flash_bytes < firmware.flash_bytes:
        raise WrongChipError(
            f"this {chip.name} has {chip.flash_bytes >> 20} MB of flash, the image is for "
            f"{firmware.flash_bytes >> 20} MB: nothing was written"
        )
    if erase:
        chip.erase()
    else:
        for offset, size in firmware.blank:
            chip.blank(offset, size)
    with bar(f"to {chip.name}", sum(len(part.data) for part in firmware.parts)) as more:
        chip.write(firmware.parts, more)
    chip.restart()


@contextmanager
def connect(port: str, *, baud: int = BAUD) -> Iterator[Chip]:
    """The chip at a port, put into its download mode; PortError, NoChipError: none answers."""
    from esptool.cmds import detect_chip

    said = quiet_logger()
    try:
        with explained(port):
            esp = detect_chip(port)
    except BoardError as problem:
        raise NoChipError(str(problem)) from problem
    try:
        with explained(port):
            chip = _EsptoolChip(esp, port, said, baud)
        yield chip
    finally:
        esp._port.close()


@contextmanager
def explained(port: str) -> Iterator[None]:
    """Turn what esptool raises into PortError or BoardError, with what to do."""
    from esptool.util import FatalError
    from serial import SerialException

    try:
        yield
    except SerialException as problem:
        raise problem_of(port) from problem
    except (FatalError, OSError) as problem:
        text = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        if "port" in text.lower() and ("open" in text or "busy" in text or "exist" in text):
            raise problem_of(port) from problem
        if "MD5" in text:
            raise BoardError(
                f"{port}: {text} The chip does not start like this. Run this again; if that goes "
                "on, with --baud 115200 or another cable"
            ) from problem
        raise BoardError(
            f"{port}: {text}. Hold the button BOOT, press and let go RESET, let go BOOT, and run this again"
        ) from problem


@cache
def quiet_logger() -> Any:
    """Makes esptool print nothing from now on; the class tells its `progress` of progress."""
    from esptool.logger import TemplateLogger, log

    class Quiet(TemplateLogger):  # type: ignore[misc]
        progress: ClassVar[Callable[[int, int], None] | None] = None

        def print(self, *args: Any, **kwargs: Any) -> None:
            pass

        def note(self, message: str) -> None:
            pass

        def warning(self, message: str) -> None:
            pass

        def error(self, message: str) -> None:
            pass

        def stage(self, finish: bool = False) -> None:
            pass

        def progress_bar(
            self, cur_iter: int, total_iters: int, prefix: str = "", suffix: str = "", bar_length: int = 30
        ) -> None:
            if Quiet.progress is not None:
                Quiet.progress(cur_iter, total_iters)

        def set_verbosity(self, verbosity: str) -> None:
            pass

    log.set_logger(Quiet())
    return Quiet


class _EsptoolChip:
    """A chip through esptool; with its stub, which is fast and can erase."""

    def __init__(self, esp: Any, port: str, said: Any, baud: int) -> None:
        from esptool.cmds import attach_flash, detect_flash_size, run_stub

        self._port = port
        self._said = said
        self.name = esp.CHIP_NAME.lower().replace("-", "")
        self.mac = ":".join(f"{byte:02x}" for byte in esp.read_mac())
        self._esp = run_stub(esp)
        if baud != esp.ESP_ROM_BAUD:
            self._esp.change_baud(baud)
        attach_flash(self._esp)
        size = detect_flash_size(self._esp)  # as "8MB", or None
        self.flash_bytes = int(size[:-2]) << 20 if size is not None and size.endswith("MB") else 0

    def erase(self) -> None:
        """Erase the whole flash."""
        from esptool.cmds import erase_flash

        with explained(self._port):
            erase_flash(self._esp)

    def blank(self, offset: int, size: int) -> None:
        """Erase a stretch."""
        from esptool.cmds import erase_region

        with explained(self._port):
            erase_region(self._esp, offset, size)

    def write(self, parts: Sequence[Part], progress: Callable[[int], None]) -> None:
        """Write, compressed; esptool compares the MD5 of each part with the flash's."""
        from esptool.cmds import write_flash

        for part in parts:
            done = 0

            def went(at: int, of: int, size: int = len(part.data)) -> None:
                nonlocal done
                now = size * at // max(of, 1)
                progress(max(0, now - done))
                done = max(done, now)

            self._said.progress = went
            with explained(self._port):
                write_flash(self._esp, [(part.offset, part.data)], compress=True)
            self._said.progress = None
            progress(len(part.data) - done)

    def read(self, offset: int, size: int) -> bytes:
        """What the flash holds there; the stub's MD5 is compared with it."""
        from esptool.cmds import read_flash

        with explained(self._port):
            return bytes(read_flash(self._esp, offset, size, no_progress=True))

    def restart(self) -> None:
        """Begin with what was written."""
        from esptool.cmds import reset_chip

        with explained(self._port):
            reset_chip(self._esp, "hard-reset")
