"""Releases, groups and rollouts over REST, uploads of all kinds among them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from minerva_hub.auth import hash_token
from minerva_hub.events import DeviceRecord, ReleasesChanged
from minerva_hub.web import uploads
from minerva_hub.web.routes import ROUTES
from test_web_openapi import document
from web_fakes import TestHub, device, running

from tests.fakes.ota_release import OWNER, Release, Signer, keyset, make_release

FILES = {"minerva/app.py": b"print('hello')\n" * 50, "minerva/empty.py": b""}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running(tmp_path) as found:
        for id_ in ("kitchen", "study"):
            found.fleet.add(device(id_, id_.title(), board="virtual"))
            record = DeviceRecord(id=id_, room=id_.title(), token_hash=hash_token("t"), created_ms=0)
            await found.store.add_device(record)
        yield found


def form(release: Release, **changes: bytes) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, content in release.artifacts().items():
        data.add_field(name, changes.get(name.replace(".", "_"), content), filename=name)
    return data


async def trust(hub: TestHub) -> None:
    response = await hub.client.put("/api/keyset", json={"text": keyset(OWNER).decode()})
    assert response.status == 200


async def send(hub: TestHub, data: Any, **kwargs: Any) -> tuple[int, dict[str, Any]]:
    response = await hub.client.post("/api/releases", data=data, **kwargs)
    answer = await response.json(content_type=None)
    (route,) = [route for route in ROUTES if route.name == "upload_release"]
    (await document(hub)).check(route, response.status, response.content_type, answer)
    return response.status, answer


async def get(hub: TestHub, path: str) -> dict[str, Any]:
    response = await hub.client.get(path)
    assert response.status == 200
    return dict(await response.json())


async def test_a_release_is_uploaded_listed_rolled_out_and_removed(hub: TestHub, tmp_path: Path) -> None:
    await trust(hub)
    assert (await get(hub, "/api/keyset"))["trusted"]["keys"] == [OWNER.id]
    with hub.bus.subscribe() as events:
        status, kept = await send(hub, form(make_release(FILES)))
        assert status == 200 and isinstance(await anext(events), ReleasesChanged)
    assert (kept["version"], kept["files"], kept["signers"], kept["rollouts"]) == ("0.2.0", 2, [OWNER.id], 0)
    folder = tmp_path / "releases" / kept["digest"]
    assert (folder / "files.bin").read_bytes() == b"".join(FILES.values())
    response = await hub.client.post(
        "/api/rollouts", json={"release": kept["id"], "plan": {"canary_count": 1}}
    )
    rollout = await response.json()
    assert [stage["devices"] for stage in rollout["stages"]] == [{"offered": 1}, {"planned": 1}]
    assert len(hub.fleet.checked) == 1
    assert (await get(hub, "/api/releases"))["items"][0]["rollouts"] == 1
    shown = await get(hub, f"/api/rollouts/{rollout['id']}")
    assert [one["state"] for one in shown["devices"]] == ["offered", "planned"]
    refused = await hub.client.delete(f"/api/releases/{kept['id']}")
    assert refused.status == 409 and "uses release" in (await refused.json(content_type=None))["message"]
    for wish, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        response = await hub.client.post(f"/api/rollouts/{rollout['id']}/{wish}", json={})
        assert (await response.json())["state"] == state
    assert (await hub.client.delete(f"/api/releases/{kept['id']}")).status == 204
    assert not folder.exists() and (await get(hub, "/api/releases"))["items"] == []


async def refused_code(hub: TestHub, data: aiohttp.FormData) -> str:
    status, problem = await send(hub, data)
    assert status == 422, problem
    listed = (await get(hub, "/api/releases/refused"))["items"]
    assert listed[0]["code"] == problem["code"]
    assert (await get(hub, "/api/releases"))["items"] == []
    return str(problem["code"])


async def test_what_is_refused_is_named_and_listed(hub: TestHub, tmp_path: Path) -> None:
    good = make_release(FILES)
    assert await refused_code(hub, form(good)) == "unknown_key"  # nobody is trusted yet
    await trust(hub)
    stranger = make_release(FILES, signers=[Signer("somebody else")])
    assert await refused_code(hub, form(stranger)) == "unknown_key"
    assert await refused_code(hub, form(good, manifest_json=good.manifest + b" ")) == "bad_signature"
    assert await refused_code(hub, form(good, manifest_json=b"x" * 20_000)) == "too_long"
    assert await refused_code(hub, form(good, manifest_sig=b"x" * 20_000)) == "too_long"
    assert await refused_code(hub, form(good, files_bin=good.bundle[:-1])) == "bad_size"
    assert await refused_code(hub, form(good, files_bin=good.bundle + b"!")) == "bad_size"
    assert await refused_code(hub, form(good, files_bin=b"!" + good.bundle[1:])) == "bad_hash"
    assert await refused_code(hub, form(make_release(FILES, expires=1_780_000_001))) == "expired"
    listed = (await get(hub, "/api/releases/refused"))["items"]
    assert len(listed) == 9 and listed[0]["version"] == "0.2.0"
    assert list((tmp_path / "releases").iterdir()) == []
    assert (await send(hub, form(good)))[0] == 200


async def test_a_bundle_that_never_ends_is_cut_off(hub: TestHub) -> None:
    await trust(hub)
    good, sent = make_release(FILES), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 16
            yield bytes(1 << 16)

    data = aiohttp.FormData()
    data.add_field("manifest.json", good.manifest, filename="manifest.json")
    data.add_field("manifest.sig", good.signature, filename="manifest.sig")
    data.add_field("files.bin", endless(), filename="files.bin")
    try:
        assert (await send(hub, data))[1]["code"] == "bad_size"
    except aiohttp.ClientError:  # the hub closed while this still sent
        listed = (await get(hub, "/api/releases/refused"))["items"]
        assert [one["code"] for one in listed] == ["bad_size"]
    assert sent < 64 << 20


def reordered(release: Release, names: list[str]) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name in names:
        data.add_field(name, release.artifacts().get(name, b"?"), filename=name)
    return data


@pytest.mark.parametrize(
    "names",
    [
        ["manifest.sig", "manifest.json", "files.bin"],
        ["manifest.json", "files.bin"],
        ["manifest.json", "manifest.sig"],
        ["manifest.json", "manifest.sig", "other.bin"],
        ["../../etc/passwd", "manifest.sig", "files.bin"],
    ],
)
async def test_parts_that_are_missing_or_others(hub: TestHub, names: list[str]) -> None:
    await trust(hub)
    status, problem = await send(hub, reordered(make_release(FILES), names))
    assert (status, problem["code"]) == (400, "multipart") and "is due" in problem["message"]
    assert (await get(hub, "/api/releases"))["items"] == []


async def test_bodies_that_are_no_form(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    await trust(hub)
    status, problem = await send(hub, b"{}", headers={"Content-Type": "application/json"})
    assert (status, problem["code"]) == (415, "content_type")
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        status, problem = await send(hub, b"nonsense\r\n" * 100, headers={"Content-Type": kind})
        assert (status, problem["code"]) == (400, "multipart")
    monkeypatch.setattr(uploads, "STALL_S", 0.2)

    async def stalls() -> AsyncIterator[bytes]:
        import asyncio

        yield b'--x\r\nContent-Disposition: form-data; name="manifest.json"\r\n\r\n{'
        await asyncio.sleep(5)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        status, problem = await send(hub, stalls(), headers=headers)
        assert (status, problem["code"]) == (408, "body_time")
    except aiohttp.ClientError:
        pass  # the hub closed while this still waited
    assert (await get(hub, "/api/releases"))["items"] == []


PART = b'--x\r\nContent-Disposition: form-data; name="manifest.json"\r\n'


@pytest.mark.parametrize(
    "body",
    [
        PART + b"bad header\r\n\r\n{}\r\n--x--\r\n",
        PART + b"X: " + b"y" * 100_000 + b"\r\n\r\n{}\r\n--x--\r\n",
        PART + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n{}\r\n--x--\r\n",
        PART + b"Content-Encoding: gzip\r\n\r\nabcd\r\n--x--\r\n",
        PART + b"Content-Transfer-Encoding: base64\r\n\r\n%%%\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"z" * 100 + b"\r\n--x--\r\n",
    ],
)
async def test_parts_that_are_malformed(hub: TestHub, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    await trust(hub)
    status, problem = await send(hub, body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (status, problem["code"]) in ((400, "multipart"), (422, "bad_manifest")), problem
    assert "Traceback" not in caplog.text
    assert (await get(hub, "/api/releases"))["items"] == []


async def test_another_sites_form_uploads_nothing(hub: TestHub) -> None:
    await trust(hub)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        response = await hub.client.post("/api/releases", data=form(make_release(FILES)), headers=headers)
        assert response.status == 403
    assert (await get(hub, "/api/releases"))["items"] == []


async def test_keys_are_trusted_once_and_replaced_on_purpose(hub: TestHub) -> None:
    await trust(hub)
    other = keyset(Signer("another")).decode()
    response = await hub.client.put("/api/keyset", json={"text": other})
    assert response.status == 409
    response = await hub.client.put("/api/keyset", json={"text": other, "replace": True})
    assert (await response.json())["trusted"]["keys"] == [Signer("another").id]
    response = await hub.client.put("/api/keyset", json={"text": "{}"})
    assert response.status == 422


async def test_groups(hub: TestHub) -> None:
    response = await hub.client.put("/api/groups/upstairs", json={"devices": ["study", "kitchen"]})
    assert await response.json() == {"name": "upstairs", "devices": ["kitchen", "study"]}
    assert (await hub.client.put("/api/groups/upstairs", json={"devices": []})).status == 200
    assert (await get(hub, "/api/groups"))["items"] == [{"name": "upstairs", "devices": []}]
    assert (await hub.client.put("/api/groups/Up%20stairs", json={"devices": []})).status == 400
    ghosts = [f"a-device-with-a-long-name-{n:06}" for n in range(5000)]
    assert (await hub.client.put("/api/groups/a", json={"devices": ghosts})).status == 404
    assert (await hub.client.put("/api/groups/a", json={"devices": [*ghosts, "x"]})).status == 400
    assert (await hub.client.put("/api/groups/a", json={"devices": [*ghosts, *ghosts]})).status == 413
    assert (await hub.client.delete("/api/groups/upstairs")).status == 204
    assert (await hub.client.delete("/api/groups/upstairs")).status == 404


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 400, "release"),
        ({"release": 7}, 404, "no release 7"),
        ({"release": 1, "target": {"group": "none"}}, 404, "no group"),
        ({"release": 1, "target": {"devices": ["ghost"]}}, 404, "no device"),
        ({"release": 1, "target": {"devices": []}}, 400, "length"),
        ({"release": 1, "plan": {"steps": [50]}}, 409, "rise to 100"),
        ({"release": 1, "plan": {"canary_percent": 0}}, 400, "canary_percent"),
        ({"release": 1, "plan": {"error_percent": 101}}, 400, "error_percent"),
        ({"release": 1, "plan": {"nonsense": 1}}, 400, "nonsense"),
    ],
)
async def test_rollouts_that_cannot_begin(hub: TestHub, body: dict[str, Any], status: int, says: str) -> None:
    await trust(hub)
    assert (await send(hub, form(make_release(FILES))))[0] == 200
    response = await hub.client.post("/api/rollouts", json=body)
    problem = json.loads(await response.text())
    assert (response.status, says in problem["message"]) == (status, True), problem
    assert (await get(hub, "/api/rollouts"))["items"] == []
