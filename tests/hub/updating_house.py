"""A real hub with devices that speak DDI to it, and releases that the owner's tools built and signed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
from ddi_hub import UpdateServer
from link_hub import a_hub
from linkpeer import LinkPeer
from minerva_hub.app import Hub
from minerva_tools.release import keys, signing
from minerva_tools.release.building import Description, build
from minerva_tools.release.files import Content
from minerva_tools.release.texts import Release

PASSPHRASE = "correct horse battery"
FILES = {"minerva/app.py": b"print('hello')\n" * 50, "minerva/empty.py": b""}


class Owner:
    """Somebody with a key: builds and signs releases as `minerva release` does."""

    def __init__(self, folder: Path, name: str = "owner") -> None:
        self._folder = folder
        self.public = keys.load_public(keys.generate(folder / f"{name}.pem", PASSPHRASE))
        self._key = keys.load(folder / f"{name}.pem", PASSPHRASE)
        self.id = signing.key_id(self._key)
        self.keyset = keys.keyset_text(1, 1, [self.public]).decode()

    def release(self, version: str = "0.2.0") -> Release:
        """The three files in a folder."""
        created = int(time.time()) - 60
        made, _ = build(
            self._folder / f"{self.id}-{version}",
            Description(
                version=version, security_version=1, kind="application", variant="micropython",
                boards=("virtual",), created=created, expires=created + 86_400, keys=(self.id,),
            ),
            Content("source", FILES),
        )  # fmt: skip
        signing.sign_release(made, self._key)
        return made


def files(release: Release) -> list[str]:
    """Their paths, as one chooses them in a browser."""
    return [str(release.folder / name) for name in ("files.bin", "manifest.sig", "manifest.json")]


@dataclass
class House:
    """A hub at `url`; `peer` adds devices and speaks DDI for them, over HTTP."""

    hub: Hub
    url: str
    peer: UpdateServer
    session: aiohttp.ClientSession

    async def trust(self, owner: Owner) -> None:
        async with self.session.put("/api/keyset", json={"text": owner.keyset}) as response:
            assert response.status == 200

    async def publish(self, release: Release) -> int:
        """Upload it as programs do; its number."""
        form = aiohttp.FormData()
        for path in (release.manifest, release.signature, release.bundle):
            form.add_field(path.name, path.read_bytes(), filename=path.name)
        async with self.session.post("/api/releases", data=form) as response:
            assert response.status == 200, await response.text()
            return int((await response.json())["id"])

    async def start(self, release: int, **plan: Any) -> int:
        """Begin a rollout to all devices; its number."""
        async with self.session.post("/api/rollouts", json={"release": release, "plan": plan}) as response:
            assert response.status == 200, await response.text()
            return int((await response.json())["id"])

    async def link(self, device: str, **hello: Any) -> LinkPeer:
        """A device's link, after its hello."""
        peer = await LinkPeer(self.session, self.url).connect()
        welcome = await peer.hello(device=device, token=f"token-{device}", **hello)
        assert welcome["type"] == "welcome", welcome
        return peer


@asynccontextmanager
async def updating_house(folder: Path, *, tls: bool = False) -> AsyncIterator[House]:
    """A hub without devices; its campaigns run. `url` is loopback's also with `tls`."""
    async with a_hub(folder, tls=tls) as (hub, address):
        for record in await hub.store.devices():
            await hub.store.remove_device(record.id)
        await hub.fleet.refresh()
        async with aiohttp.ClientSession(base_url=address) as session:
            # A session asks as a test client does.
            peer = UpdateServer(hub.store, hub.bus, hub.fleet, hub.rollouts, hub.shelf, cast(Any, session))
            yield House(hub, address, peer, session)
