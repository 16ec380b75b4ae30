"""`minerva release publish`, `trust` and `list`: what the hub keeps."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from minerva_tools.commands.hub_options import (
    HUB,
    CaOption,
    HubOption,
    JsonOption,
    PasswordOption,
    address,
    print_json,
)
from minerva_tools.commands.release.common import FolderArgument


def publish(
    folder: FolderArgument, hub: HubOption = HUB, ca: CaOption = None, password_file: PasswordOption = None
) -> None:
    """Give a signed release to the hub, which checks it and offers it to no device before a rollout."""
    from minerva_tools.release import publishing
    from minerva_tools.release.texts import Release

    kept = asyncio.run(publishing.publish(address(hub, ca, password_file), Release(folder)))
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
    asyncio.run(publishing.trust(address(hub, ca, password_file), text, replace=replace))
    print(f"The hub keeps what {keyset} allows.", file=sys.stderr)


def list_(
    hub: HubOption = HUB,
    ca: CaOption = None,
    password_file: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the hub's releases, whose they must be, and what it refused."""
    from minerva_tools.release import publishing

    found = asyncio.run(publishing.listing(address(hub, ca, password_file)))
    if as_json:
        print_json(found)
        return
    publishing.show(found)
