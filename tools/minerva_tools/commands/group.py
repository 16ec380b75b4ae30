"""`minerva group`: devices that are updated together."""

from __future__ import annotations

import asyncio
import sys
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

app = typer.Typer(help="Name devices that are updated together.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help="The group's name: a-z, 0-9 and hyphens.", show_default=False)]


@app.command(name="set")
def set_(
    name: _Name,
    devices: Annotated[list[str], typer.Argument(help="Its devices.", show_default=False)],
    hub: HubOption = HUB,
    ca: CaOption = None,
    password_file: PasswordOption = None,
) -> None:
    """Make a group of these devices, in the place of those it had."""
    from minerva_tools.rollouts import asking, showing

    made = asyncio.run(asking.set_group(address(hub, ca, password_file), _checked(name), devices))
    showing.show_groups([made])


@app.command(name="list")
def list_(
    hub: HubOption = HUB,
    ca: CaOption = None,
    password_file: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the groups and their devices."""
    from minerva_tools.rollouts import asking, showing

    found = asyncio.run(asking.groups(address(hub, ca, password_file)))
    if as_json:
        print_json(found)
    else:
        showing.show_groups(found)


@app.command()
def remove(
    name: _Name, hub: HubOption = HUB, ca: CaOption = None, password_file: PasswordOption = None
) -> None:
    """Forget a group; its devices stay."""
    from minerva_tools.rollouts import asking

    asyncio.run(asking.remove_group(address(hub, ca, password_file), _checked(name)))
    print(f"Group {name} is gone; its devices stay.", file=sys.stderr)


def _checked(name: str) -> str:
    """A name that can stand in a path; the hub checks the rest."""
    from minerva_hub.errors import UserError

    if not name or not name.isascii() or not name.replace("-", "").isalnum():
        raise UserError(f"the group's name {name!r} has more than a-z, 0-9 and hyphens")
    return name
