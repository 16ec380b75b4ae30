"""Engines and models on the page in Chromium: pulled, stopped, gone on with, verified and removed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import expect
from test_page_access import CONTRAST, ROLES, TOO_WIDE
from watched_page import Watched
from web_fakes import TestHub

from tests.fakes.file_server import FileServer, file_server
from tests.fakes.model_list import listed, table

pytestmark = pytest.mark.browser
Open = Callable[..., Awaitable[Watched]]
DATA = b"network" * 200_000
LONG = "a-model-with-a-name-of-sixty-four-characters-which-is-the-longest"[:64]


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FileServer]:
    async with file_server() as running:
        far = "https://127.0.0.1:1"
        listed(
            monkeypatch,
            table("base", running.url, 'name = "model.bin"', kind="whisper"),
            table(LONG, far, 'name = "net.tflite"'),
            table("asked", far, kind="pyannote", more="gated = true\n"),
        )
        yield running


async def test_a_model_is_pulled_by_keyboard_stopped_and_removed(
    open_page: Open, page_hub: TestHub, server: FileServer, tmp_path: Path
) -> None:
    server.put("/resolve/main/model.bin", DATA, stall_after=1_200_000)
    watched = await open_page()
    watched.expected = ["409"]
    await watched.open("devices")
    page = watched.page
    panel = page.get_by_role("region", name="Engines and models")
    await expect(panel).to_contain_text("pocketsphinx, en-us")
    words = panel.get_by_text("1 model for words, none here")
    await words.focus()
    await page.keyboard.press("Enter")
    row = panel.get_by_role("listitem", name="base", exact=True)
    await expect(row).to_contain_text("about 1 MB, MIT, 127.0.0.1")
    await row.get_by_role("button", name="Pull… base").focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("downloads about 1 MB from 127.0.0.1")
    await expect(dialog.get_by_role("button", name="Not now")).to_be_focused()
    assert server.asked == []  # nothing goes out before that
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(row).to_contain_text("Pulling model.bin: 1.")
    bar = row.get_by_role("progressbar", name="Progress of base")
    await expect(bar).to_be_visible()
    stop = row.get_by_role("button", name="Stop base")
    await expect(stop).to_be_focused()  # where "Pull…" was
    await page.keyboard.press("Enter")
    await expect(row).to_contain_text("A part is here")
    await expect(panel.get_by_role("status")).to_have_text("base: Stopped.")

    server.put("/resolve/main/model.bin", DATA)
    await row.get_by_role("button", name="Go on… base").click()
    await dialog.get_by_role("button", name="Pull it").click()
    await expect(row).to_contain_text("Here; engines are chosen at the hub's next start")
    await expect(row).to_contain_text("1.4 MB, MIT, 127.0.0.1, hashes recorded when it first came, verified")
    await expect(panel).to_contain_text("1 model for words, 1 here")
    assert server.ranges[-1] not in (None, "bytes=0-")

    (tmp_path / "hub" / "models" / "base" / "model.bin").write_bytes(DATA[::-1])
    await row.get_by_role("button", name="Verify base").click()
    await expect(row).to_contain_text("Damaged")
    await expect(row).to_contain_text("model.bin has another hash than was recorded.")
    await row.get_by_role("button", name="Remove… base").click()
    await dialog.get_by_role("button", name="Remove it").click()
    await expect(row).to_contain_text("Not here")
    await expect(row.get_by_role("button", name="Pull… base")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_for_everybody(open_page: Open, page_hub: TestHub, server: FileServer, scheme: str) -> None:
    """360 pixels, contrast, names for screen readers; all folds open, a failure and a pull that goes on."""
    server.put("/resolve/main/model.bin", DATA, stall_after=1_200_000)
    await page_hub.client.post(f"/api/models/{LONG}/pull", json={})
    watched = await open_page(width=360, height=740, color_scheme=scheme)
    await watched.open("devices")
    page = watched.page
    panel = page.get_by_role("region", name="Engines and models")
    for summary in await panel.locator("summary:visible").all():
        await summary.click()
    await expect(panel).to_contain_text("127.0.0.1 cannot be reached; is this computer on the internet?")
    await expect(panel).to_contain_text("Its source asks for an account and your consent")
    await page_hub.client.post("/api/models/base/pull", json={})
    await expect(panel.get_by_role("progressbar")).to_be_visible()
    assert await page.evaluate(TOO_WIDE) == []
    assert await page.evaluate("() => document.documentElement.scrollWidth") == 360
    assert await page.evaluate(CONTRAST) == []
    tree = await page.locator("body").aria_snapshot()
    assert [one for one in tree.splitlines() if one.strip(" -:") in [*ROLES, "progressbar"]] == [], tree
