"""A device's MicroPython prompt over USB: facts, files by hash, restart. mpremote does the talking.

    with Board(port) as board:          # stops the application; PortError, BoardError
        board.facts; board.files("dev"); board.write("settings.json", data); board.restart()

What runs there is data/device_usb.py. A file is written beside the one it replaces, read back from the
flash, and takes its place only if it holds what was sent.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from types import TracebackType
from typing import Any, Final, NamedTuple

from minerva_hub.errors import MinervaError
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from minerva_tools.usb.ports import PortError, problem_of

# For the prompt, at each attempt: a device that just restarts misses the first, and boot.py hashes a slot.
PROMPT_S: Final = (5.0, 20.0)
ANSWER_S: Final = 60.0  # between two signs of life of a command: hashing a large file is one
BYTE_S: Final = 5.0  # for what the prompt's protocol answers at once
PIECE: Final = 1024  # bytes in a command: it is parsed in the device's memory, at a third more
MAX_TEXT: Final = 32_768  # of a file that is read back
# sys.implementation._mpy >> 10, as MicroPython's py/persistentcode.h numbers what mpy-cross calls -march.
_ARCHITECTURES: Final = (
    "",
    "x86",
    "x64",
    "armv6",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
    "rv32imc",
)

Progress = Callable[[int], None]  # bytes more that were written


class BoardError(MinervaError):
    """The device does not do what was asked; the text says what and, where one knows, why."""


class NoPromptError(BoardError):
    """Nothing answers as MicroPython's prompt does."""


class FileState(NamedTuple):
    """A file on the flash: bytes, SHA-256 in hex."""

    size: int
    digest: str


@dataclass(frozen=True)
class Facts:
    """What a device says of itself. `record` is the boot record, `keys` the text of its key set."""

    implementation: str
    version: str
    machine: str
    mpy: int
    platform: str
    free_bytes: int
    flash_bytes: int
    id: str
    running: str | None
    record: dict[str, Any] | None
    lost: bool
    keys: str | None
    root: tuple[str, ...]

    @property
    def architecture(self) -> str | None:
        """What mpy-cross calls its processor; None: it takes no native code."""
        number = self.mpy >> 10
        return _ARCHITECTURES[number] if 0 < number < len(_ARCHITECTURES) else None

    @property
    def abi(self) -> str | None:
        """As the manifests of compiled releases say it; None: it loads source only."""
        if not self.mpy or self.architecture is None:
            return None
        return f"mpy{self.mpy & 0xFF}.{self.mpy >> 8 & 3}-{self.architecture}"


def device_code() -> str:
    """What is sent to the prompt, without its comments and docstrings."""
    import ast

    tree = ast.parse((package_files("minerva_tools") / "data" / "device_usb.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


class Board:
    """A device at its prompt, within its context; at the end it stays there unless `restart` was called."""

    def __init__(self, port: str, *, patience_s: Sequence[float] | None = None) -> None:
        self.port = port
        self._patience_s = PROMPT_S if patience_s is None else patience_s
        self._facts: Facts | None = None

    def __enter__(self) -> Board:
        try:
            self._transport = SerialTransport(self.port, timeout=BYTE_S)
        except TransportError as problem:
            raise problem_of(self.port) from problem
        try:
            self._enter(soft_reset=True)
            self.run(device_code())
            self.run("_m_calm()")
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _enter(self, *, soft_reset: bool) -> None:
        """Come to the raw prompt, after Ctrl-C and, with `soft_reset`, in a fresh interpreter."""
        said = io.StringIO()  # mpremote prints what it did not expect
        problem: TransportError | None = None
        for patience_s in self._patience_s:
            with self._talking(), contextlib.redirect_stdout(said):
                try:
                    self._transport.enter_raw_repl(soft_reset, timeout_overall=patience_s)
                    return
                except TransportError as reason:
                    problem = reason
        heard = " ".join(line for line in said.getvalue().split() if line != "b''")[:200]
        raise NoPromptError(
            f"{self.port}: no MicroPython prompt within {sum(self._patience_s):g} s. Nothing flashed yet? "
            "minerva device flash. Otherwise press its reset button, run this again"
            + (f" (it said {heard})" if heard else "")
        ) from problem

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # it was pulled out, or restarts
            self._transport.close()

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """BoardError for a device that was pulled out, restarted or fell silent."""
        try:
            yield
        except (OSError, struct.error) as problem:
            raise BoardError(
                f"{self.port}: the device went away in the middle ({problem}); plug it in and run this again"
            ) from problem

    def run(self, code: str) -> str:
        """What `code` prints there; BoardError with the device's own words when it fails."""
        with self._talking():
            try:
                out, problem = self._transport.exec_raw(code, timeout=ANSWER_S)
            except TransportError as reason:
                raise BoardError(
                    f"{self.port}: the device fell silent ({reason}); plug it in again and run this again"
                ) from reason
        if problem:
            raise _refusal(self.port, problem.decode(errors="replace"))
        return str(out.decode(errors="replace"))

    @property
    def facts(self) -> Facts:
        """What the device is; asked once, and after `look` again."""
        if self._facts is None:
            said = _json(self.run("_m_facts()"), self.port)
            said["root"] = tuple(said["root"])
            self._facts = Facts(**said)
        return self._facts

    def look(self) -> None:
        """Forget the facts: something changed them."""
        self._facts = None

    def files(self, folder: str) -> dict[str, FileState]:
        """All files below a folder, by their path in it; empty where it is missing."""
        return self._states(f"_m_list({folder!r})")

    def named(self, paths: Sequence[str]) -> dict[str, FileState]:
        """Those of `paths` that are there."""
        return self._states(f"_m_files({list(paths)!r})")

    def _states(self, code: str) -> dict[str, FileState]:
        lines = (_json(line, self.port) for line in self.run(code).splitlines())
        return {path: FileState(size, digest) for path, size, digest in lines}

    def read(self, path: str) -> bytes | None:
        """A small file; None where it is missing."""
        text = self.run(f"_m_text({path!r}, {MAX_TEXT})").strip()
        return bytes.fromhex(text) if text or path in self.named([path]) else None

    def write(self, path: str, data: bytes, progress: Progress | None = None) -> None:
        """Write a file whole or not at all; BoardError: the flash is full, or does not hold what was sent."""
        self.run(f"_m_begin({path!r})")
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            self.run(f"_m_add({base64.b64encode(piece)!r})")
            if progress is not None:
                progress(len(piece))
        self.run(f"_m_end({path!r}, {len(data)}, {hashlib.sha256(data).hexdigest()!r})")

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder; nothing there is fine."""
        self.run(f"_m_remove({path!r})")

    def talk(self) -> None:
        """Join the terminal and the prompt until Ctrl-]; BoardError: the device went away."""
        from mpremote.console import Console

        with self._talking():
            self._transport.exit_raw_repl()
            console = Console()
            console.enter()
            try:
                while True:
                    console.waitchar(self._transport.serial)
                    typed = console.readchar()
                    if typed == b"\x1d":
                        break
                    if typed:
                        self._transport.serial.write(typed)
                    waiting = self._transport.serial.inWaiting()
                    if waiting:
                        console.write(self._transport.serial.read(waiting))
            finally:
                console.exit()
            self._enter(soft_reset=False)

    def restart(self) -> None:
        """Begin anew with boot.py, as after plugging in. Nothing can be asked afterwards."""
        with self._talking():
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")


def _json(text: str, port: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as problem:
        heard = text[:200]
        raise BoardError(f"{port}: the device answers with {heard!r}; run this again") from problem


def _refusal(port: str, trace: str) -> BoardError:
    """A device's traceback in words."""
    lines = trace.strip().splitlines() or ["nothing"]
    last = lines[-1].removeprefix("OSError: ").removeprefix("ValueError: ")
    if "ENOSPC" in last or last == "28":
        return BoardError(
            f"{port}: the device's flash is full; what ran before still does. Remove files of your own there "
            "(minerva device shell), or flash it anew with --erase"
        )
    if last.startswith("hash of "):
        return BoardError(
            f"{port}: the flash does not hold what was sent ({last}); what was there before still is. Run "
            "this again; if it goes on, the flash or the cable is bad"
        )
    return BoardError(f"{port}: the device says: {last}")


__all__ = ["Board", "BoardError", "Facts", "FileState", "PortError", "Progress"]
