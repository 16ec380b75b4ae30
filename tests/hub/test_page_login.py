"""Logging in as the owner does it: in Chromium, over TLS, from the network's side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from link_hub import a_hub
from minerva_hub.app import Hub
from minerva_hub.events import FailedAttempts
from network_peer import PASSWORD, network_peer
from playwright.async_api import expect
from test_page_access import CONTRAST, TOO_WIDE
from watched_page import Watched
from web_fakes import TestHub, health

pytestmark = pytest.mark.browser
Open = Callable[..., Awaitable[Watched]]


@pytest.fixture
async def tls_hub(tmp_path: Path) -> AsyncIterator[tuple[Hub, str]]:
    async with a_hub(tmp_path / "tls", tls=True) as running:
        yield running


async def browser(open_page: Open, hub: Hub, **options: object) -> Watched:
    """A browser of the network whose owner went on although the certificate is the hub's own."""
    watched = await open_page(ignore_https_errors=True, **options)
    watched.hub = SimpleNamespace(url=hub.tls_address)  # type: ignore[assignment]
    watched.expected = ["status of 401", "ERR_INCOMPLETE"]  # as the stream of a login that ends
    return watched


async def test_from_no_password_to_logged_in_and_out(open_page: Open, tls_hub: tuple[Hub, str]) -> None:
    hub, address = tls_hub
    watched = await browser(open_page, hub, width=360, height=740)
    page = watched.page
    await page.goto(f"{hub.tls_address}/#/devices")
    await expect(page.get_by_role("heading", name="Set a password first")).to_be_visible()
    assert page.url.endswith("/login") or "/login#" in page.url
    assert await page.evaluate(TOO_WIDE) == [] and await page.evaluate(CONTRAST) == []

    local = await open_page()
    local.hub = SimpleNamespace(url=address)  # type: ignore[assignment]
    await local.page.goto(f"{address}/#/devices")
    await local.page.get_by_role("button", name="Set a password").click()
    await local.page.keyboard.type(PASSWORD)
    await local.page.keyboard.press("Tab")
    await local.page.keyboard.type("something else")
    await local.page.keyboard.press("Enter")
    await expect(local.page.get_by_text("The two are not the same.")).to_be_visible()
    await local.page.get_by_label("The same again").fill(PASSWORD)
    await local.page.keyboard.press("Enter")
    await expect(local.page.get_by_text("Nobody is logged in from the network.")).to_be_visible()
    await expect(local.page.get_by_role("button", name="Change the password")).to_be_focused()

    await page.get_by_role("button", name="It is set now").click()
    await expect(page.get_by_label("The owner's password")).to_be_focused()
    assert await page.evaluate(TOO_WIDE) == [] and await page.evaluate(CONTRAST) == []
    await page.keyboard.type("wrong horse")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="The password is wrong.")).to_be_visible()
    await page.keyboard.type(PASSWORD)  # what was wrong is selected
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#link[data-up=true]")
    assert await page.evaluate("document.cookie") == ""

    await expect(local.page.get_by_text("1 wrong password from 127.0.0.1")).to_be_visible()
    await page.goto(f"{hub.tls_address}/#/devices")
    await expect(page.get_by_text("This browser")).to_be_visible()
    await expect(page.get_by_text("1 wrong password from 127.0.0.1")).to_be_visible()
    assert await page.evaluate(TOO_WIDE) == [] and await page.evaluate(CONTRAST) == []
    await page.get_by_role("button", name="Log out", exact=True).click()
    await expect(page.get_by_label("The owner's password")).to_be_visible()
    await page.goto(f"{hub.tls_address}/")
    await expect(page.get_by_label("The owner's password")).to_be_visible()


async def test_whoever_is_logged_out_elsewhere_is_asked_again(
    open_page: Open, tls_hub: tuple[Hub, str]
) -> None:
    hub, _ = tls_hub
    async with network_peer(hub) as phone:
        watched = await browser(open_page, hub, color_scheme="dark")
        await set_password(tls_hub[1])
        await phone.log_in()
        page = watched.page
        await page.goto(f"{hub.tls_address}/login")
        await page.get_by_label("The owner's password").fill(PASSWORD)
        assert await page.evaluate(CONTRAST) == []
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_selector("#link[data-up=true]")
        assert await phone.status("POST", "/api/owner/logout", json={"everywhere": True}) == 204
        await expect(page.get_by_label("The owner's password")).to_be_visible()


async def set_password(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{address}/api/owner/password", json={"password": PASSWORD}) as response:
            assert response.status == 204


async def test_who_tried_in_vain_is_shown_as_text(open_page: Open, page_hub: TestHub) -> None:
    """What a device calls itself is a stranger's choice."""
    page_hub.current[0] = health(
        failed=(FailedAttempts(kind="token", address="192.168.1.9", who="<img src=x>", count=3, last_ms=1),)
    )
    watched = await open_page()
    await watched.open("devices")
    await expect(
        watched.page.get_by_text("3 wrong tokens from 192.168.1.9, as device <img src=x>")
    ).to_be_visible()
    assert await watched.page.locator(".owner img").count() == 0
