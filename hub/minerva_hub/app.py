"""The hub as a whole: opens the parts, joins them in one aiohttp application, runs and stops them."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version

import msgspec
from aiohttp import web

from minerva_hub import ddi, link, sse
from minerva_hub import web as page
from minerva_hub.auth import Access, Identity, own_names
from minerva_hub.auth.identity import FOLDER as IDENTITY
from minerva_hub.auth.names import lan_addresses
from minerva_hub.bus import Bus
from minerva_hub.cf_voice import CfVoice
from minerva_hub.config import CfVoiceConfig, HubConfig, ServerConfig
from minerva_hub.download import ModelJobs
from minerva_hub.errors import UserError
from minerva_hub.events import DeviceInfo, HealthChanged, HubHealth, Mode
from minerva_hub.fleet import Fleet
from minerva_hub.link import LinkHub
from minerva_hub.listen import ListedSite, TlsSite, allow_files, bind
from minerva_hub.pipeline import Pipeline
from minerva_hub.releases import Releases
from minerva_hub.rollouts import Rollouts
from minerva_hub.rollouts.shelf import FOLDER as RELEASES
from minerva_hub.rollouts.shelf import Shelf
from minerva_hub.segment import EarBank
from minerva_hub.store import Store
from minerva_hub.transcribe import Engine

_log = logging.getLogger(__name__)

# So long a connection may be without a whole request: before its headers are complete, and between two
# requests. Above the 15 s of aiohttp's own clients, so that they let go first.
IDLE_S = 30.0


class Commands:
    """What people may ask of the hub: the fleet's commands and the end of a conversation."""

    def __init__(self, fleet: Fleet, pipeline: Pipeline) -> None:
        self._fleet = fleet
        self._pipeline = pipeline

    def devices(self) -> list[DeviceInfo]:
        """Every registered device, online or not."""
        return self._fleet.devices()

    async def set_mute(self, device_id: str, on: bool) -> DeviceInfo:
        """Mute a device, or end the hub's mute."""
        return await self._fleet.set_mute(device_id, on)

    async def set_mode(self, device_id: str, mode: Mode) -> DeviceInfo:
        """Ask a device for a privacy mode."""
        return await self._fleet.set_mode(device_id, mode)

    async def end_session(self, session_id: int) -> None:
        """End a conversation now."""
        await self._pipeline.end_session(session_id)


@dataclass(frozen=True)
class Hub:
    """A running hub without its sockets: `app` serves it.

    `tls_address` is where the network finds it, https://HOST:PORT; None while it is not served by TLS.
    """

    app: web.Application
    store: Store
    bus: Bus
    fleet: Fleet
    pipeline: Pipeline
    health: Callable[[], HubHealth]
    identity: Identity
    rollouts: Rollouts
    shelf: Shelf
    cf_voice: CfVoice | None = None
    tls_address: str | None = None
    tls_drops: Counter[str] = field(default_factory=Counter)


@asynccontextmanager
async def open_hub(config: HubConfig, *, engine: Callable[[], Engine] | None = None) -> AsyncIterator[Hub]:
    """Open the parts and begin to work; the engines load behind this. `engine` replaces the choice.

    StoreError when the database cannot be used, EngineUnavailableError without the speech detector.
    """
    started_ms = time.time_ns() // 1_000_000
    store = await Store.open(config.store.path)
    bus = Bus()
    fleet = Fleet(store, bus)
    tls_drops: Counter[str] = Counter()
    access = Access.of(store, changed=lambda: bus.publish(HealthChanged(health=health())))

    def health() -> HubHealth:
        drops = Counter(pipeline.drops)
        drops.update(links.drops)
        drops.update(tls_drops)
        drops.update(access.drops())
        drops.update(updates.drops)
        if voice is not None:
            drops.update(voice.lost())
        drops["bus"] += bus.dropped
        return HubHealth(
            version=version("minerva-hub"),
            hub_id=links.hub_id,
            started_ms=started_ms,
            engines=pipeline.engines(),
            warnings=tuple(pipeline.warnings.values()),
            devices_online=fleet.online,
            queues=pipeline.queues(),
            drops={name: count for name, count in drops.items() if count},
            work=pipeline.work(),
            failed=access.failures.lines(),
            cf_voice=None if voice is None else voice.info(),
        )

    try:
        names = await asyncio.to_thread(own_names, config.server.names)
        identity = await asyncio.to_thread(Identity.open, config.store.path / IDENTITY, store.hub_id, names)
        bank = await asyncio.to_thread(EarBank, config.segment, backlog_s=config.ingest.backlog_s)
        pipeline = Pipeline(
            config,
            store,
            bus,
            bank=bank,
            engine=engine,
            changed=lambda: bus.publish(HealthChanged(health=health())),
            on_gap=fleet.lost,
        )
        voice = None
        if config.cf_voice.enabled:
            voice = CfVoice(
                config,
                pipeline,
                changed=lambda: bus.publish(HealthChanged(health=health())),
                names=identity.names,
            )
        rollouts = Rollouts(store, bus, fleet)
        shelf = Shelf(config.store.path / RELEASES)
        await asyncio.to_thread(shelf.open)
        releases = Releases(store.updates, shelf)
        models = ModelJobs(config.models.path, bus)
        fleet.on_linked = rollouts.linked
        fleet.on_removed = _both(pipeline.forget, rollouts.removed)
        links = LinkHub(
            store=store,
            bus=bus,
            fleet=fleet,
            pipeline=pipeline,
            kind=config.ingest.kind,
            tokens=access.tokens,
        )
        app = web.Application(client_max_size=64 * 1024)
        commands = Commands(fleet, pipeline)
        page.setup(
            app,
            store=store,
            bus=bus,
            fleet=commands,
            updates=page.Updating(releases=releases, rollouts=rollouts, shelf=shelf),
            models=models,
            health=health,
            access=access,
            names=identity.names,
        )
        sse.setup(app, bus=bus, devices=fleet.devices, health=health)
        link.setup(app, links)
        updates = ddi.setup(
            app, store=store, fleet=fleet, tokens=access.tokens, rollouts=rollouts, shelf=shelf
        )
        await fleet.refresh()
        await pipeline.start()
        tasks = (
            asyncio.create_task(fleet.watch(), name="registry"),
            asyncio.create_task(access.sessions.sweep(), name="logins"),
            asyncio.create_task(rollouts.run(), name="rollouts"),
        )
        try:
            yield Hub(
                app,
                store,
                bus,
                fleet,
                pipeline,
                health,
                identity,
                rollouts,
                shelf,
                voice,
                tls_drops=tls_drops,
            )
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await models.close()
            await pipeline.stop()
    finally:
        bus.close()
        await store.close()


def _both(one: Callable[[str], None], other: Callable[[str], None]) -> Callable[[str], None]:
    def both(id_: str) -> None:
        one(id_)
        other(id_)

    return both


@asynccontextmanager
async def serve(
    config: HubConfig, *, engine: Callable[[], Engine] | None = None
) -> AsyncIterator[tuple[Hub, str]]:
    """A hub that listens: (hub, the address of plain HTTP as a URL); `hub.tls_address` is the network's.

    UserError when a port is in use.
    """
    async with open_hub(config, engine=engine) as hub:
        # Nobody who asks a hub compresses what is said: what claims to be so is no JSON, and no bomb.
        runner = web.AppRunner(
            hub.app, access_log=None, shutdown_timeout=3.0, keepalive_timeout=IDLE_S, auto_decompress=False
        )
        await runner.setup()
        try:
            host, port = config.server.host, config.server.port
            site = web.TCPSite(runner, host, port)
            try:
                await site.start()
            except OSError as problem:
                raise UserError(_cannot_listen(host, port, problem, "--server-port")) from problem
            address = _url("http", host, site.port)
            if config.server.tls:
                hub = replace(hub, tls_address=await _serve_tls(runner, hub, config.server))
            if hub.cf_voice is None:
                yield hub, address
                return
            async with _cf_voice(hub.cf_voice, config.cf_voice):
                yield hub, address
        finally:
            await runner.cleanup()


async def _serve_tls(runner: web.AppRunner, hub: Hub, server: ServerConfig) -> str:
    """Listen for the network; returns the address that others can use."""
    host = server.tls_host
    try:
        sockets = bind(host, server.tls_port)
    except OSError as problem:
        where = host or "all addresses"
        raise UserError(_cannot_listen(where, server.tls_port, problem, "--server-tls-port")) from problem
    site = TlsSite(runner, sockets, hub.identity.context(), hub.tls_drops)
    await site.start()
    return _url("https", host or next(iter(lan_addresses()), "127.0.0.1"), site.port)


@asynccontextmanager
async def _cf_voice(voice: CfVoice, config: CfVoiceConfig) -> AsyncIterator[None]:
    """Listen for programs of the cf-voice family."""
    runner = web.AppRunner(
        voice.app, access_log=None, shutdown_timeout=3.0, keepalive_timeout=IDLE_S, auto_decompress=False
    )
    await runner.setup()
    try:
        try:
            sockets = bind(config.host, config.port)
        except OSError as problem:
            said = _cannot_listen(config.host, config.port, problem, "--cf-voice-port")
            raise UserError(said) from problem
        site = ListedSite(runner, sockets, voice.drops, voice.allowed.admits, "cf_voice")
        await site.start()
        voice.address = _url("http", config.host, site.port)
        async with voice.running():
            yield
    finally:
        await runner.cleanup()


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _cannot_listen(host: str, port: int, problem: OSError, option: str) -> str:
    if problem.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; choose another with {option}, or stop the other program"
    if problem.errno == errno.EACCES:
        return f"port {port} on {host} needs more rights; choose one above 1023 with {option}"
    return f"cannot listen on {host}:{port}: {problem.strerror or problem}"


async def run_until_stopped(config: HubConfig, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` gets the page's address, and the network's."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(config) as (hub, address):
        announce(address)
        if hub.tls_address is not None:
            announce(f"{hub.tls_address} for the network")
        if hub.cf_voice is not None:
            announce(f"{hub.cf_voice.address} for programs that speak to cf-voice")
        await stop.wait()
    _log.info("stopped")


def calm_collector() -> None:
    """Let Python look for cyclic garbage rarely: the packets that wait are many and free of cycles.

    With 500 streams a full collection every few seconds took up to 0.2 s, in which no packet was judged.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1000)


def run(config: HubConfig, announce: Callable[[str], None] = print) -> None:
    """Run the hub in the foreground: the body of `minerva hub`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    calm_collector()
    allow_files()
    _log.info("settings: %s", msgspec.json.encode(config, enc_hook=str).decode())
    asyncio.run(run_until_stopped(config, announce))
