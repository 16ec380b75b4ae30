"""An update server alone: the real store, fleet, rollouts and DDI resources, without the link."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from minerva_hub import ddi
from minerva_hub.auth import Access, hash_token
from minerva_hub.bus import Bus
from minerva_hub.events import Artifact, DeviceRecord, NewRelease, Release, Rollout
from minerva_hub.fleet import Fleet
from minerva_hub.rollouts import Plan, Rollouts, Target
from minerva_hub.rollouts.shelf import FILES, Shelf
from minerva_hub.store import Store
from yarl import URL

Answer = tuple[int, Any]


@dataclass
class UpdateServer:
    """Everything a test touches; device `d0` has the token `token-d0`."""

    store: Store
    bus: Bus
    fleet: Fleet
    rollouts: Rollouts
    shelf: Shelf
    client: TestClient[web.Request, web.Application]

    async def add_devices(self, *ids: str) -> None:
        for id_ in ids:
            await self.store.add_device(
                DeviceRecord(id=id_, room=id_.title(), token_hash=hash_token(f"token-{id_}"), created_ms=0)
            )
        await self.fleet.refresh()

    async def add_release(self, version: str = "0.2.0", bundle: bytes = b"files" * 100) -> Release:
        """A release whose files are there; nobody checks its signature."""
        texts = (f'{{"version":"{version}"}}'.encode(), b'{"format":1}', bundle)
        incoming = self.shelf.incoming()
        for name, data in zip(FILES, texts, strict=True):
            (incoming / name).write_bytes(data)
        digest = hashlib.sha256(texts[0]).hexdigest()
        self.shelf.keep(incoming, digest)
        return await self.store.updates.add_release(
            new_release(version, digest, dict(zip(FILES, texts, strict=True)))
        )

    async def start(self, release: Release, devices: Sequence[str] | None = None, **plan: Any) -> Rollout:
        target = Target(devices=None if devices is None else tuple(devices))
        return await self.rollouts.start(release.id, target, Plan(**plan))

    async def ask(
        self, device: str, path: str = "", method: str = "GET", token: str | None = None, **kwargs: Any
    ) -> aiohttp.ClientResponse:
        headers = {"Authorization": f"TargetToken {token or 'token-' + device}"} | kwargs.pop("headers", {})
        where = URL(path).raw_path if path.startswith("http") else f"/default/controller/v1/{device}{path}"
        return await self.client.request(method, where, headers=headers, **kwargs)

    async def base(self, device: str) -> dict[str, Any]:
        return dict(await (await self.ask(device)).json(content_type=None))

    async def links(self, device: str) -> dict[str, str]:
        return {name: link["href"] for name, link in (await self.base(device))["_links"].items()}

    async def take(self, device: str) -> int:
        """Fetch what is offered; the action."""
        link = (await self.links(device))["deploymentBase"]
        answer = await self.ask(device, link)
        assert answer.status == 200
        return int((await answer.json(content_type=None))["id"])

    async def say(
        self, device: str, action: int, execution: str, finished: str = "none", *,
        about: str = "deploymentBase", details: Sequence[str] = (), **progress: int,
    ) -> int:  # fmt: skip
        result: dict[str, Any] = {"finished": finished}
        if progress:
            result["progress"] = progress
        body = {"status": {"execution": execution, "result": result, "details": list(details)}}
        return (await self.ask(device, f"/{about}/{action}/feedback", "POST", json=body)).status

    async def update(self, device: str, finished: str = "success") -> None:
        """All that a device does for one update."""
        action = await self.take(device)
        assert await self.say(device, action, "proceeding", cnt=1, of=2) == 200
        assert await self.say(device, action, "closed", finished) == 200

    async def rollout(self, id_: int) -> Rollout:
        (found,) = await self.store.updates.rollouts(id_=id_)
        return found

    async def states(self, rollout: int) -> dict[str, str]:
        found = await self.store.updates.actions(rollout=rollout, limit=10_000)
        return {action.device: action.state for action in found}


def new_release(version: str, digest: str, files: dict[str, bytes]) -> NewRelease:
    now = int(time.time())
    artifacts = tuple(
        Artifact(
            filename=name,
            size=len(data),
            sha1=hashlib.sha1(data).hexdigest(),
            md5=hashlib.md5(data).hexdigest(),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        for name, data in files.items()
    )
    return NewRelease(
        name="minerva", version=version, security_version=1, kind="application", variant="micropython",
        boards=("virtual",), abi="source", created_s=now, expires_s=now + 3600, signers=("0" * 16,), files=1,
        size=sum(map(len, files.values())), digest=digest, added_ms=now * 1000, artifacts=artifacts,
    )  # fmt: skip


@asynccontextmanager
async def update_server(folder: Path) -> AsyncIterator[UpdateServer]:
    """The update server on a free port of loopback; its campaigns do not run by themselves."""
    store = await Store.open(folder)
    bus = Bus()
    fleet = Fleet(store, bus)
    rollouts = Rollouts(store, bus, fleet)
    shelf = Shelf(folder / "releases")
    shelf.open()
    app = web.Application()
    ddi.setup(app, store=store, fleet=fleet, tokens=Access.of(store).tokens, rollouts=rollouts, shelf=shelf)
    async with TestClient(TestServer(app)) as client:
        yield UpdateServer(store, bus, fleet, rollouts, shelf, client)
    await store.close()
