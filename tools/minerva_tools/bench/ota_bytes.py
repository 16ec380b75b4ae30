"""What a device downloads for one changed file of forty: every byte over HTTP, headers included."""

from __future__ import annotations

import asyncio
import json
import os
import random
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva_hub.app import Hub, serve
from minerva_hub.auth import hash_token
from minerva_hub.config import DiarizeConfig, HubConfig, ServerConfig, StoreConfig
from minerva_hub.errors import MinervaError
from minerva_hub.events import DeviceRecord
from minerva_hub.releases import Releases
from minerva_hub.rollouts import Plan, Target

from minerva_tools.bench._hub import TOKEN, TimedEngine
from minerva_tools.measure import Result, at_least, at_most, figure
from minerva_tools.release import building, files, signing
from minerva_tools.release.texts import Release
from minerva_tools.virtual import Interpreter, choose_interpreter, device_folder
from minerva_tools.virtual_flash import Flash, trusting

SCRIPT: Final = Path(__file__).parents[1] / "data" / "device_errand.py"
FILES: Final = 40
CHANGED: Final = "minerva/file07.py"
OVERHEAD: Final = 8192  # beside the changed file
TIMEOUT_S: Final = 120.0
DEVICE: Final = "kitchen"


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What device_errand.py prints."""

    end: str
    state: str
    code: str
    received: int


class OtaBytesError(MinervaError):
    """The device did not come to an end as it should."""


def run() -> Iterable[Result]:
    """One errand of the real updater against a hub."""
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    interpreter = choose_interpreter("micropython")
    with tempfile.TemporaryDirectory(prefix="minerva-ota-") as name:
        folder = Path(name)
        config = HubConfig(
            server=ServerConfig(port=0, tls=False),
            store=StoreConfig(path=folder / "store"),
            diarize=DiarizeConfig(engine="off"),
        )
        async with serve(config, engine=lambda: TimedEngine(None)) as (hub, address):
            return await _with_hub(hub, address, interpreter, folder)


async def _with_hub(hub: Hub, address: str, interpreter: Interpreter, folder: Path) -> list[Result]:
    key = Ed25519PrivateKey.generate()
    record = DeviceRecord(id=DEVICE, room="Kitchen", token_hash=hash_token(TOKEN), created_ms=0)
    await hub.store.add_device(record)
    await hub.fleet.refresh()
    first = _release(folder / "first", "1.0.0", key, {})
    change = _text(99, 15_000)
    second = _release(folder / "second", "1.0.1", key, {CHANGED: change})
    flash = folder / "flash"
    flash.mkdir()
    Flash(release=first, keyset=trusting([key])).lay_out(flash)
    _settings(flash, address)
    nothing = await _errand(interpreter, flash)  # which tells the hub what the device is
    releases = Releases(hub.store.updates, hub.shelf)
    await releases.trust(trusting([key]))
    release = await releases.receive(
        second.manifest.read_bytes(), second.signature.read_bytes(), _pieces(second), who="bench"
    )
    await hub.rollouts.start(release.id, Target(), Plan())
    ended = await _errand(interpreter, flash)
    if ended.end != "restart":
        raise OtaBytesError(f"the device did not install it: {ended}")
    whole = flash / "b" / CHANGED
    total = len(second.bundle.read_bytes())
    under = f"{FILES} files, {total} bytes; {interpreter.title}, the hub's update server"
    beside = ended.received - len(change)
    return [
        at_least("installed", float(whole.read_bytes() == change), "", 1, under),
        at_most(
            "downloaded", ended.received, "B", len(change) + OVERHEAD, f"{under}; the file has {len(change)}"
        ),
        figure("beside_the_file", beside, "B", "manifest, signature, DDI's answers and all headers"),
        figure("manifest", len(second.manifest.read_bytes()), "B", f"{FILES} files"),
        figure("poll", nothing.received, "B", "an errand with nothing to do, configData included"),
    ]


def _text(seed: int, size: int) -> bytes:
    """Text that no file has, of that size."""
    letters = random.Random(seed).choices(b"abcdefghijklmnopqrstuvwxyz \n", k=size)
    return bytes(letters)


def _release(folder: Path, version: str, key: Ed25519PrivateKey, changes: dict[str, bytes]) -> Release:
    content = {f"minerva/file{n:02}.py": _text(n, 2000 + 331 * n) for n in range(FILES)} | changes
    what = building.Description(
        version=version,
        security_version=1,
        kind="application",
        variant="micropython",
        boards=("virtual",),
        created=1_780_000_000,
        expires=4_000_000_000,
        keys=(signing.key_id(key),),
    )
    release, _ = building.build(folder, what, files.Content("source", content))
    signing.sign_release(release, key)
    return release


def _settings(flash: Path, address: str) -> None:
    host = address.removeprefix("http://")
    settings = {
        "version": 1,
        "device": DEVICE,
        "board": "virtual",
        "url": f"ws://{host}/link",
        "token": TOKEN,
        "update": {"url": f"http://{host}/default/controller/v1/{DEVICE}"},
    }
    (flash / "settings.json").write_text(json.dumps(settings))


async def _pieces(release: Release) -> AsyncIterator[bytes]:
    yield release.bundle.read_bytes()


async def _errand(interpreter: Interpreter, flash: Path) -> Ended:
    device = device_folder()
    process = await asyncio.create_subprocess_exec(
        *(*interpreter.command, str(SCRIPT), "settings.json"),
        cwd=flash,
        env={**os.environ, **interpreter.environment([device, device / "boards" / "virtual_hw"])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = out.decode(errors="replace")
    try:
        return msgspec.json.decode(text.splitlines()[-1], type=Ended)
    except (IndexError, msgspec.DecodeError):
        raise OtaBytesError(f"the device ended with {process.returncode}: {text[-1000:]}") from None
