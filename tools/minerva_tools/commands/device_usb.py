"""`minerva device ports | deploy | info | logs | shell`: a device on USB, through its MicroPython prompt."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from minerva_hub.errors import UserError

if TYPE_CHECKING:
    from minerva_tools.usb.ports import Port

PortOption = Annotated[
    str | None,
    typer.Option("--port", help="Its serial port; else the only one there is.", show_default=False),
]
FirmwareOption = Annotated[
    str, typer.Option("--firmware", help="What it runs: micropython or rust; auto asks the device.")
]
_NO_FILES = (
    "It has no application to deploy: it comes as a whole, by USB (minerva device flash IMAGE --bootloader "
    "FILE) or over the air (minerva release build --image IMAGE, then minerva rollout start; docs/ota.md)"
)
_NO_PROMPT = (
    "It has no prompt; minerva device logs shows what it says, minerva device info what is in its flash"
)


def port_of(given: str | None) -> str:
    """The port given, the only one, or the one that somebody at the terminal picks."""
    from minerva_tools.usb.ports import choose

    return choose(given, ask=_ask if at_terminal() else None)


def at_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def picked(lines: Sequence[str], question: str) -> int:
    """The index of the line that somebody at the terminal picks; UserError."""
    for number, line in enumerate(lines, 1):
        print(f"{number}  {line}", file=sys.stderr)
    found: int = typer.prompt(question, type=int, err=True)
    if not 1 <= found <= len(lines):
        raise UserError(f"there is no number {found}; there are 1 to {len(lines)}")
    return found - 1


def _ask(ports: Sequence[Port]) -> int:
    return picked([f"{port.path}  {port.description}" for port in ports], "Which one")


def ports() -> None:
    """List the USB serial ports."""
    from minerva_tools.usb.ports import usb_ports

    found = usb_ports()
    for port in found:
        print(f"{port.path}  {port.description}")
    if not found:
        print(
            "There is no serial port on USB. Look at the cable (it must carry data, many only charge), at "
            "the board's other socket if it has two, and at the virtual machine, if this is one",
            file=sys.stderr,
        )


def deploy(
    port: PortOption = None,
    board: Annotated[
        str | None,
        typer.Option(help="Take the pins of this board only; else those of its settings, else all."),
    ] = None,
    source: Annotated[
        bool, typer.Option("--source", help="Copy the sources as they are, without compiling.")
    ] = False,
    allow_dev: Annotated[
        bool, typer.Option("--allow-dev", help="Let this device run unsigned code from now on; said once.")
    ] = False,
    forbid_dev: Annotated[
        bool, typer.Option("--forbid-dev", help="Never let it again: signed releases only, for good.")
    ] = False,
    release: Annotated[
        Path | None,
        typer.Option(help="Install this signed release instead of the application here.", show_default=False),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="The key set that signs releases for it.", show_default=False)
    ] = None,
) -> None:
    """Put the application on a device: compiled, only what changed, checked there, then restarted."""
    from minerva_tools.release.keys import load_keyset
    from minerva_tools.usb import deploying
    from minerva_tools.usb.finding import at_prompt
    from minerva_tools.usb.progress import bar

    if release is not None and (source or allow_dev or board):
        raise UserError(
            "--release installs what is in it; --source, --board and --allow-dev are for the slot dev"
        )
    if release is not None and keys is None:
        raise UserError("--release needs --keys FILE, the key set that the device is to trust")
    if forbid_dev and allow_dev:
        raise UserError("--allow-dev and --forbid-dev exclude one another")
    if keys is not None and release is None:
        raise UserError(
            f"--keys {keys} is for a signed release: add --release FOLDER. Without it "
            + ("nothing is installed" if forbid_dev else "the unsigned slot dev would be filled")
        )
    if forbid_dev and release is None and (source or board is not None):
        raise UserError("--forbid-dev installs nothing; --source and --board are for the slot dev")
    with at_prompt(port_of(port), _NO_FILES) as device:
        done = None
        if release is not None and keys is not None:
            done = deploying.install_release(device, deploying.load_release(release), load_keyset(keys), bar)
        elif not forbid_dev:
            boards = deploying.chosen_board(device, board)
            content = deploying.application(device, boards, source=source)
            done = deploying.deploy_dev(device, content, boards, allow=allow_dev, bar=bar)
        if forbid_dev:
            deploying.forbid_dev(device, bar)
        device.restart()
    if done is not None:
        print(
            f"Slot {done.slot} ({done.abi}): {done.copied} of {done.of} files copied, {done.bytes} bytes, "
            f"{done.removed} removed; all hashes are right. The device restarts.",
            file=sys.stderr,
        )
    if forbid_dev:
        print("The slot dev is forbidden on this device for good.", file=sys.stderr)


def info(
    port: PortOption = None,
    firmware: FirmwareOption = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Show what a device is and runs, without its secrets. It restarts afterwards."""
    from minerva_tools.usb import finding
    from minerva_tools.usb.information import lines, shown

    with finding.device(port_of(port), firmware) as device:
        found = shown(device)
        device.restart()
    print(json.dumps(found, ensure_ascii=False, indent=2) if as_json else "\n".join(lines(found)))


def logs(
    port: PortOption = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Restart it first, to see how it begins.")
    ] = False,
) -> None:
    """Show what a device says, until Ctrl-C; it goes on as it is."""
    from minerva_tools.usb import finding
    from minerva_tools.usb.console import listen

    path = port_of(port)
    if restart:
        with finding.device(path) as device:
            device.restart()
    listen(path, sys.stdout.buffer)


def shell(port: PortOption = None) -> None:
    """Stop the application and type at the device's prompt; it restarts at the end (Ctrl-])."""
    from minerva_tools.usb.finding import at_prompt

    path = port_of(port)
    with at_prompt(path, _NO_PROMPT) as device:
        print("MicroPython's prompt. Ctrl-] ends it, and the device restarts.", file=sys.stderr)
        device.talk()
        device.restart()
