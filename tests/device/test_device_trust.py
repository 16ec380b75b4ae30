"""Whom the real updater trusts: the keys of releases, and the update server by its authority and name."""

from __future__ import annotations

from pathlib import Path

import pytest
from errands import FILES, Flash

from tests.fakes.authority import Authority
from tests.fakes.ddi_server import BASE, DdiServer
from tests.fakes.ota_release import OWNER, Signer, keyset, make_release

pytestmark = pytest.mark.mpy
NAME = "updates.minerva"


async def test_two_of_three_keys_must_sign_where_the_owner_says_so(i386, tmp_path: Path) -> None:
    other, third = Signer("another owner"), Signer("a third")
    async with DdiServer() as server:
        flash = Flash(tmp_path / "flash", server)
        flash.trust(keyset(OWNER, other, third, threshold=2))
        server.offer(make_release(FILES))
        assert (await flash.errand(i386)).code == "too_few_signatures"
        server.offer(make_release(FILES, signers=[OWNER, third]), action=8)
        assert (await flash.errand(i386)).end == "restart"


async def test_a_rotation_comes_only_with_a_release_that_is_taken(i386, tmp_path: Path) -> None:
    heir = Signer("who comes after the owner")
    rotation = [(keyset(heir, version=2), (OWNER, heir))]
    async with DdiServer() as server:
        flash = Flash(tmp_path / "flash", server)
        refused = make_release(FILES, signers=[heir], rotations=rotation, boards=["xiao_s3_inmp441"])
        server.offer(refused)
        assert (await flash.errand(i386)).code == "wrong_board"
        assert flash.trusted() == keyset(OWNER)
        server.offer(make_release(FILES, signers=[heir], rotations=rotation), action=8)
        assert (await flash.errand(i386)).end == "restart"
        assert flash.trusted() == keyset(heir, version=2)


async def test_an_expired_release_is_refused_as_soon_as_the_time_is_known(i386, tmp_path: Path) -> None:
    expires = 1_790_000_000
    async with DdiServer() as server:
        flash = Flash(tmp_path / "flash", server)
        server.offer(make_release(FILES, expires=expires))
        assert (await flash.errand(i386, utc_s=expires + 60)).code == "expired"
        assert flash.slot("a") == {}
        server.offer(make_release(FILES, expires=expires), action=8)
        assert (await flash.errand(i386, utc_s=expires - 3600)).end == "restart"
    async with DdiServer() as server:
        server.offer(make_release(FILES, expires=1_790_000_000))
        assert (await Flash(tmp_path / "clockless", server).errand(i386)).end == "restart"


async def test_without_keys_nothing_is_installed(i386, tmp_path: Path) -> None:
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        flash = Flash(tmp_path / "flash", server)
        (flash.folder / "keys.0").unlink()
        assert (await flash.errand(i386)).code == "unknown_key"


async def test_over_tls_with_the_servers_own_authority_and_token(micropython, tmp_path: Path) -> None:
    ca = Authority(tmp_path, "ca")
    async with DdiServer(ca.server(NAME)) as server:
        server.offer(make_release(FILES))
        known = {"ca": ca.certificate.read_text(), "server_name": NAME, "token": "secret-token"}
        flash = Flash(tmp_path / "flash", server, **known)
        flash.settings["token"] = "the hub's, which is not for this server"
        ended = await flash.errand(micropython)
        assert ended.end == "restart", ended.log
        assert flash.slot("a") == FILES
        assert server.connections == 1


@pytest.mark.parametrize("who", ["another authority", "another name"])
async def test_a_man_in_the_middle_hears_no_token(who: str, i386, tmp_path: Path) -> None:
    ca = Authority(tmp_path, "ca")
    other = Authority(tmp_path, "other") if who == "another authority" else ca
    name = NAME if who == "another authority" else "somebody.else"
    async with DdiServer(other.server(name)) as server:
        known = {"ca": ca.certificate.read_text(), "server_name": NAME, "token": "secret-token"}
        flash = Flash(tmp_path / "flash", server, **known)
        await flash.errand_until(i386, lambda: server.hellos >= 3)  # it tries for ever, later and later
        assert server.requests == []


async def test_links_to_other_servers_lead_to_this_one(i386, tmp_path: Path) -> None:
    """The links of the scripted server name hawkbit.example: nothing there is ever asked."""
    async with DdiServer() as server:
        server.offer(make_release(FILES))
        assert (await Flash(tmp_path / "flash", server).errand(i386)).end == "restart"
        assert all(r.path.startswith(BASE) for r in server.requests)
        assert all(r.headers["host"] == f"127.0.0.1:{server.port}" for r in server.requests)
