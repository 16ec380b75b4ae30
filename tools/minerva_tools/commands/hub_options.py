"""The options of commands that speak to a hub: where it is, and who asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from minerva_tools.rest import HubAddress

HUB = None
HubOption = Annotated[
    str | None,
    typer.Option(
        "--hub",
        help="The hub's address; else this machine's, at the port of its settings.",
        envvar="MINERVA_HUB",
        show_default=False,
    ),
]
CaOption = Annotated[
    Path | None,
    typer.Option("--ca", help="PEM file of the hub's authority, for https://.", show_default=False),
]
PasswordOption = Annotated[
    Path | None,
    typer.Option(help="File whose first line is the owner's password, for https://.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def _local_hub() -> str:
    """The plain address of the hub on this machine, by its settings file and environment. ConfigError."""
    import os

    from minerva_hub.config.loader import find_file, load

    server = load(find_file(os.environ), os.environ, {}).config.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"http://{host}:{server.port}"


def address(url: str | None, ca: Path | None, password_file: Path | None) -> HubAddress:
    """Where the hub is, None: on this machine; UserError when that cannot be."""
    from minerva_tools.commands.release.common import first_line
    from minerva_tools.rest import HubAddress

    return HubAddress(
        url or _local_hub(), ca=ca, password=None if password_file is None else first_line(password_file)
    )


def print_json(value: object) -> None:
    """Print records as JSON."""
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
