"""The update server as an existing DDI client sees it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ddi_hub import UpdateServer, update_server
from minerva_hub.ddi import access
from yarl import URL


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


async def test_the_files_of_a_module_are_listed_for_who_is_offered_it(server: UpdateServer) -> None:
    release = await server.add_release()
    await server.start(release, ["kitchen"])
    path = f"/softwaremodules/{release.id}/artifacts"
    listed = await (await server.ask("kitchen", path)).json(content_type=None)
    deployment = await (await server.ask("kitchen", (await server.links("kitchen"))["deploymentBase"])).json(
        content_type=None
    )
    assert listed == deployment["deployment"]["chunks"][0]["artifacts"]
    other = await server.ask("study", path)
    assert other.status == 404 and "errorCode" in await other.json(content_type=None)


@pytest.mark.parametrize(
    "body",
    [b'{"status":' * 1400, b'{"x":' + b"[" * 1100, b"abcd", b'{"x":' + b"[" * 1100 + b"]" * 1100 + b"}"],
)
async def test_feedback_that_cannot_be_read_is_a_bad_request(server: UpdateServer, body: bytes) -> None:
    await server.start(await server.add_release(), ["kitchen"])
    action = await server.take("kitchen")
    path = f"/deploymentBase/{action}/feedback"
    for headers in ({}, {"Content-Encoding": "gzip"}):
        said = {"Content-Type": "application/json"} | headers
        answer = await server.ask("kitchen", path, "POST", data=body, headers=said)
        assert answer.status == 400
        assert (await answer.json(content_type=None))["errorCode"].startswith("hawkbit.server.error.")


@pytest.mark.parametrize("host", ["", "a:99999", "localhost:abc"])
async def test_a_host_that_is_none_is_a_bad_request(server: UpdateServer, host: str) -> None:
    answer = await server.ask("kitchen", headers={"Host": host})
    assert answer.status == 400 and "names no host" in await answer.text()


async def test_what_it_is_is_asked_once_and_after_each_update(server: UpdateServer) -> None:
    link = (await server.links("kitchen"))["configData"]
    data = {"hwRevision": "1", "board": "virtual", "slot": "a"}
    assert (await server.ask("kitchen", link, "PUT", json={"mode": "merge", "data": data})).status == 200
    assert "configData" not in await server.links("kitchen")
    await server.start(await server.add_release(), ["kitchen"])
    await server.update("kitchen")
    assert "configData" in await server.links("kitchen")
    await server.ask("kitchen", link, "PUT", json={"data": {"slot": "b"}})
    assert await server.store.updates.attributes("kitchen") == data | {"slot": "b"}
    await server.ask("kitchen", link, "PUT", json={"mode": "remove", "data": {"slot": "", "board": ""}})
    assert await server.store.updates.attributes("kitchen") == {"hwRevision": "1"}
    await server.ask("kitchen", link, "PUT", json={"mode": "replace", "data": {"slot": "b"}})
    assert await server.store.updates.attributes("kitchen") == {"slot": "b"}


async def test_attributes_are_bounded(server: UpdateServer) -> None:
    for data in (
        {f"k{n}": "v" for n in range(33)},
        {"k" * 129: "v"},
        {"k": "v" * 129},
        {"": "v"},
        {"k": 1},
    ):
        assert (await server.ask("kitchen", "/configData", "PUT", json={"data": data})).status == 400
    for n in range(0, 32, 16):
        data = {f"k{m}": "v" for m in range(n, n + 16)}
        assert (await server.ask("kitchen", "/configData", "PUT", json={"data": data})).status == 200
    answer = await server.ask("kitchen", "/configData", "PUT", json={"data": {"more": "v"}})
    assert answer.status == 403 and "at most 32" in (await answer.json())["message"]


async def test_files_in_ranges(server: UpdateServer) -> None:
    bundle = bytes(range(256)) * 4
    release = await server.add_release(bundle=bundle)
    await server.start(release, ["kitchen"])
    path = f"/softwaremodules/{release.id}/artifacts/files.bin"
    for asked, status, expected in [
        ("bytes=0-9", 206, bundle[:10]),
        ("bytes=1000-", 206, bundle[1000:]),
        ("bytes=-24", 206, bundle[-24:]),
        ("bytes=1020-9999", 206, bundle[1020:]),
        ("bytes=1024-", 416, b""),
        ("bytes=9-2", 416, b""),
        ("bytes=0-1,4-5", 416, b""),
        ("bytes=x-y", 416, b""),
        ("lines=1-2", 416, b""),
    ]:
        answer = await server.ask("kitchen", path, headers={"Range": asked})
        assert (answer.status, await answer.read()) == (status, expected), asked
        if status == 416:
            assert answer.headers["Content-Range"] == "bytes */1024"
    answer = await server.ask("kitchen", path, headers={"Range": "bytes=16-31"})
    assert answer.headers["Content-Range"] == "bytes 16-31/1024"
    head = await server.ask("kitchen", path, "HEAD")
    assert (head.status, head.headers["Content-Length"], await head.read()) == (200, "1024", b"")
    assert head.headers["Accept-Ranges"] == "bytes"
    same = await server.ask("kitchen", path, headers={"If-None-Match": head.headers["ETag"]})
    assert (same.status, await same.read()) == (304, b"")
    md5 = await (await server.ask("kitchen", f"{path}.MD5SUM")).text()
    assert md5 == f"{hashlib.md5(bundle).hexdigest()}  files.bin"


@pytest.mark.parametrize(
    "filename",
    ["other.bin", "..%2f..%2fminerva.db", "%2e%2e%2fminerva.db", "manifest.json%00", "files.bin%2f..", "%20"],
)
async def test_only_the_files_of_a_release(server: UpdateServer, filename: str) -> None:
    release = await server.add_release()
    await server.start(release, ["kitchen"])
    where = URL(
        f"/default/controller/v1/kitchen/softwaremodules/{release.id}/artifacts/{filename}", encoded=True
    )
    headers = {"Authorization": "TargetToken token-kitchen"}
    assert (await server.client.get(where, headers=headers)).status in (400, 404)


async def test_files_are_for_the_devices_that_were_offered_them(server: UpdateServer) -> None:
    release = await server.add_release()
    path = f"/softwaremodules/{release.id}/artifacts/manifest.json"
    assert (await server.ask("kitchen", path)).status == 404
    await server.start(release, ["kitchen"])
    assert (await server.ask("kitchen", path)).status == 200
    assert (await server.ask("study", path)).status == 404


@pytest.mark.parametrize("token", ["wrong", "", "token-study", "x" * 200, "token-kitchen token-kitchen"])
async def test_another_token(server: UpdateServer, token: str) -> None:
    answer = await server.client.get(
        "/default/controller/v1/kitchen", headers={"Authorization": f"TargetToken {token}"}
    )
    assert answer.status == 401
    assert set(await answer.json()) == {"exceptionClass", "errorCode", "message"}
    kitchen = server.fleet.find("kitchen")
    assert kitchen is not None and "another token" in str(kitchen.info.problem)  # the owner sees it


async def test_no_token_and_no_device(server: UpdateServer) -> None:
    for headers in (
        {},
        {"Authorization": "Basic a2l0Y2hlbg=="},
        {"Authorization": "GatewayToken token-kitchen"},
    ):
        assert (await server.client.get("/default/controller/v1/kitchen", headers=headers)).status == 401
    assert (await server.ask("ghost")).status == 401
    assert (await server.client.get("/other/controller/v1/kitchen")).status == 404


async def test_wrong_tokens_are_slowed_down_and_the_right_one_is_not(server: UpdateServer) -> None:
    assert (await server.ask("kitchen")).status == 200
    found = {(await server.ask("study", token="guess")).status for _ in range(60)}
    assert found == {401, 429}
    assert (await server.ask("kitchen")).status == 200


async def test_a_storm_of_polls_is_slowed_down_and_the_others_are_not(server: UpdateServer) -> None:
    found = [await server.ask("kitchen") for _ in range(access.BURST + 100)]
    slowed = [answer for answer in found if answer.status == 429]
    assert slowed and slowed[0].headers["Retry-After"] == "10"
    assert {answer.status for answer in found} == {200, 429}
    assert (await server.ask("study")).status == 200


async def test_an_action_of_another_device(server: UpdateServer) -> None:
    await server.start(await server.add_release(), ["kitchen"])
    action = await server.take("kitchen")
    assert (await server.ask("study", f"/deploymentBase/{action}")).status == 404
    assert await server.say("study", action, "closed", "failure") == 404
    assert (await server.store.updates.actions(id_=action))[0].state == "running"


@pytest.mark.parametrize(
    "action", ["0", "-1", "x", "9999", "1e3", "99999999999999999999", "%31%20", "\u0661"]
)
async def test_numbers_that_are_no_action(server: UpdateServer, action: str) -> None:
    await server.start(await server.add_release(), ["kitchen"])
    body = {"status": {"execution": "closed", "result": {"finished": "success"}}}
    for resource in ("deploymentBase", "cancelAction", "installedBase"):
        answer = await server.ask("kitchen", f"/{resource}/{action}")
        assert answer.status == 404
        assert (await answer.json())["errorCode"] == "hawkbit.server.error.repo.entitiyNotFound"
    for resource in ("deploymentBase", "cancelAction"):
        answer = await server.ask("kitchen", f"/{resource}/{action}/feedback", "POST", json=body)
        assert answer.status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"status":{}}',
        b'{"status":{"execution":"exploded","result":{"finished":"none"}}}',
        b'{"status":{"execution":"closed","result":{"finished":"perhaps"}}}',
        b'{"status":{"execution":"closed","result":{"finished":"success"},"details":"text"}}',
        b'{"status":{"execution":"closed","result":{"finished":"success"},"details":[1]}}',
        b'{"status":{"execution":1,"result":{"finished":"success"}}}',
        b'{"status":{"execution":"proceeding","result":{"finished":"none","progress":{"cnt":"x"}}}}',
        b'{"status":{"execution":"proceeding","details":[' + b'"x",' * 60 + b'"x"]}}',
        b"[" * 5000,
        b'{"status":"' + b"\xff" * 10 + b'"}',
    ],
)
async def test_feedback_that_makes_no_sense(server: UpdateServer, body: bytes) -> None:
    await server.start(await server.add_release(), ["kitchen"])
    action = await server.take("kitchen")
    answer = await server.ask("kitchen", f"/deploymentBase/{action}/feedback", "POST", data=body)
    assert answer.status == 400
    assert (await answer.json())["errorCode"] == "hawkbit.server.error.rest.body.notReadable"
    assert (await server.store.updates.actions(id_=action))[0].state == "running"
    assert await server.store.updates.history("kitchen") == []


async def test_a_huge_body_and_long_details(server: UpdateServer) -> None:
    await server.start(await server.add_release(), ["kitchen"])
    action = await server.take("kitchen")
    path = f"/deploymentBase/{action}/feedback"
    assert (await server.ask("kitchen", path, "POST", data=b" " * 20_000)).status == 413
    assert await server.say("kitchen", action, "proceeding", details=["x" * 5000, ""], cnt=9, of=3) == 200
    (told,) = await server.store.updates.history("kitchen")
    assert (told.details, told.progress) == (("x" * 512,), None)


async def test_a_client_that_only_ever_says_rejected_keeps_the_action_open(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), ["kitchen"])
    action = await server.take("kitchen")
    assert await server.say("kitchen", action, "rejected", details=["somebody is speaking"]) == 200
    assert await server.states(rollout.id) == {"kitchen": "running"}
    assert "deploymentBase" in await server.links("kitchen")


async def test_giving_up_unasked_is_a_failure_and_closed_with_none_a_success(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_percent=100, error_percent=100)
    assert await server.say("kitchen", await server.take("kitchen"), "canceled") == 200
    assert await server.say("study", await server.take("study"), "closed", "none") == 200  # as hawkBit
    assert await server.states(rollout.id) == {"kitchen": "failure", "study": "success"}


async def test_a_cancel_that_nobody_asked_for(server: UpdateServer) -> None:
    await server.start(await server.add_release(), ["kitchen"])
    action = await server.take("kitchen")
    assert (await server.ask("kitchen", f"/cancelAction/{action}")).status == 404
    assert await server.say("kitchen", action, "closed", "success", about="cancelAction") == 404
    assert "deploymentBase" in await server.links("kitchen")


async def test_a_planned_action_is_nobodys_yet(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_count=1)
    found = await server.store.updates.actions(rollout=rollout.id, limit=10)
    planned = next(one for one in found if one.state == "planned")
    assert (await server.ask(planned.device, f"/deploymentBase/{planned.id}")).status == 404
    assert await server.say(planned.device, planned.id, "closed", "success") == 404
    path = f"/softwaremodules/{rollout.release}/artifacts/files.bin"
    assert (await server.ask(planned.device, path)).status == 404


async def test_answers_are_small(server: UpdateServer) -> None:
    """Of the 8 kB that an update of one file may cost beside it, these take the least."""
    await server.start(await server.add_release(), ["kitchen"])
    poll = await server.ask("kitchen")
    base = await server.ask("kitchen", f"/deploymentBase/{await server.take('kitchen')}")
    for answer, limit in ((poll, 400), (base, 1600)):
        assert len(await answer.read()) < limit
        assert sum(len(k) + len(v) + 4 for k, v in answer.headers.items()) < 300
