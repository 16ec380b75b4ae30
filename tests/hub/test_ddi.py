"""The update server as an existing DDI client sees it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ddi_hub import UpdateServer, update_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[UpdateServer]:
    async with update_server(tmp_path) as running:
        await running.add_devices("kitchen", "study")
        yield running


async def test_nothing_to_do_but_to_say_what_it_is(server: UpdateServer) -> None:
    answer = await server.ask("kitchen")
    assert answer.content_type == "application/hal+json"
    base = await answer.json(content_type=None)
    assert base["config"] == {"polling": {"sleep": "00:05:00"}}
    assert list(base["_links"]) == ["configData"]
    assert base["_links"]["configData"]["href"].endswith("/default/controller/v1/kitchen/configData")
    again = await server.ask("kitchen", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")


async def test_an_update_from_the_poll_to_the_end(server: UpdateServer) -> None:
    release = await server.add_release()
    await server.start(release)
    answer = await server.ask("kitchen", (await server.links("kitchen"))["deploymentBase"])
    told = await answer.json(content_type=None)
    assert told["deployment"]["download"] == told["deployment"]["update"] == "forced"
    (chunk,) = told["deployment"]["chunks"]
    assert (chunk["part"], chunk["version"], chunk["name"]) == ("bApp", "0.2.0", "minerva")
    assert [one["filename"] for one in chunk["artifacts"]] == ["manifest.json", "manifest.sig", "files.bin"]
    for one in chunk["artifacts"]:
        data = await (await server.ask("kitchen", one["_links"]["download"]["href"])).read()
        assert one["_links"]["download-http"] == one["_links"]["download"]  # hawkBit's name for plain HTTP
        assert len(data) == one["size"]
        for name in ("sha1", "md5", "sha256"):
            assert hashlib.new(name, data).hexdigest() == one["hashes"][name]
    action = int(told["id"])
    assert await server.say("kitchen", action, "proceeding", cnt=3, of=4) == 200
    assert await server.say("kitchen", action, "closed", "success") == 200
    links = await server.links("kitchen")
    assert "deploymentBase" not in links and links["installedBase"].endswith(f"/installedBase/{action}")
    installed = await (await server.ask("kitchen", links["installedBase"])).json(content_type=None)
    assert installed["deployment"] == told["deployment"]
    assert await server.say("kitchen", action, "closed", "success") == 410
