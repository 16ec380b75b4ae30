"""Every word of the demo came over /link: with the link cut no text comes, and the hub opens no recording."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from minerva_hub.events import Utterance
from minerva_tools import demo
from minerva_tools.virtual import VirtualDevice

from tests.system.rig import Proxy, hub_config, until

SOUND = (".wav", ".flac")
PATIENCE_S = 120.0  # of a machine that is busy with other things; an idle one takes seconds
QUIET_S = 20.0  # the hub waits 15 s for a device to come back and finish its sentence


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


async def heard_last(heard: Callable[[], Awaitable[list[Utterance]]], cut_ms: int) -> list[Utterance]:
    """What was heard, once nothing was added to it for QUIET_S; all of it was said before `cut_ms`."""
    last, since_s = await heard(), time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while time.monotonic() - since_s < QUIET_S:
            await asyncio.sleep(0.2)
            if (now := await heard()) != last:
                last, since_s = now, time.monotonic()
    assert all(utterance.end_ms <= cut_ms + 500 for utterance in last)
    return last


_opened = Opened()
sys.addaudithook(_opened)  # for the life of the process: Python has no way to take it away again


@pytest.fixture
def opened() -> Iterator[Opened]:
    _opened.files.clear()
    yield _opened
    _opened.watching = False


@pytest.mark.timeout(600)
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

            async with asyncio.timeout(PATIENCE_S):
                while len(await heard()) < 3:
                    await asyncio.sleep(0.1)
            proxy.shut = True
            proxy.cut()
            cut_ms = time.time_ns() // 1_000_000
            await until(lambda: running.hub.fleet.online == 0, "both devices to be offline")
            # Text that still came for ever would never let this end.
            before = await heard_last(heard, cut_ms)
            # The devices went on listening: it was the link alone that kept their words away.
            proxy.shut = False
            async with asyncio.timeout(PATIENCE_S):
                while len(await heard()) <= len(before):
                    await asyncio.sleep(0.1)
            await until(
                lambda: proxy.connections >= 4,
                "both devices to have come again through the proxy",
                PATIENCE_S,
            )
    assert opened.files == []
