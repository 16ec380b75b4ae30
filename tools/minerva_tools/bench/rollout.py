"""200 devices updated by one hub, and a release that fails its health gate.

Every device is the device's own boot choice, trial and updater (under MicroPython where it can be had), over
loopback, with its flash in a folder; its microphone is a noise, and while it idles its link is held by the
bench. The first release is good. The second speaks another protocol than the hub, so that no device that
installs it is welcomed: each gives it up after its trial, and the hub stops at the canaries.
"""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva_hub.app import Hub, serve
from minerva_hub.auth import hash_token
from minerva_hub.config import DiarizeConfig, HubConfig, ServerConfig, StoreConfig
from minerva_hub.events import DeviceRecord, Rollout
from minerva_hub.releases import Releases
from minerva_hub.rollouts import Plan, Target

from minerva_tools.bench._hub import TOKEN, TimedEngine
from minerva_tools.bench._rollout import Device, Fleet, cancel, settle, signed_release
from minerva_tools.measure import Result, at_least, at_most, figure
from minerva_tools.release.keys import keyset_text
from minerva_tools.release.texts import Release
from minerva_tools.virtual import choose_interpreter

DEVICES = 200
CANARIES = 20  # 10 %
TIMEOUT_S = 600.0  # of each rollout
AT_ONCE = 6 * (os.cpu_count() or 1)  # a trial mostly waits
GOOD, BAD = "0.2.0", "0.3.0"
_OTHER_PROTOCOL = {"minerva/wire.py": 'SUBPROTOCOL = "minerva.v1" -> SUBPROTOCOL = "minerva.v99"'}


def run() -> Iterable[Result]:
    """Both rollouts, one after the other, on the same devices."""
    return asyncio.run(measure(DEVICES))


async def measure(devices: int) -> list[Result]:
    """Run both rollouts with so many devices."""
    with tempfile.TemporaryDirectory(prefix="minerva-rollout-") as name:
        folder = Path(name)
        config = HubConfig(
            server=ServerConfig(port=0, tls=False),
            store=StoreConfig(path=folder / "store"),
            diarize=DiarizeConfig(engine="off"),
        )
        async with serve(config, engine=lambda: TimedEngine(None)) as (hub, address):
            async with aiohttp.ClientSession() as session:
                interpreter = choose_interpreter()
                fleet = Fleet(address, interpreter, asyncio.Semaphore(AT_ONCE), session)
                return await _measure(hub, fleet, devices, folder)


async def _measure(hub: Hub, fleet: Fleet, count: int, folder: Path) -> list[Result]:
    key = Ed25519PrivateKey.generate()
    keyset = keyset_text(1, 1, [key.public_key().public_bytes_raw()])
    for number in range(count):
        record = DeviceRecord(id=f"d{number}", room=f"R{number}", token_hash=hash_token(TOKEN), created_ms=0)
        await hub.store.add_device(record)
    await hub.fleet.refresh()
    (folder / "flash").mkdir()
    devices = [Device(fleet, f"d{n}", TOKEN, folder / "flash" / f"d{n}", keyset) for n in range(count)]
    releases = Releases(hub.store.updates, hub.shelf)
    await releases.trust(keyset)
    tasks = [asyncio.create_task(device.live()) for device in devices]
    try:
        good = await _publish(releases, signed_release(folder / "good", GOOD, key, {}))
        began, spent = time.monotonic(), _spent_s()
        rollout = await hub.rollouts.start(good, Target(), Plan())
        rollout = await _end(hub, rollout, devices, tasks)
        took_s, cpu_s = time.monotonic() - began, _spent_s() - spent
        installed = Counter(device.version for device in devices)
        under = f"{count} devices, {fleet.interpreter.title}, {AT_ONCE} at once on this machine, loopback"
        results = [
            at_least("updated", installed[GOOD], "devices", count, f"{under}; {rollout.state}"),
            at_most("failed", _counts(rollout)["failure"], "devices", 0, under),
            figure("time", took_s, "s", f"{under}; canaries first, then the rest"),
            figure("hub_cpu", 1000 * cpu_s / count, "ms", "for each device: the hub and the bench's links"),
        ]
        bad = await _publish(releases, signed_release(folder / "bad", BAD, key, _OTHER_PROTOCOL))
        began = time.monotonic()
        stopped = await hub.rollouts.start(bad, Target(), Plan())
        stopped = await _end(hub, stopped, devices, tasks)
        took_s = time.monotonic() - began
    finally:
        await cancel(tasks)
    return results + _of_bad(stopped, devices, count, took_s)


def _of_bad(stopped: Rollout, devices: list[Device], count: int, took_s: float) -> list[Result]:
    canaries = -(-count * CANARIES // DEVICES)
    offered = sum(stopped.stages[0].devices.values()) if stopped.stage == 0 else count
    running = Counter(device.version for device in devices)
    under = f"{count} devices, a release that speaks another protocol: {stopped.state}, {stopped.reason}"
    failed = _counts(stopped)["failure"]
    return [
        at_most("bad.offered_to", offered, "devices", canaries, f"{under}; the canaries"),
        at_least("bad.stopped", float(stopped.state == "stopped"), "", 1, under),
        at_least("bad.gave_it_up", failed, "devices", 1, f"{under}; installed it, and told why it went back"),
        at_most("bad.still_running", running[BAD], "devices", 0, f"{under}; after {took_s:.0f} s"),
        at_least("bad.back_or_untouched", running[GOOD], "devices", count, f"{under}; run {GOOD}"),
    ]


async def _publish(releases: Releases, made: Release) -> int:
    async def pieces() -> AsyncIterator[bytes]:
        yield made.bundle.read_bytes()

    manifest, signature = made.manifest.read_bytes(), made.signature.read_bytes()
    return (await releases.receive(manifest, signature, pieces(), who="bench")).id


async def _end(hub: Hub, rollout: Rollout, devices: list[Device], tasks: list[asyncio.Task[None]]) -> Rollout:
    """The rollout once it ended and no device has anything open, or is still about it."""

    async def ended() -> bool:
        (now,) = await hub.store.updates.rollouts(id_=rollout.id)
        return all(device.idle for device in devices) and not any(
            _counts(now)[state] for state in ("planned", "offered", "running", "canceling")
        )

    await settle(ended, tasks, TIMEOUT_S)
    (now,) = await hub.store.updates.rollouts(id_=rollout.id)
    return now


def _counts(rollout: Rollout) -> Counter[str]:
    found: Counter[str] = Counter()
    for stage in rollout.stages:
        found.update(stage.devices)
    return found


def _spent_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
