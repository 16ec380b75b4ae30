"""Which firmware a device on USB runs: MicroPython at its prompt, or the Rust firmware behind its ROM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from minerva_hub.errors import UserError

from minerva_tools.usb.board import Board, BoardError, NoPromptError
from minerva_tools.usb.flashing import NoChipError
from minerva_tools.usb.rust_board import NotRustError, RustBoard, rust_board

FIRMWARES: Final = ("auto", "micropython", "rust")
# A MicroPython that does not just start answers at once; one that does gets its time after the ROM was asked.
FIRST_S: Final = (5.0,)
LATER_S: Final = (20.0,)


@contextmanager
def device(port: str, firmware: str = "auto") -> Iterator[Board | RustBoard]:
    """The device at a port, whichever firmware it runs; UserError, PortError, BoardError."""
    if firmware not in FIRMWARES:
        raise UserError(f"firmware is {firmware!r}; it may be {', '.join(FIRMWARES)}")
    with ExitStack() as stack:
        yield _enter(stack, port, firmware)


def _enter(stack: ExitStack, port: str, firmware: str) -> Board | RustBoard:
    if firmware == "rust":
        return stack.enter_context(rust_board(port))
    if firmware == "micropython":
        return stack.enter_context(Board(port))
    try:
        return stack.enter_context(Board(port, patience_s=FIRST_S))
    except NoPromptError:
        pass
    try:
        return stack.enter_context(rust_board(port))
    except (NoChipError, NotRustError) as problem:
        no_rust = problem
    try:
        return stack.enter_context(Board(port, patience_s=LATER_S))
    except NoPromptError as problem:
        raise BoardError(f"{problem}. The chip itself: {no_rust}") from problem


@contextmanager
def at_prompt(port: str, instead: str) -> Iterator[Board]:
    """A device with MicroPython; UserError for one with the Rust firmware: what to do `instead`."""
    with device(port) as found:
        if isinstance(found, RustBoard):
            raise UserError(f"{port}: this {found.name} (MAC {found.mac}) runs the Rust firmware. {instead}")
        yield found
