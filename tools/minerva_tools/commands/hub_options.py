"""The options of commands that speak to a hub: where it is, and who asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from minerva_tools.rest import HubAddress

HUB = "http://127.0.0.1:8484"
HubOption = Annotated[str, typer.Option("--hub", help="The hub's address.", envvar="MINERVA_HUB")]
CaOption = Annotated[
    Path | None,
    typer.Option("--ca", help="PEM file of the hub's authority, for https://.", show_default=False),
]
PasswordOption = Annotated[
    Path | None,
    typer.Option(help="File whose first line is the owner's password, for https://.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def address(url: str, ca: Path | None, password_file: Path | None) -> HubAddress:
    """Where the hub is; UserError when that cannot be."""
    from minerva_tools.commands.release.common import first_line
    from minerva_tools.rest import HubAddress

    return HubAddress(url, ca=ca, password=None if password_file is None else first_line(password_file))


def print_json(value: object) -> None:
    """Print records as JSON."""
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
