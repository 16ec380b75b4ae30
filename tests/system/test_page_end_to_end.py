"""The page of the running demo in Chromium: what virtual devices hear appears, is found, exported and muted.

Keeps the pictures of scripts/screenshots.py in artifacts/.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from minerva_hub.config import HubConfig, ServerConfig, TranscribeConfig
from minerva_tools import demo

from scripts.screenshots import FLAGS
from tests.system.rig import ROOT, api

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.async_api", reason="playwright is missing: page NOT tested")
expect = playwright_api.expect


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator:
    """A page in Chromium whose errors fail the test."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: the page is NOT tested")
    faults: list[str] = []
    async with playwright_api.async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "browser", executable_path=chromium, args=list(FLAGS), accept_downloads=True
        )
        context.set_default_timeout(15_000)
        page = context.pages[0]
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        await context.close()
    assert faults == []


async def screenshots(address: str) -> list[Path]:
    """What scripts/screenshots.py takes of a running hub."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "scripts" / "screenshots.py"),
        address,
        f"--out={ROOT / 'artifacts'}",
        "--wait=0.3",
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return [Path(line) for line in out.decode().splitlines()]


@pytest.mark.timeout(150)
async def test_the_demo_on_the_page(page, tmp_path: Path) -> None:
    config = HubConfig(
        server=ServerConfig(port=0, tls=False), transcribe=TranscribeConfig(engine="pocketsphinx")
    )
    async with demo.stage(config, demo.load_demo(), loop=True, say=print) as running:
        kitchen = running.devices["Kitchen"]
        await page.goto(f"{running.address}/#/live")
        log = page.get_by_role("log", name="Live transcript")
        now = page.get_by_role("list", name="Being said now")
        await expect(now).to_contain_text("Kitchen", timeout=30_000)
        line = log.get_by_role("listitem").filter(has_text="Kitchen").first
        await expect(line).to_be_visible(timeout=30_000)
        await expect(log).to_contain_text("Study", timeout=40_000)
        await expect(log).to_contain_text("Speaker A")

        # Search finds a word of it.
        async with api(running.address) as call:
            _, found = await call("GET", "/api/utterances?limit=100")
        said = next(u for u in found["items"] if u["room"] == "Kitchen")
        word = max(re.findall(r"[a-z]+", said["text"]), key=len)
        await page.goto(f"{running.address}/#/timeline?q={word}")
        hit = page.get_by_role("main").get_by_role("link").filter(has_text=word).first
        await expect(hit).to_be_visible()

        # The session is exported, with that line in it.
        await page.goto(f"{running.address}/#/session/{said['session_id']}")
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Export as SRT").click()
        await (await download.value).save_as(tmp_path / "kitchen.srt")
        text = (tmp_path / "kitchen.srt").read_text()
        assert text.startswith("1\n00:") and said["text"] in " ".join(text.split())

        pictures = await screenshots(running.address)
        names = {path.name for path in pictures}
        assert names == {
            f"{place}-{size}-{scheme}.png"
            for place in ("live", "timeline", "devices", "updates", "session")
            for size in ("desktop", "phone")
            for scheme in ("light", "dark")
        }
        assert all(path.stat().st_size > 10_000 for path in pictures)

        # Mute on the page stops the microphone of that device alone, and ends it again.
        await page.goto(f"{running.address}/#/devices")
        assert not [text for text in kitchen.log if "I2S off" in text]
        await page.get_by_role("button", name="Mute Kitchen", exact=True).click()
        await kitchen.wait_for("I2S off", timeout_s=10)
        main = page.get_by_role("main")
        await expect(main).to_contain_text("Muted from the hub: the microphone is stopped.")
        assert not [text for text in running.devices["Study"].log if "I2S off" in text]
        await page.get_by_role("button", name="Unmute Kitchen", exact=True).click()
        await kitchen.wait_for("muted: off", timeout_s=10)

        # A mute at the button is shown, and the page cannot end it.
        await kitchen.press_button()
        await kitchen.wait_for("mute: button", timeout_s=10)
        await expect(main).to_contain_text("Only the button ends that, not this page.")
        await expect(page.get_by_role("button", name="Unmute Kitchen", exact=True)).to_be_disabled()
