"""Who may ask: DNS rebinding, forged requests, headers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from minerva_hub.auth import is_local
from minerva_hub.web.guard import Guard
from minerva_hub.web.problems import ApiError
from web_fakes import TestHub, device, running

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running(tmp_path) as running_hub:
        running_hub.fleet.add(device())
        yield running_hub


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "localhost:8484"])
async def test_own_names_are_served(hub: TestHub, host: str) -> None:
    assert (await hub.client.get("/api/health", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "192.168.1.5", "", "a b", "[::1"]
)
@pytest.mark.parametrize("path", ["/", "/api/health", "/api/events", "/page/js/main.js", "/api/nope"])
async def test_other_names_are_not(hub: TestHub, host: str, path: str) -> None:
    response = await hub.client.get(path, headers={"Host": host})
    assert response.status == 421
    assert (await response.json(content_type=None))["code"] == "host"


class Transport:
    """What a request knows of its connection."""

    def __init__(self, *, tls: bool, peer: str = "127.0.0.1", own: str = "127.0.0.1") -> None:
        self._known = {"sslcontext": object() if tls else None, "peername": (peer, 1), "sockname": (own, 2)}

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._known.get(name, default)


def check(host: str, *, tls: bool) -> bool:
    asked = make_mocked_request("GET", "/", headers={"Host": host}, transport=Transport(tls=tls))
    try:
        Guard(("nas.local", "minerva.home")).check_host(asked)
    except ApiError:
        return False
    return True


def test_on_the_network_addresses_are_fine_but_foreign_names_are_not() -> None:
    for host in ("192.168.1.5:8443", "[fe80::1]:8443", "nas.local", "Minerva.home:8443", "localhost"):
        assert check(host, tls=True), host
    for host in ("evil.example", "nas.evil.example", ""):
        assert not check(host, tls=True), host
    assert not check("nas.local", tls=False)


@pytest.mark.parametrize(
    ("transport", "headers", "local"),
    [
        (Transport(tls=False), {}, True),
        (Transport(tls=False, peer="::1", own="::1"), {}, True),
        (Transport(tls=True), {}, False),
        (Transport(tls=False, peer="192.168.1.9"), {}, False),
        (Transport(tls=False, own="192.168.1.9"), {}, False),
        (Transport(tls=False), {"X-Forwarded-For": "192.168.1.9"}, False),
        (Transport(tls=False), {"Forwarded": "for=127.0.0.1"}, False),
        (Transport(tls=True, peer="192.168.1.9"), {"X-Forwarded-For": "127.0.0.1"}, False),
    ],
)
def test_what_is_of_this_machine(transport: Transport, headers: dict[str, str], local: bool) -> None:
    assert is_local(make_mocked_request("GET", "/", headers=headers, transport=transport)) == local


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (JSON, 200),
        (JSON | {"Origin": "http://localhost:8484", "Host": "localhost:8484"}, 200),
        (JSON | {"Sec-Fetch-Site": "same-origin"}, 200),
        (JSON | {"Origin": "http://evil.example"}, 403),
        (JSON | {"Origin": "http://localhost:9999", "Host": "localhost:8484"}, 403),
        (JSON | {"Origin": "null"}, 403),
        (JSON | {"Sec-Fetch-Site": "cross-site"}, 403),
        (JSON | {"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data"}, 415),
    ],
)
async def test_only_own_pages_and_programs_change_things(
    hub: TestHub, headers: dict[str, str], status: int
) -> None:
    response = await hub.client.post("/api/devices/kitchen/mute", data=b'{"on": true}', headers=headers)
    assert response.status == status
    assert hub.fleet.infos["kitchen"].mute == ("hub" if status == 200 else "off")


async def test_other_sites_cannot_delete(hub: TestHub) -> None:
    session = await hub.store.begin_session("kitchen", "Kitchen", 1000)
    refused = await hub.client.delete(
        f"/api/sessions/{session.id}", headers={"Origin": "https://evil.example"}
    )
    assert refused.status == 403
    assert await hub.store.session(session.id)
    asked = await hub.client.options(
        f"/api/sessions/{session.id}", headers={"Origin": "https://evil.example"}
    )
    assert "Access-Control-Allow-Origin" not in asked.headers


@pytest.mark.parametrize("path", ["/", "/api/health", "/api/events", "/page/js/main.js", "/api/nope"])
async def test_headers_on_every_answer(hub: TestHub, path: str) -> None:
    async with hub.client.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert (
            "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        )
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in response.headers
        kept = "no-cache" if path in ("/", "/page/js/main.js") else "no-store"
        assert response.headers["Cache-Control"] == kept
