"""Every word of the demo came over /link: with the link cut no text comes, and the hub opens no recording."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from minerva_tools import demo
from minerva_tools.virtual import VirtualDevice

from tests.system.rig import Proxy, hub_config, until

SOUND = (".wav", ".flac")
SETTLE_S = 5.0  # the sentence that the cut broke off, and what its engine still works on


class Opened:
    """The sound files that this process, in which the hub runs, reads while `watching`."""

    def __init__(self) -> None:
        self.watching = False
        self.files: list[str] = []

    def __call__(self, event: str, arguments: tuple) -> None:
        if not self.watching or event != "open":
            return
        path, _, flags = arguments
        if str(path).endswith(SOUND) and flags & os.O_ACCMODE == os.O_RDONLY:
            self.files.append(str(arguments[0]))


_opened = Opened()
sys.addaudithook(_opened)  # for the life of the process: Python has no way to take it away again


@pytest.fixture
def opened() -> Iterator[Opened]:
    _opened.files.clear()
    yield _opened
    _opened.watching = False


async def test_with_the_link_cut_the_text_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    async with Proxy() as proxy:

        def behind_the_proxy(settings: dict, *args, **options) -> VirtualDevice:
            opened.watching = True
            url = proxy.before(settings["url"])
            return VirtualDevice({**settings, "url": url}, *args, **options)

        monkeypatch.setattr(demo, "VirtualDevice", behind_the_proxy)
        said: list[str] = []
        async with demo.stage(hub_config(tmp_path), demo.load_demo(), loop=True, say=said.append) as running:

            async def heard():
                return await running.hub.store.utterances(limit=1000)

            async with asyncio.timeout(60):
                while len(await heard()) < 3:
                    await asyncio.sleep(0.1)
            proxy.shut = True
            proxy.cut()
            cut_ms = time.time_ns() // 1_000_000
            await until(lambda: running.hub.fleet.online == 0, "both devices to be offline")
            await asyncio.sleep(SETTLE_S)
            before = await heard()
            assert all(utterance.end_ms <= cut_ms + 500 for utterance in before)
            await asyncio.sleep(SETTLE_S)
            assert await heard() == before
            # The devices went on listening: it was the link alone that kept their words away.
            proxy.shut = False
            async with asyncio.timeout(60):
                while len(await heard()) <= len(before):
                    await asyncio.sleep(0.1)
            await until(lambda: proxy.connections >= 4, "both devices to have come again through the proxy")
    assert opened.files == []
