"""Gives releases and key sets to a hub, and asks what it has."""

from __future__ import annotations

import time
from contextlib import ExitStack

import aiohttp
import msgspec
from minerva_hub.errors import UserError
from minerva_hub.events import RefusedRelease, TrustedKeys
from minerva_hub.events import Release as OnHub
from minerva_hub.releases import BUNDLE, MANIFEST, SIGNATURE

from minerva_tools.release.texts import Release
from minerva_tools.rest import HubAddress, HubRest

OCTETS = "application/octet-stream"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What a hub has, newest first; whose releases it keeps; what it refused."""

    trusted: TrustedKeys | None
    releases: tuple[OnHub, ...]
    refused: tuple[RefusedRelease, ...]


async def publish(address: HubAddress, release: Release) -> OnHub:
    """Upload the three artifacts; HubRefusedError with the code of docs/ota.md, HubUnreachableError."""
    with ExitStack() as opened:
        form = aiohttp.FormData()
        for name in (MANIFEST, SIGNATURE, BUNDLE):
            path = release.folder / name
            try:
                file = opened.enter_context(path.open("rb"))
            except OSError as problem:
                raise UserError(f"{path}: cannot be read: {problem.strerror}") from problem
            form.add_field(name, file, filename=name, content_type=OCTETS)
        async with HubRest(address) as hub:
            return msgspec.convert(await hub.call("POST", "/api/releases", form=form), OnHub)


async def trust(address: HubAddress, text: bytes, *, replace: bool) -> None:
    """Make the hub trust a key set; HubRefusedError, HubUnreachableError."""
    async with HubRest(address) as hub:
        await hub.call("PUT", "/api/keyset", json={"text": text.decode(), "replace": replace})


async def listing(address: HubAddress) -> Listing:
    """Ask for everything about releases; HubUnreachableError."""
    async with HubRest(address) as hub:
        return Listing(
            trusted=msgspec.convert((await hub.call("GET", "/api/keyset"))["trusted"], TrustedKeys | None),
            releases=msgspec.convert((await hub.call("GET", "/api/releases"))["items"], tuple[OnHub, ...]),
            refused=msgspec.convert(
                (await hub.call("GET", "/api/releases/refused"))["items"], tuple[RefusedRelease, ...]
            ),
        )


def show(found: Listing) -> None:
    """Print it for people."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if found.trusted is None:
        console.print("The hub trusts no keys yet: minerva release trust keys.json", markup=False)
    else:
        keys = found.trusted
        console.print(
            f"Key set {keys.version}: {keys.threshold} of {', '.join(keys.keys)} must sign.",
            markup=False,
            highlight=False,
        )
    table = Table("id", "version", "what", "boards", "runs on", "expires", "bytes", box=None, pad_edge=False)
    for one in found.releases:
        expires = time.strftime("%Y-%m-%d", time.gmtime(one.expires_s))
        what = f"{one.variant} {one.kind}"
        cells = (str(one.id), one.version, what, ", ".join(one.boards), one.abi, expires, f"{one.size:,}")
        table.add_row(*map(escape, cells))
    console.print(table if found.releases else "No releases yet: minerva release publish FOLDER")
    for gone in found.refused:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(gone.at_ms / 1000))
        name = f"{gone.name} {gone.version}".strip() or "an upload"
        console.print(f"{when} refused {name}: {gone.message} ({gone.code})", markup=False, highlight=False)
