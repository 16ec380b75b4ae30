"""The update server as the network reaches it: over TLS, with a device's token and nothing of the owner's."""

from __future__ import annotations

from pathlib import Path

from ddi_hub import new_release
from link_hub import a_hub
from minerva_hub.rollouts import Plan, Target
from minerva_hub.rollouts.shelf import FILES
from network_peer import network_peer

ROOT = "/default/controller/v1/kitchen"
TOKEN = {"Authorization": "TargetToken secret"}


async def test_a_device_is_served_over_tls(tmp_path: Path) -> None:
    async with a_hub(tmp_path, tls=True) as (hub, _), network_peer(hub) as peer:
        incoming = hub.shelf.incoming()
        for name in FILES:
            (incoming / name).write_bytes(name.encode())
        hub.shelf.keep(incoming, "d" * 64)
        contents = {name: name.encode() for name in FILES}
        release = await hub.store.updates.add_release(new_release("0.2.0", "d" * 64, contents))
        await hub.fleet.refresh()
        await hub.rollouts.start(release.id, Target(devices=("kitchen",)), Plan())
        assert await peer.status("GET", ROOT) == 401
        assert await peer.status("GET", ROOT, headers={"Authorization": "TargetToken wrong"}) == 401
        async with peer.ask("GET", ROOT, headers=TOKEN) as answer:
            links = (await answer.json(content_type=None))["_links"]
            assert "Content-Security-Policy" not in answer.headers  # devices count every byte
        assert links["deploymentBase"]["href"].startswith(f"{peer.address}{ROOT}/deploymentBase/")
        path = links["deploymentBase"]["href"].removeprefix(peer.address)
        async with peer.ask("GET", path, headers=TOKEN) as answer:
            (chunk,) = (await answer.json(content_type=None))["deployment"]["chunks"]
        for artifact in chunk["artifacts"]:
            assert list(artifact["_links"]) == ["download"]
            where = artifact["_links"]["download"]["href"].removeprefix(peer.address)
            async with peer.ask("GET", where, headers=TOKEN | {"Range": "bytes=2-"}) as answer:
                assert (answer.status, await answer.read()) == (206, artifact["filename"].encode()[2:])
        for path in ("/api/rollouts", "/api/releases", "/api/devices/kitchen/updates"):
            assert await peer.status("GET", path, headers=TOKEN) == 401  # that is the owner's
        assert hub.health().drops["updates_refused"] == 2
