"""Fixtures of the hub's tests: a hub with its links, the faces in a process, and the page in Chromium."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from link_hub import a_hub
from linkpeer import LinkPeer
from minerva_hub.app import Hub
from watched_page import Watched
from web_fakes import TestHub, running

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[tuple[Hub, str]]:
    """A hub and its address."""
    async with a_hub(tmp_path) as running:
        yield running


@pytest.fixture
async def peer(hub: tuple[Hub, str]) -> AsyncIterator[Callable[..., Awaitable[LinkPeer]]]:
    """Makes connections to that hub."""
    async with aiohttp.ClientSession() as session:

        async def connect(**kwargs: Any) -> LinkPeer:
            return await LinkPeer(session, hub[1]).connect(**kwargs)

        yield connect


@pytest.fixture
async def page_hub(tmp_path: Path) -> AsyncIterator[TestHub]:
    async with running(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
async def open_page(page_hub: TestHub, tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Watched]]]:
    """Opens pages (`width`, `height`, `color_scheme`, `reduced_motion`); a fault on one fails the test."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: the page is NOT tested")
    playwright_api = pytest.importorskip("playwright.async_api")
    opened: list[Watched] = []
    async with playwright_api.async_playwright() as playwright:
        contexts = []

        async def start(width: int = 1280, height: int = 800, **options: Any) -> Watched:
            context = await playwright.chromium.launch_persistent_context(
                tmp_path / f"browser{len(contexts)}",
                executable_path=chromium,
                args=FLAGS,
                viewport={"width": width, "height": height},
                accept_downloads=True,
                **options,
            )
            contexts.append(context)
            context.set_default_timeout(15_000)
            watched = Watched(context.pages[0], page_hub)
            page = watched.page
            page.on("console", lambda m: watched.console.append(m.text) if m.type == "error" else None)
            page.on("pageerror", lambda error: watched.console.append(str(error)))
            page.on("request", lambda request: watched.requests.append(request.url))
            opened.append(watched)
            return watched

        yield start
        for context in contexts:
            await context.close()
    assert [fault for one in opened for fault in one.faults()] == []
