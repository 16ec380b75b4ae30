"""Who of the network is let in: the owner's password, logins, forged requests, storms of guesses."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from link_hub import a_hub, until
from minerva_hub.app import Hub
from minerva_hub.auth import Access, sessions
from minerva_hub.auth.access import PASSWORDS
from minerva_hub.auth.attempts import Limit
from minerva_hub.errors import TooManyAttemptsError, WrongPasswordError
from minerva_hub.store import Store
from minerva_hub.web.login import COOKIE, PUBLIC
from network_peer import PASSWORD, NetworkPeer, network_peer

from tests.fakes.ota_release import OWNER, keyset

BURST = PASSWORDS[0].burst
SECRET_PLACES = ("/api/health", "/api/devices", "/api/utterances", "/api/events", "/api/openapi.json",
                 "/page/js/main.js", "/page/", "/nowhere", "/api/nowhere")  # fmt: skip


@pytest.fixture
async def tls_hub(tmp_path: Path) -> AsyncIterator[tuple[Hub, str]]:
    async with a_hub(tmp_path, tls=True) as running:
        yield running


@pytest.fixture
async def peer(tls_hub: tuple[Hub, str]) -> AsyncIterator[NetworkPeer]:
    """Somebody on the network of a hub whose owner has a password."""
    await set_password(tls_hub[1])
    async with network_peer(tls_hub[0]) as one:
        yield one


async def set_password(address: str, password: str = PASSWORD) -> int:
    """As the page does on the hub's machine."""
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{address}/api/owner/password", json={"password": password}) as response:
            return response.status


def basic(password: str, user: str = "owner") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_without_a_password_the_network_sees_only_that_one_must_be_set(
    tls_hub: tuple[Hub, str],
) -> None:
    async with network_peer(tls_hub[0]) as peer:
        for path in SECRET_PLACES:
            assert await peer.status("GET", path) == 401, path
        async with peer.ask("GET", "/") as response:
            assert (response.status, response.headers["Location"]) == (303, "/login")
        async with peer.ask("GET", "/login") as response:
            assert response.status == 200 and "minerva owner password" in await response.text()
        async with peer.ask("GET", "/api/owner") as response:
            said = await response.json()
        assert said == {"password_set": False, "local": False, "logged_in": False, "logins": []}
        for password in ("", "x", "None", PASSWORD):
            body = {"password": password}
            assert (await peer.code("POST", "/api/owner/login", json=body))[0] in (400, 401)
        assert await peer.code("GET", "/api/health", headers=basic("")) == (401, "no_password")


async def test_what_is_public_is_there_and_shows_nothing_of_the_house(peer: NetworkPeer) -> None:
    for path in PUBLIC - {"/api/owner/login"}:
        assert await peer.status("GET", path) == 200, path
    async with peer.ask("GET", "/login") as response:
        text = await response.text()
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert "kitchen" not in text.lower() and "style=" not in text and "<script>" not in text


async def test_the_password_opens_everything_and_logout_closes_it(peer: NetworkPeer) -> None:
    assert await peer.log_in("wrong horse") == 401
    assert await peer.status("GET", "/api/health") == 401
    assert await peer.log_in() == 204
    for path in ("/", "/api/health", "/api/devices", "/page/js/main.js"):
        assert await peer.status("GET", path) == 200, path
    async with peer.ask("GET", "/login") as response:
        assert (response.status, response.headers["Location"]) == (303, "/")
    async with peer.ask("GET", "/api/owner") as response:
        said = await response.json()
    assert said["logged_in"] and [login["own"] for login in said["logins"]] == [True]
    assert await peer.status("POST", "/api/owner/logout", json={}) == 204
    assert await peer.status("GET", "/api/health") == 401


async def test_the_cookie_is_for_this_host_over_tls_and_not_for_scripts(peer: NetworkPeer) -> None:
    async with peer.ask("POST", "/api/owner/login", json={"password": PASSWORD}) as response:
        (header,) = response.headers.getall("Set-Cookie")
    (cookie,) = SimpleCookie(header).values()
    assert cookie.key == COOKIE and COOKIE.startswith("__Host-")
    assert (cookie["path"], cookie["samesite"], cookie["domain"]) == ("/", "Strict", "")
    assert cookie["secure"] and cookie["httponly"]
    assert int(cookie["max-age"]) == sessions.LIFE_S
    assert len(cookie.value) >= 43


async def test_a_cookie_is_not_in_the_database(peer: NetworkPeer, tmp_path: Path) -> None:
    await peer.log_in()
    (cookie,) = peer.session.cookie_jar
    stored = b"".join(path.read_bytes() for path in (tmp_path / "store").glob("minerva.db*"))
    assert sessions.hash_id(cookie.value).encode() in stored
    assert cookie.value.encode() not in stored and PASSWORD.encode() not in stored


async def test_logins_outlive_a_restart_and_end_with_a_new_password(tmp_path: Path) -> None:
    async with a_hub(tmp_path, tls=True) as (hub, address), network_peer(hub) as peer:
        await set_password(address)
        await peer.log_in()
        jar = peer.session.cookie_jar
        (cookie,) = jar
        authority = hub.identity.ca_pem
    async with a_hub(tmp_path, tls=True) as (hub, address), network_peer(hub) as peer:
        assert hub.identity.ca_pem == authority
        headers = {"Cookie": f"{COOKIE}={cookie.value}"}
        assert await peer.status("GET", "/api/health", headers=headers) == 200
        await set_password(address, "another horse")
        assert await peer.status("GET", "/api/health", headers=headers) == 401
        assert await peer.log_in() == 401
        assert await peer.log_in("another horse") == 204


async def test_a_password_set_by_the_command_voids_the_old_one_at_once(
    peer: NetworkPeer, tls_hub: tuple[Hub, str], tmp_path: Path
) -> None:
    """The command changes the database of a hub that runs, and has already seen the old one to be right."""
    assert await peer.status("GET", "/api/health", headers=basic(PASSWORD)) == 200
    store = await Store.open(tmp_path / "store")
    await Access.of(store).owner.set("another horse")
    await store.close()
    assert await peer.status("GET", "/api/health", headers=basic(PASSWORD)) == 401
    assert await peer.status("GET", "/api/health", headers=basic("another horse")) == 200


async def test_a_new_password_ends_what_is_open_at_once(
    tls_hub: tuple[Hub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, address = tls_hub
    await set_password(address)
    monkeypatch.setattr(sessions, "SWEEP_S", 3600.0)
    async with network_peer(hub) as peer:
        await peer.log_in()
        async with peer.ask("GET", "/api/events") as stream:
            await stream.content.readline()
            assert await set_password(address, "another horse") == 204
            async with asyncio.timeout(10):
                with pytest.raises(aiohttp.ClientError):
                    while await stream.content.readany():
                        pass
                    raise aiohttp.ClientError("the stream ended")


async def test_a_new_password_ends_the_trust_in_who_knew_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was right has a limit of their own: a guesser who knew the old password must not keep it."""
    monkeypatch.setattr("minerva_hub.auth.access.PASSWORDS", (Limit(8, 30.0), Limit(2, 3600.0)))
    store = await Store.open(tmp_path)
    owner = Access.of(store).owner
    await owner.set(PASSWORD)
    await owner.prove(PASSWORD, "192.0.2.1")
    for source in ("192.0.2.2", "192.0.2.3"):
        with pytest.raises(WrongPasswordError):
            await owner.prove("a guess", source)
    await owner.prove(PASSWORD, "192.0.2.1")
    await owner.set("another horse")
    with pytest.raises(TooManyAttemptsError):
        await owner.prove(PASSWORD, "192.0.2.1")
    await store.close()


@pytest.mark.parametrize("body", [b"abcd", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03garbage"])
async def test_a_body_that_is_not_as_encoded_as_it_says_is_one_line(
    peer: NetworkPeer, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    status, code = await peer.code("POST", "/api/owner/login", data=body, headers=headers)
    assert (status, code) == (400, "json")
    assert "Traceback" not in caplog.text
    deep = b'{"password":' + b"[" * 2000
    assert (
        await peer.code("POST", "/api/owner/login", data=deep, headers={"Content-Type": "application/json"})
    )[0] == 400


async def test_whose_releases_are_trusted_is_settled_on_the_hubs_machine(
    peer: NetworkPeer, tls_hub: tuple[Hub, str]
) -> None:
    """The owner's password alone does not decide whose code runs in the house."""
    await peer.log_in()
    for replace in (False, True):
        body = {"text": keyset(OWNER).decode(), "replace": replace}
        assert await peer.code("PUT", "/api/keyset", json=body) == (403, "local_only")
    assert await tls_hub[0].store.updates.key_set() is None


async def test_logins_expire(peer: NetworkPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    await peer.log_in()
    (cookie,) = peer.session.cookie_jar
    headers = {"Cookie": f"{COOKIE}={cookie.value}"}
    real = sessions._now_ms
    monkeypatch.setattr(sessions, "_now_ms", lambda: real() + sessions.LIFE_S * 1000 - 5000)
    assert await peer.status("GET", "/api/health", headers=headers) == 200
    monkeypatch.setattr(sessions, "_now_ms", lambda: real() + sessions.LIFE_S * 1000 + 5000)
    assert await peer.status("GET", "/api/health", headers=headers) == 401


async def test_logout_everywhere_ends_what_is_open(tls_hub: tuple[Hub, str]) -> None:
    hub, address = tls_hub
    await set_password(address)
    async with network_peer(hub) as phone, network_peer(hub) as laptop:
        assert await phone.log_in() == await laptop.log_in() == 204
        async with phone.ask("GET", "/api/events") as stream:
            await stream.content.readline()
            assert await laptop.status("POST", "/api/owner/logout", json={"everywhere": True}) == 204
            async with asyncio.timeout(10):
                with pytest.raises(aiohttp.ClientError):
                    while await stream.content.readany():
                        pass
                    raise aiohttp.ClientError("the stream ended")
        assert await phone.status("GET", "/api/health") == 401
        assert await laptop.status("GET", "/api/health") == 401


async def test_a_logout_by_the_command_reaches_open_streams(
    tls_hub: tuple[Hub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command changes the database of a hub that runs."""
    hub, address = tls_hub
    await set_password(address)
    monkeypatch.setattr(sessions, "SWEEP_S", 0.05)
    async with network_peer(hub) as peer:
        await peer.log_in()
        async with peer.ask("GET", "/api/events") as stream:
            await stream.content.readline()
            await hub.store.logins.remove_all()
            async with asyncio.timeout(15):
                with pytest.raises(aiohttp.ClientError):
                    while await stream.content.readany():
                        pass
                    raise aiohttp.ClientError("the stream ended")


async def test_programs_show_the_password_each_time(peer: NetworkPeer) -> None:
    assert await peer.status("GET", "/api/health", headers=basic(PASSWORD)) == 200
    assert await peer.status("GET", "/api/health", headers=basic(PASSWORD)) == 200
    for headers in (
        basic("wrong horse"), basic(PASSWORD, "root"), basic(PASSWORD + " "), basic(PASSWORD[:-1]),
        {"Authorization": "Basic !!"}, {"Authorization": "Bearer x"}, {"Authorization": "Basic /w=="},
        {"Authorization": "Basic " + "A" * 5000},
    ):  # fmt: skip
        async with peer.ask("GET", "/api/health", headers=headers) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Basic ")
    browser = {"Sec-Fetch-Mode": "cors"}
    async with peer.ask("GET", "/api/health", headers=browser) as response:
        assert not response.headers["WWW-Authenticate"].startswith("Basic")  # no window of the browser's


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Host": "evil.example"},
    ],
)
async def test_other_sites_cannot_use_the_login(
    peer: NetworkPeer, tls_hub: tuple[Hub, str], headers: dict[str, str]
) -> None:
    await tls_hub[0].fleet.refresh()
    await peer.log_in()
    json = {"Content-Type": "application/json"}
    for path in ("/api/owner/logout", "/api/owner/login", "/api/devices/kitchen/mute"):
        assert await peer.status("POST", path, data=b"{}", headers=json | headers) in (403, 415, 421)
    own = {"Origin": peer.address, "Sec-Fetch-Site": "same-origin"}
    assert await peer.status("POST", "/api/devices/kitchen/mute", json={"on": True}, headers=own) == 200
    plain = {"Origin": peer.address.replace("https", "http")}
    assert await peer.status("POST", "/api/devices/kitchen/mute", json={"on": True}, headers=plain) == 403


async def test_the_password_is_set_on_the_hubs_machine_only(
    peer: NetworkPeer, tls_hub: tuple[Hub, str]
) -> None:
    body = {"password": "burglar's own"}
    assert await peer.status("POST", "/api/owner/password", json=body) == 401
    await peer.log_in()
    assert await peer.code("POST", "/api/owner/password", json=body) == (403, "local_only")
    assert await peer.log_in() == 204
    for wrong in ("short", "x" * 257, "tab\tand bell\a"):
        assert await set_password(tls_hub[1], wrong) == 409
    assert await peer.log_in() == 204


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
async def test_a_proxy_on_the_machine_opens_nothing(
    tls_hub: tuple[Hub, str], header: str, peer: NetworkPeer
) -> None:
    """Neither does it speak for loopback, nor does what it says of others win anything."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{tls_hub[1]}/api/health", headers={header: "127.0.0.1"}) as response:
            assert response.status == 401
    assert await peer.status("GET", "/api/health", headers={header: "127.0.0.1"}) == 401


async def test_a_storm_of_guesses_is_stopped_and_shown(peer: NetworkPeer, tls_hub: tuple[Hub, str]) -> None:
    hub, address = tls_hub
    guesses = [peer.log_in(f"guess number {n}") for n in range(BURST + 12)]
    answers = await asyncio.gather(*guesses)
    looked_at = answers.count(401)
    assert looked_at <= BURST and set(answers) <= {401, 429, 503}
    async with peer.ask("POST", "/api/owner/login", json={"password": "one more"}) as response:
        left = response.status == 401  # those that found too many waiting were not counted as wrong
    while left:
        left = await peer.log_in("and more") == 401
    async with peer.ask("POST", "/api/owner/login", json={"password": PASSWORD}) as response:
        assert response.status == 429  # even the right one: a guesser must not learn that it was
        assert 0 < int(response.headers["Retry-After"]) <= 30
    health = hub.health()
    assert health.drops["wrong_passwords"] == BURST and health.drops["attempts_blocked"] > 0
    (line,) = health.failed
    assert (line.kind, line.address, line.who, line.count) == ("password", "127.0.0.1", "owner", BURST)
    async with aiohttp.ClientSession() as session:  # the owner at the machine is not locked out
        async with session.get(f"{address}/api/health") as response:
            assert (await response.json())["failed"][0]["count"] == BURST


async def test_whoever_is_in_stays_in_during_a_storm(peer: NetworkPeer, tls_hub: tuple[Hub, str]) -> None:
    await peer.log_in()
    async with network_peer(tls_hub[0]) as guesser:
        while await guesser.log_in("a guess") != 429:
            pass
    assert await peer.status("GET", "/api/health") == 200


async def test_too_many_logins_end_the_oldest(
    peer: NetworkPeer, tls_hub: tuple[Hub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_LOGINS", 3)
    await peer.log_in()
    (first,) = [cookie.value for cookie in peer.session.cookie_jar]
    for _ in range(3):
        assert await peer.log_in() == 204
    assert len(await tls_hub[0].store.logins.all(0)) == 3
    peer.session.cookie_jar.clear()
    assert await peer.status("GET", "/api/health", headers={"Cookie": f"{COOKIE}={first}"}) == 401


async def test_devices_need_their_token_and_no_login(peer: NetworkPeer, tls_hub: tuple[Hub, str]) -> None:
    hub, _ = tls_hub
    url = f"{peer.address}/default/controller/v1/kitchen"
    for token, status in (("secret", 200), ("secret ", 200), ("Secret", 401), ("", 401)):
        headers = {"Authorization": f"TargetToken {token}", "Host": "any.name.at.all"}
        async with peer.session.get(url, headers=headers, **peer.tls) as response:
            assert response.status == status, token
    ends: Any = await peer.session.ws_connect(f"{peer.address}/link", protocols=("minerva.v1",), **peer.tls)
    await ends.close()
    await until(lambda: any(line.kind == "token" for line in hub.health().failed))
