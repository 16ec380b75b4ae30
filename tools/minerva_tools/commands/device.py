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
    BOARD,
    NO_TOKEN,
    AnyHub,
    Pinned,
    device_id,
    hub_hosts,
    hub_port,
    identity_of,
    paired_settings,
    register,
    registered,
    room_of,
    settings_text,
    unregister,
)

if TYPE_CHECKING:
    from minerva_hub.config import HubConfig

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
    board: Annotated[str, typer.Option(help="Its board; docs/hardware.md has them.")] = BOARD,
    url: Annotated[
        str | None,
        typer.Option(
            help="The hub's address for the device, as wss://192.168.1.5:8443/link; else this machine's.",
            show_default=False,
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            help="With --url wss://: PEM file of the authority to trust; else the hub's own.",
            show_default=False,
        ),
    ] = None,
    server_name: Annotated[
        str | None,
        typer.Option(
            help="With --url wss://: name in the certificate; else the hub's own.", show_default=False
        ),
    ] = None,
) -> None:
    """Register a device and print its settings.json with the token, which is shown this once."""
    device, place = device_id(name), room_of(name if room is None else room)
    if (ca or server_name) and not (url or "").startswith("wss://"):
        raise UserError("--ca and --server-name are for a --url wss://ADDRESS/link that is not the hub's own")
    host, port = _hub(loaded.config) if url is None else ("", 0)
    authority = None if ca is None else _certificate(ca)

    def settings(hub: Pinned, token: str) -> dict[str, Any]:
        if url is None:
            return paired_settings(hub, device=device, board=board, host=host, port=port, token=token)
        pinned = (authority or hub.ca_pem) if url.startswith("wss://") else ""
        return {
            "version": 1,
            "device": device,
            "board": board,
            "url": url,
            "server_name": server_name or hub.server_name,
            "ca": pinned,
            "token": token,
            "ceiling": "speech",
        }

    settings_text(settings(AnyHub(), NO_TOKEN))
    identity = identity_of(loaded.config)
    token, _ = asyncio.run(register(loaded.config, device, place))
    print(
        f"Device {device} is registered for the room {place!r}. Put this on it as settings.json; the token "
        "is not kept here and cannot be shown again:",
        file=sys.stderr,
    )
    print(settings_text(settings(identity, token)).decode(), end="")


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


def _certificate(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"--ca {path}: cannot be read as a PEM certificate: {problem}") from problem


def _hub(config: HubConfig) -> tuple[str, int]:
    """Where the network finds this hub."""
    for_this_machine = (
        "; for a device on this machine give --url ws://127.0.0.1:PORT/link with the port of plain HTTP"
    )
    try:
        port = hub_port(config)
    except UserError as problem:
        raise UserError(f"{problem}{for_this_machine}") from problem
    hosts = hub_hosts(config)
    if not hosts:
        raise UserError(
            "this machine has no address on a network now; say where devices find it with --url "
            f"wss://ADDRESS:{port}/link{for_this_machine}"
        )
    return hosts[0], port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
