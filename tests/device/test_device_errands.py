"""The real updater under MicroPython against update servers of every kind, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from errands import FILES, Flash, bootslot

from tests.fakes.ddi_server import DdiServer, Reply, Request, as_json, cut
from tests.fakes.ota_release import Release, Signer, make_release

pytestmark = pytest.mark.mpy


def at(name: str, change: Callable[[Request, Reply], Reply]) -> Callable[[Request, Reply], Reply]:
    """A twist of the answers to requests whose path ends with `name`."""
    return lambda request, reply: (
        change(request, reply) if request.path.partition("?")[0].endswith(name) else reply
    )


async def test_a_release_is_fetched_in_one_range_and_installed(micropython, tmp_path: Path) -> None:
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        flash = Flash(tmp_path / "flash", server)
        ended = await flash.errand(micropython)
        assert (ended.end, ended.received) == ("restart", server.sent), ended.log
        assert flash.slot("a") == FILES
        assert server.ranges() == [(0, sum(map(len, FILES.values())) - 1)]
        assert [b["status"]["execution"] for _, b in server.feedback] == ["proceeding"]
        assert server.attributes is not None
        assert server.attributes["board"] == server.attributes["hwRevision"] == "virtual"
        assert server.attributes["slot"] == "main"
        assert server.connections == 1  # it is kept


async def test_nothing_to_do_is_asked_again_when_the_server_says(micropython, tmp_path: Path) -> None:
    async with DdiServer() as server:
        ended = await Flash(tmp_path / "flash", server).errand(micropython)
        assert (ended.end, ended.state) == ("idle", "idle")
        assert [r.method for r in server.requests] == ["GET", "PUT"]


@pytest.mark.parametrize("status", [400, 404, 410, 501])
async def test_a_server_that_does_not_want_to_know_what_this_is_updates_it(
    status: int, i386, tmp_path: Path
) -> None:
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        server.twist = at("configData", lambda request, reply: Reply(status))
        ended = await Flash(tmp_path / "flash", server).errand(i386)
        assert ended.end == "restart", ended.log
        assert [r.method for r in server.requests].count("PUT") == 1


async def test_every_step_is_finished_after_a_cut_connection(micropython, tmp_path: Path) -> None:
    """Each answer once broken off: in its header, in its middle, before its last byte."""
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        seen: dict[str, int] = {}

        def twist(request: Request, reply: Reply) -> Reply:
            key = request.method + request.path
            seen[key] = seen.get(key, 0) + 1
            size = len(reply.encode())
            places = (10, size // 2, size - 1)
            return cut(reply, places[seen[key] - 1]) if seen[key] <= 3 else reply

        server.twist = twist
        flash = Flash(tmp_path / "flash", server)
        ended = await flash.errand(micropython)
        assert ended.end == "restart", ended.log
        assert flash.slot("a") == FILES
        assert all(n >= 4 for key, n in seen.items() if not key.startswith("PUT")), seen
        firsts = [first for first, _ in server.ranges()]
        assert firsts == sorted(firsts) and firsts[-1] > firsts[0]  # it went on where it was


async def test_a_download_is_resumed_after_a_loss_of_power(micropython, tmp_path: Path) -> None:
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        server.twist = at("files.bin", lambda q, r: cut(r, 15000) if len(server.ranges()) < 2 else Reply(503))
        flash = Flash(tmp_path / "flash", server)
        await flash.errand_until(micropython, lambda: len(server.ranges()) >= 2)
        assert server.ranges()[-1][0] > 0
        server.twist = lambda request, reply: reply
        before = len(server.ranges())
        ended = await flash.errand(micropython)
        assert ended.end == "restart", ended.log
        assert flash.slot("a") == FILES
        assert server.ranges()[before][0] > 0


async def test_a_damaged_beginning_is_fetched_again(i386, tmp_path: Path) -> None:
    """What a loss of power left need not be what was written."""
    big = {"minerva/big.py": bytes(range(250)) * 200}
    async with DdiServer() as server:
        server.offer(make_release(big))
        server.twist = at("files.bin", lambda q, r: cut(r, 30000) if len(server.ranges()) < 2 else Reply(503))
        flash = Flash(tmp_path / "flash", server)
        await flash.errand_until(i386, lambda: len(server.ranges()) >= 2)
        part = flash.folder / "a" / "minerva" / "big.py.part"
        part.write_bytes(b"?" + part.read_bytes()[1:])
        server.twist = lambda request, reply: reply
        ended = await flash.errand(i386)
        assert ended.end == "restart", ended.log
        assert flash.slot("a") == big
        assert server.ranges()[-1][0] == 0


async def test_only_what_changed_is_fetched(micropython, tmp_path: Path) -> None:
    changed = FILES | {"minerva/m3.py": b"x" * 500, "minerva/m4.py": b"y" * 600, "minerva/m7.py": b""}
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        flash = Flash(tmp_path / "flash", server)
        assert (await flash.errand(micropython)).end == "restart"
        flash.judged()
        server.requests.clear()
        server.offer(make_release(changed, version="0.3.0"), action=8)
        ended = await flash.errand(micropython)
        assert ended.end == "restart", ended.log
        assert flash.slot("b") == changed
        first = sum(len(FILES[f"minerva/m{i}.py"]) for i in range(3))
        assert server.ranges() == [(first, first + 1099)]


async def test_the_running_release_is_not_installed_again(i386, tmp_path: Path) -> None:
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        flash = Flash(tmp_path / "flash", server)
        assert (await flash.errand(i386)).end == "restart"
        flash.judged()
        server.offer(make_release(FILES), action=9)
        assert (await flash.errand(i386)).end == "idle"
        assert server.closed == ("success", ["this release runs already"])


# --- what is refused -----------------------------------------------------------------------------------

STRANGER = Signer("a stranger")


def flipped(release: Release) -> Release:
    """One byte of the bundle is another."""
    data = bytearray(release.bundle)
    data[4000] ^= 1
    return replace(release, bundle=bytes(data))


def longer(request: Request, reply: Reply) -> Reply:
    return replace(reply, body=reply.body + b"x" * 2000)


def other_range(request: Request, reply: Reply) -> Reply:
    return replace(reply, headers={"Content-Range": f"bytes 1-{len(reply.body)}/{len(reply.body) + 1}"})


def other_total(request: Request, reply: Reply) -> Reply:
    return replace(reply, headers={"Content-Range": f"bytes 0-{len(reply.body) - 1}/{len(reply.body) + 9}"})


def sized(name: str, size: int) -> Callable[[Request, Reply], Reply]:
    """The deployment announces another size of an artifact."""

    def change(request: Request, reply: Reply) -> Reply:
        value = json.loads(reply.body)
        for artifact in value["deployment"]["chunks"][0]["artifacts"]:
            if artifact["filename"] == name:
                artifact["size"] = size
        return as_json(value)

    return change


HOSTILE = {
    "another key": (make_release(FILES, signers=[STRANGER]), None, "unknown_key"),
    "no signature": (
        replace(make_release(FILES), signature=b'{"format":1,"signatures":[],"keysets":[]}'),
        None,
        "too_few_signatures",
    ),
    "a changed manifest": (
        replace(make_release(FILES), manifest=make_release(FILES, version="0.2.1").manifest),
        None,
        "bad_signature",
    ),
    "a replayed old release": (make_release(FILES, security_version=0), None, "lower_security_version"),
    "another board": (make_release(FILES, boards=["xiao_s3_inmp441"]), None, "wrong_board"),
    "another abi": (make_release(FILES, abi="mpy6.3-xtensawin"), None, "wrong_abi"),
    "a changed file": (flipped(make_release(FILES)), None, "bad_hash"),
    "a path out of the slot": (make_release({"../boot.py": b"x"}), None, "bad_path"),
    "200 for a range": (
        make_release(FILES),
        at("files.bin", lambda q, r: replace(r, status=200)),
        "bad_range",
    ),
    "another range": (make_release(FILES), at("files.bin", other_range), "bad_range"),
    "another total": (make_release(FILES), at("files.bin", other_total), "bad_range"),
    "no Content-Range": (
        make_release(FILES),
        at("files.bin", lambda q, r: replace(r, headers={})),
        "bad_range",
    ),
    "a longer range": (make_release(FILES), at("files.bin", longer), "bad_range"),
    "a shorter range": (
        make_release(FILES),
        at("files.bin", lambda q, r: replace(r, body=r.body[:-1])),
        "bad_range",
    ),
    "a longer range in chunks": (
        make_release(FILES),
        at("files.bin", lambda q, r: replace(longer(q, r), chunked=True)),
        "bad_range",
    ),
    "a shorter range in chunks": (
        make_release(FILES),
        at("files.bin", lambda q, r: replace(r, body=r.body[:-1], chunked=True)),
        "bad_range",
    ),
    "a bundle of another size": (make_release(FILES), at("/7", sized("files.bin", 5)), "bad_size"),
    "a manifest of another size": (make_release(FILES), at("/7", sized("manifest.json", 5)), "bad_size"),
    "a manifest without end": (
        make_release(FILES),
        at("manifest.json", lambda q, r: Reply(body=b"{" * 20000)),
        "too_long",
    ),
    "a manifest in endless chunks": (
        make_release(FILES),
        at("manifest.json", lambda q, r: Reply(body=b"{" * 20000, chunked=True)),
        "too_long",
    ),
    "a header without end": (
        make_release(FILES),
        at("manifest.sig", lambda q, r: replace(r, headers={"X": "y" * 5000})),
        "too_long",
    ),
    "a redirect": (
        make_release(FILES),
        at("manifest.json", lambda q, r: Reply(302, headers={"Location": "http://127.0.0.1:1/"})),
        "bad_answer",
    ),
    "a deployment that is none": (
        make_release(FILES),
        at("/7", lambda q, r: as_json({"id": "7"})),
        "bad_answer",
    ),
    "another deployment": (make_release(FILES), at("/7", lambda q, r: as_json({"id": "8"})), "bad_answer"),
    "a deployment that is no JSON": (
        make_release(FILES),
        at("/7", lambda q, r: Reply(body=b"<html>")),
        "bad_answer",
    ),
    "an artifact that is gone": (make_release(FILES), at("files.bin", lambda q, r: Reply(404)), "bad_answer"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_it_is_refused_and_the_server_told_why(case: str, i386, tmp_path: Path) -> None:
    release, twist, code = HOSTILE[case]
    async with DdiServer() as server:
        flash = Flash(tmp_path / "flash", server)
        server.offer(make_release({"old.py": b"1"}))
        assert (await flash.errand(i386)).end == "restart"
        flash.judged()
        kept = flash.slot("a")
        server.offer(release)
        server.twist = twist or server.twist
        ended = await flash.errand(i386)
        assert server.closed is not None, ended.log
        assert (ended.end, ended.code) == ("idle", code), ended.log
        assert (server.closed[0], server.closed[1][0]) == ("failure", code)
        assert flash.slot("a") == kept
        assert "boot: slot a" in (await flash.errand(i386)).log  # it still runs


async def test_a_release_too_large_for_the_flash_is_never_begun(i386, tmp_path: Path) -> None:
    """The manifest's own bounds come first."""
    async with DdiServer() as server:
        server.offer(make_release({f"m{i}.py": b"x" * 250_000 for i in range(5)}))
        ended = await Flash(tmp_path / "flash", server).errand(i386)
        assert ended.code == "bad_size"
        assert server.ranges() == []


async def test_a_server_that_trickles_is_left_and_told(i386, tmp_path: Path) -> None:
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        server.twist = at("files.bin", lambda q, r: replace(r, portion=20, pause_s=0.05))
        ended = await Flash(tmp_path / "flash", server).errand(i386, window_ms=300)
        assert ended.code == "too_slow", ended.log
        assert server.closed is not None and server.closed[1][0] == "too_slow"


async def test_a_busy_server_is_asked_again(i386, tmp_path: Path) -> None:
    counts: dict[str, int] = {}

    def busy(request: Request, reply: Reply) -> Reply:
        counts[request.path] = counts.get(request.path, 0) + 1
        return Reply((503, 429, 500)[counts[request.path] - 1]) if counts[request.path] <= 3 else reply

    async with DdiServer() as server:
        server.offer(make_release(FILES))
        server.twist = busy
        assert (await Flash(tmp_path / "flash", server).errand(i386)).end == "restart"


# --- cancel --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the deployment", "during the download", "before it is installed"])
async def test_a_cancelled_action_is_dropped(when: str, micropython, tmp_path: Path) -> None:
    big = {f"m{i}.py": bytes(50_000) + bytes([i]) for i in range(3)}
    async with DdiServer() as server:
        server.offer(make_release(big))
        asked = 1 if when == "during the download" else 3

        def cancel(request: Request, reply: Reply) -> Reply:
            if len(server.ranges()) == asked and request.range is not None:
                server.cancel = 7
            return reply

        if when == "before the deployment":
            server.cancel = 7
        else:
            server.twist = cancel
        flash = Flash(tmp_path / "flash", server)
        ended = await flash.errand(micropython)
        assert ended.end == "idle", ended.log
        path, body = server.feedback[-1]
        assert (path, body["status"]["execution"]) == ("/cancelAction/7/feedback", "closed")
        assert body["status"]["result"]["finished"] == "success"
        assert not (flash.folder / "boot.0").exists()
        assert len(server.ranges()) == (0 if when == "before the deployment" else asked)


async def test_a_cancel_after_the_outcome_comes_too_late(i386, tmp_path: Path) -> None:
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        flash = Flash(tmp_path / "flash", server)
        assert (await flash.errand(i386)).end == "restart"
        flash.judged(bootslot.KEPT)
        server.cancel = 7
        await flash.errand(i386)
        assert server.closed == ("success", ["kept after its trial"])
        path, body = server.feedback[-1]
        assert (path, body["status"]["execution"]) == ("/cancelAction/7/feedback", "rejected")
