"""`minerva release publish`, `trust` and `list`: what the hub keeps."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from minerva_tools.commands.release.common import FolderArgument, first_line

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


def _address(url: str, ca: Path | None, password_file: Path | None) -> HubAddress:
    from minerva_tools.rest import HubAddress

    return HubAddress(url, ca=ca, password=None if password_file is None else first_line(password_file))


def publish(
    folder: FolderArgument, hub: HubOption = HUB, ca: CaOption = None, password_file: PasswordOption = None
) -> None:
    """Give a signed release to the hub, which checks it and offers it to no device before a rollout."""
    from minerva_tools.release import publishing
    from minerva_tools.release.texts import Release

    kept = asyncio.run(publishing.publish(_address(hub, ca, password_file), Release(folder)))
    print(f"{kept.name} {kept.version} is on the hub as release {kept.id}.", file=sys.stderr)
    print(kept.id)


def trust(
    keyset: Annotated[Path, typer.Argument(help="The key set.", show_default=False)],
    hub: HubOption = HUB,
    ca: CaOption = None,
    password_file: PasswordOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Also where another one is trusted.")] = False,
) -> None:
    """Tell the hub whose releases it is to keep; later key sets come with releases."""
    from minerva_tools.release import keys, publishing

    text = keys.load_keyset(keyset).data
    asyncio.run(publishing.trust(_address(hub, ca, password_file), text, replace=replace))
    print(f"The hub keeps what {keyset} allows.", file=sys.stderr)


def list_(
    hub: HubOption = HUB,
    ca: CaOption = None,
    password_file: PasswordOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """List the hub's releases, whose they must be, and what it refused."""
    import msgspec

    from minerva_tools.release import publishing

    found = asyncio.run(publishing.listing(_address(hub, ca, password_file)))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    publishing.show(found)
