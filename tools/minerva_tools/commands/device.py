"""`minerva device`: the registry of devices. The commands that talk to one by USB stand in device_usb.py."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from minerva_hub.errors import UserError

from minerva_tools.options import Loaded, with_settings
from minerva_tools.pairing import (
    NO_TOKEN,
    device_id,
    register,
    registered,
    room_of,
    settings_text,
    unregister,
)

if TYPE_CHECKING:
    from minerva_hub.config import HubConfig

BOARD = "devkitc1_inmp441"

app = typer.Typer(help="Flash, pair, list and remove devices.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help="The device's name.", show_default=False)]


@app.command()
@with_settings("server", "store")
def add(
    name: _Name,
    loaded: Loaded,
    room: Annotated[
        str | None, typer.Option(help="The room it hears; else its name.", show_default=False)
    ] = None,
    board: Annotated[str, typer.Option(help="Its board, a module of device/boards.")] = BOARD,
    url: Annotated[
        str | None,
        typer.Option(help=r"The hub's address for the device; else from \[server].", show_default=False),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="PEM file of the authority to trust, for wss:// only.", show_default=False),
    ] = None,
    server_name: Annotated[
        str | None,
        typer.Option(help="Name in the certificate of wss://; else the hub's own.", show_default=False),
    ] = None,
) -> None:
    """Register a device and print its settings.json with the token, which is shown this once."""
    device, place = device_id(name), room_of(name if room is None else room)
    settings: dict[str, Any] = {
        "version": 1,
        "device": device,
        "board": board,
        "url": _address(loaded.config) if url is None else url,
        "server_name": "hub.minerva" if server_name is None else server_name,
        "ca": "" if ca is None else _certificate(ca),
        "token": NO_TOKEN,
        "ceiling": "speech",
    }
    _check(settings)  # before anything is registered
    settings["token"], hub_id = asyncio.run(register(loaded.config, device, place))
    if server_name is None:
        settings["server_name"] = f"{hub_id}.minerva"
    print(
        f"Device {device} is registered for the room {place!r}. Put this on it as settings.json; the token "
        "is not kept here and cannot be shown again:",
        file=sys.stderr,
    )
    print(json.dumps(settings, indent=2))


@app.command(name="list")
@with_settings("store")
def list_(
    loaded: Loaded, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False
) -> None:
    """List the registered devices."""
    records = asyncio.run(registered(loaded.config))
    if as_json:
        shown = [{"id": r.id, "room": r.room, "created_ms": r.created_ms} for r in records]
        print(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("device", "room", "registered", box=None, pad_edge=False)
    for record in records:
        table.add_row(
            record.id, record.room, time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created_ms / 1000))
        )
    Console().print(table if records else "No devices yet: minerva device add NAME", markup=False)


@app.command()
@with_settings("store")
def remove(name: _Name, loaded: Loaded) -> None:
    """Remove a device: its token is void at once; what it heard stays."""
    device = device_id(name)
    if not asyncio.run(unregister(loaded.config, device)):
        raise UserError(f"there is no device {device!r}; `minerva device list` shows those there are")
    print(f"Device {device} is removed; what it heard stays in the timeline.", file=sys.stderr)


def _check(settings: dict[str, Any]) -> None:
    """UserError where no device could use the settings, in the words of the device itself."""
    try:
        settings_text(settings)
    except UserError as problem:
        encrypted = settings["url"].startswith("wss://")
        hint = " (--ca FILE, --server-name NAME)" if encrypted and not settings["ca"] else ""
        raise UserError(f"{problem}{hint}") from problem


def _certificate(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"--ca {path}: cannot be read as a PEM certificate: {problem}") from problem


def _address(config: HubConfig) -> str:
    host, port = config.server.host, config.server.port
    if port == 0 or host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        raise UserError(
            f"server.host {host!r} and server.port {port} are no address that a device can use; "
            "give --url ws://ADDRESS:PORT/link"
        )
    return f"ws://{f'[{host}]' if ':' in host else host}:{port}/link"
