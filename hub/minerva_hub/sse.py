"""/api/events: the bus as server-sent events, for the page and for programs.

A client is subscribed first and then told how things stand, so nothing falls between the two. Each client's
queue is bounded by the bus, which gives up partials first, then levels; a slow client is told what it missed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

import msgspec
from aiohttp import web

from minerva_hub.bus import Bus, Subscription
from minerva_hub.errors import MinervaError
from minerva_hub.events import (
    DeviceChanged,
    DeviceInfo,
    Dropped,
    Event,
    HubHealth,
    Partial,
    Snapshot,
    Speaking,
)

HEARTBEAT_S = 15.0
RETRY_MS = 2000  # how long a browser waits before it connects again
MAX_CLIENTS = 64  # a household's tabs and scripts; each costs a socket and at most QUEUE events
QUEUE = 512  # events: two minutes of two rooms' levels
STALL_S = 30.0  # a client that reads nothing for so long is gone


class StreamsFullError(MinervaError):
    """MAX_CLIENTS clients are connected."""


class Streams:
    """The clients of /api/events."""

    def __init__(
        self, bus: Bus, devices: Callable[[], Sequence[DeviceInfo]], health: Callable[[], HubHealth]
    ) -> None:
        self.dropped = 0
        self._bus = bus
        self._devices = devices
        self._health = health
        self._open: set[Subscription] = set()
        self._speaking: dict[str, Speaking] = {}
        self._partials: dict[str, Partial] = {}  # of what is still being spoken
        self._watch: Subscription | None = None

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Cleanup context: remember who is speaking, for clients that come later."""
        with self._bus.subscribe(QUEUE) as self._watch:
            task = asyncio.create_task(self._follow(self._watch), name="sse-speaking")
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def stop(self, _: web.Application) -> None:
        """End all streams, so that the server need not wait for clients who never leave."""
        for subscription in tuple(self._open):
            subscription.close()

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._open)

    async def _follow(self, subscription: Subscription) -> None:
        async for event in subscription:
            self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, Partial):
            self._partials[event.device] = event
        elif isinstance(event, Speaking):
            if event.state == "idle":
                self._forget(event.device)
            else:
                self._speaking[event.device] = event
                if event.state == "speaking":
                    self._partials.pop(event.device, None)
        elif isinstance(event, DeviceChanged) and not event.device.online:
            self._forget(event.device.id)

    def _forget(self, device: str) -> None:
        self._speaking.pop(device, None)
        self._partials.pop(device, None)

    async def _snapshot(self) -> Snapshot:
        while self._watch is not None and len(self._watch):  # does not suspend: these are here already
            self._note(await anext(self._watch))
        devices = tuple(self._devices())
        known = {device.id for device in devices}
        return Snapshot(
            devices=devices,
            health=self._health(),
            speaking=tuple(event for event in self._speaking.values() if event.device in known),
            partials=tuple(event for event in self._partials.values() if event.device in known),
        )

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Handler of GET /api/events."""
        if len(self._open) >= MAX_CLIENTS:
            body = {"code": "too_many_clients", "message": f"{MAX_CLIENTS} clients are connected, the limit"}
            return web.Response(
                status=503,
                body=msgspec.json.encode(body),
                content_type="application/problem+json",
                headers={"Retry-After": "5"},
            )
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx and its kind would hold events back
            }
        )
        with self._bus.subscribe(QUEUE) as subscription:
            self._open.add(subscription)
            try:
                await response.prepare(request)
                await self._send(response, subscription)
            except (ConnectionError, TimeoutError):
                pass  # the client left, or reads nothing: it comes back by itself and fetches what it missed
            finally:
                self._open.discard(subscription)
                self.dropped += subscription.dropped
        return response

    async def _send(self, response: web.StreamResponse, subscription: Subscription) -> None:
        ids = _Ids()
        await _write(response, f": heartbeat\nretry: {RETRY_MS}\n\n".encode())
        await _write(response, ids.frame(await self._snapshot()))
        told = 0
        pending: asyncio.Future[Event] | None = None
        try:
            while True:
                pending = pending or asyncio.ensure_future(anext(subscription))
                done, _ = await asyncio.wait({pending}, timeout=HEARTBEAT_S)
                if not done:
                    await _write(response, b": heartbeat\n\n")
                    continue
                try:
                    event = pending.result()
                except StopAsyncIteration:
                    return
                pending = None
                frame = ids.frame(event)
                if subscription.dropped > told:
                    frame = ids.frame(Dropped(count=subscription.dropped - told)) + frame
                    told = subscription.dropped
                await _write(response, frame)
        finally:
            if pending is not None:
                pending.cancel()


class _Ids:
    """Ids that grow over reconnects and restarts too: microseconds since 1970, or one more than the last."""

    def __init__(self) -> None:
        self._last = 0

    def frame(self, event: Event) -> bytes:
        """One event as it goes over the wire; JSON has no raw line ends, so one `data:` line holds it."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        data = msgspec.json.encode(event)
        tag = str(event.__struct_config__.tag).encode()
        return b"event: %b\nid: %d\ndata: %b\n\n" % (tag, self._last, data)


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(STALL_S):
        await response.write(data)


def setup(
    app: web.Application,
    *,
    bus: Bus,
    devices: Callable[[], Sequence[DeviceInfo]],
    health: Callable[[], HubHealth],
) -> Streams:
    """Add /api/events to the application; `devices` and `health` say how things stand."""
    streams = Streams(bus, devices, health)
    app.cleanup_ctx.append(streams.run)
    app.on_shutdown.append(streams.stop)
    app.router.add_get("/api/events", streams.serve, allow_head=False)
    return streams
