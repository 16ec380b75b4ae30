"""`minerva owner`: the owner's password and logins, for the network's side of the hub."""

from __future__ import annotations

import asyncio
import getpass
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from minerva_hub.errors import UserError

from minerva_tools.options import Loaded, with_settings

if TYPE_CHECKING:
    from minerva_hub.config import HubConfig
    from minerva_hub.events import Login
    from minerva_hub.store import Store

MAX_LINE = 4096  # bytes read of stdin; a password has 256 characters at most

app = typer.Typer(help="The owner's password and logins.", no_args_is_help=True)


@app.command()
@with_settings("store")
def password(
    loaded: Loaded,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read it from standard input, one line.")] = False,
) -> None:
    """Set the password that browsers and programs on the network need; all logins end."""
    ended = asyncio.run(_set_password(loaded.config, _from_stdin() if stdin else _asked()))
    was = f"; {ended} login{'s' if ended != 1 else ''} ended" if ended else ""
    print(f"The owner's password is set{was}. A hub that runs asks for it from now on.", file=sys.stderr)


@app.command()
@with_settings("store")
def logins(loaded: Loaded) -> None:
    """List who is logged in."""
    found = asyncio.run(_logins(loaded.config))
    from rich.console import Console
    from rich.table import Table

    table = Table("address", "since", "until", "with", box=None, pad_edge=False)
    for login in found:
        table.add_row(login.address, _when(login.created_ms), _when(login.expires_ms), login.agent)
    Console().print(table if found else "Nobody is logged in from the network.", markup=False)


@app.command()
@with_settings("store")
def logout(loaded: Loaded) -> None:
    """End all logins: every browser needs the password again."""
    ended = asyncio.run(_logout(loaded.config))
    print(f"{ended} login{'s' if ended != 1 else ''} ended.", file=sys.stderr)


def _asked() -> str:
    if not sys.stdin.isatty():
        raise UserError("there is no terminal to ask for the password; give it by --stdin")
    first = getpass.getpass("The owner's new password: ")
    if getpass.getpass("The same again: ") != first:
        raise UserError("the two are not the same; nothing was changed")
    return first


def _from_stdin() -> str:
    raw = sys.stdin.buffer.readline(MAX_LINE + 1)
    if len(raw) > MAX_LINE:
        raise UserError(f"the line on standard input has more than {MAX_LINE} bytes: that is no password")
    try:
        return raw.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise UserError("the line on standard input is not UTF-8") from None


def _when(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(ms / 1000))


@asynccontextmanager
async def _store(config: HubConfig) -> AsyncIterator[Store]:
    from minerva_hub.store import Store

    store = await Store.open(config.store.path)
    try:
        yield store
    finally:
        await store.close()


async def _set_password(config: HubConfig, new: str) -> int:
    from minerva_hub.auth import Access

    async with _store(config) as store:
        return await Access.of(store).owner.set(new)


async def _logins(config: HubConfig) -> list[Login]:
    from minerva_hub.auth import Access

    async with _store(config) as store:
        return await Access.of(store).sessions.all()


async def _logout(config: HubConfig) -> int:
    async with _store(config) as store:
        return await store.logins.remove_all()
