"""`minerva identity`: the hub's certificate authority, which devices trust, and its server certificate."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from minerva_hub.errors import UserError

from minerva_tools.options import Loaded, with_settings

if TYPE_CHECKING:
    from minerva_hub.auth import Identity
    from minerva_hub.config import HubConfig

app = typer.Typer(help="The hub's certificates: what devices and browsers know it by.", no_args_is_help=True)


@app.command()
@with_settings("server", "store")
def show(
    loaded: Loaded,
    ca: Annotated[
        bool, typer.Option("--ca", help="Print the authority's certificate (PEM), no more.")
    ] = False,
) -> None:
    """Show the names and fingerprints, to compare with what a browser shows before you go on."""
    identity, _ = _open(loaded.config)
    if ca:
        print(identity.ca_pem, end="")
        return
    print(f"hub        {identity.server_name}")
    print(f"names      {' '.join(identity.names)}")
    print(f"authority  SHA-256 {identity.ca_fingerprint}")
    print(f"server     SHA-256 {identity.server_fingerprint}")


@app.command()
@with_settings("server", "store")
def renew(loaded: Loaded) -> None:
    """Make a new server key of the same authority. Devices notice nothing, browsers ask once more."""
    from minerva_hub.auth import Identity

    identity, folder = _open(loaded.config)
    Identity.renew(folder, identity.server_name.partition(".")[0])
    print("The hub has a new server key; restart it to use that.", file=sys.stderr)


@app.command()
@with_settings("server", "store")
def rotate(
    loaded: Loaded,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: every device must be paired again.")] = False,
) -> None:
    """Make a new authority, because the old keys may be known: every device must be paired again by USB."""
    from minerva_hub.auth import Identity

    identity, folder = _open(loaded.config)
    if not yes:
        raise UserError(
            "no device will trust this hub until it is paired again by USB (minerva device pair), and a hub "
            "that runs keeps its old certificate until it is restarted; say --yes to do it"
        )
    Identity.rotate(folder, identity.server_name.partition(".")[0])
    print(
        "The hub has a new authority. Restart it, and pair every device again by USB: until then they stay "
        "away. Browsers ask once more.",
        file=sys.stderr,
    )


def _open(config: HubConfig) -> tuple[Identity, Path]:
    """The identity as it is, made where there is none yet, and its folder."""
    from minerva_hub.auth import Identity, own_names
    from minerva_hub.auth.identity import AUTHORITY, FOLDER

    folder = config.store.path / FOLDER
    names = None if (folder / AUTHORITY).exists() else own_names(config.server.names)
    return Identity.open(folder, asyncio.run(_hub_id(config)), names), folder


async def _hub_id(config: HubConfig) -> str:
    from minerva_hub.store import Store

    store = await Store.open(config.store.path)
    try:
        return store.hub_id
    finally:
        await store.close()
