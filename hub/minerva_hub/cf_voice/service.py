"""The face as a whole: an application of its own, for a port of its own, and what the owner sees of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiohttp import web

from minerva_hub.cf_voice.guard import AllowList, guard
from minerva_hub.cf_voice.handlers import Handlers
from minerva_hub.cf_voice.problems import as_problems
from minerva_hub.cf_voice.requests import MAX_CLASSIFY
from minerva_hub.cf_voice.sessions import Sessions
from minerva_hub.cf_voice.streams import Streams
from minerva_hub.config import HubConfig, allowed_networks
from minerva_hub.events import CfVoiceInfo
from minerva_hub.pipeline import Pipeline

LOOK_S: Final = 1.0


class CfVoice:
    """The service; `changed` is called when what `info` says is another."""

    def __init__(
        self,
        config: HubConfig,
        pipeline: Pipeline,
        *,
        changed: Callable[[], None] = lambda: None,
        names: Collection[str] = (),
    ) -> None:
        self.allowed = AllowList(allowed_networks(config.cf_voice.allow))
        self.drops: Counter[str] = Counter()  # of connections, and of questions without a session
        self.address = ""  # once it listens, as a URL
        self.sessions = Sessions(pipeline, config.transcribe.language)
        self.app = web.Application(client_max_size=MAX_CLASSIFY)
        self.app.middlewares.append(as_problems)
        self.app.middlewares.append(guard(self.allowed, names))
        Handlers(self.sessions, self._drop).add_to(self.app)
        Streams(self.sessions).add_to(self.app)
        self.app.on_response_prepare.append(_add_headers)
        self.app.on_shutdown.append(self._shut_down)
        self._changed = changed
        self._shown = self.info()

    def info(self) -> CfVoiceInfo:
        """What the owner sees of it."""
        return CfVoiceInfo(
            address=self.address,
            allow=tuple(str(network) for network in self.allowed.networks),
            sessions=len(self.sessions),
            listening=self.sessions.sources(),
        )

    def lost(self) -> Counter[str]:
        """What was dropped or refused, by reason."""
        return self.drops + self.sessions.dropped()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CfVoice]:
        """Look after the sessions; at the end all of them end."""
        task = asyncio.create_task(self._look_after(), name="cf-voice")
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.sessions.end_all()

    async def _look_after(self) -> None:
        while True:
            await self.sessions.look()
            now = self.info()
            if now != self._shown:
                self._shown = now
                self._changed()
            await asyncio.sleep(LOOK_S)

    async def _shut_down(self, _: web.Application) -> None:
        """End what stays open, so that the server need not wait for clients who never leave."""
        await self.sessions.end_all()

    def _drop(self, name: str) -> None:
        self.drops[name] += 1


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-site"
    response.headers.setdefault("Cache-Control", "no-store")
