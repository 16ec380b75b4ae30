"""Virtual devices for the bench `rollout`: the device's own updater in processes, started again and again."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva import wire
from minerva.keyset import key_id
from minerva_hub.errors import MinervaError

from minerva_tools.release import building, files, signing
from minerva_tools.release.texts import Release
from minerva_tools.virtual import Interpreter, device_folder

SCRIPT = Path(__file__).parents[1] / "data" / "device_rollout.py"
START_S = 120.0  # for one start of a device on a machine that runs many
MAX_STARTS = 12  # of a device for one release: one that starts more often does not get on
BOARD = "virtual"


class DeviceBrokenError(MinervaError):
    """A virtual device ended as none should; the text has what it said last."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What one start of a device came to."""

    end: str
    slot: str
    version: str


@dataclass
class Fleet:
    """What all devices share: the hub, the interpreter, and how many run at once."""

    address: str
    interpreter: Interpreter
    at_once: asyncio.Semaphore
    session: aiohttp.ClientSession
    starts: Counter[str] = field(default_factory=Counter)


class Device:
    """One device: its flash is `folder`.

    `version` is what ran when it was started last, `idle` whether it has done what it was started for.
    """

    def __init__(self, fleet: Fleet, id_: str, token: str, folder: Path, keyset: bytes) -> None:
        self.id = id_
        self.version = ""
        self.slot = ""
        self.idle = False
        self._fleet = fleet
        self._token = token
        self._folder = folder
        host = fleet.address.removeprefix("http://")
        folder.mkdir()
        (folder / "keys.json").write_bytes(keyset)
        settings = {
            "version": 1,
            "device": id_,
            "board": BOARD,
            "url": f"ws://{host}/link",
            "token": token,
            "ceiling": "events",
            "update": {"url": f"http://{host}/default/controller/v1/{id_}"},
        }
        (folder / "settings.json").write_text(json.dumps(settings))

    async def live(self) -> None:
        """Until cancelled: start, start again after a restart, else wait for the hub's word on the link."""
        while True:
            for _ in range(MAX_STARTS):
                ended = await self._start()
                self.version, self.slot = ended.version, ended.slot
                if ended.end != "restart":
                    break
            else:
                raise DeviceBrokenError(f"{self.id} restarts again and again, last with {self.version}")
            self.idle = True
            await self._wait_for_the_hub()
            self.idle = False

    async def _start(self) -> Ended:
        device = device_folder()
        paths = [device / "boards" / "virtual_hw", device]
        async with self._fleet.at_once:
            process = await asyncio.create_subprocess_exec(
                *self._fleet.interpreter.command,
                str(SCRIPT),
                cwd=self._folder,
                env={**os.environ, **self._fleet.interpreter.environment(paths)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            self._fleet.starts[self.id] += 1
            try:
                async with asyncio.timeout(START_S):
                    out, _ = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        lines = deque(out.decode(errors="replace").splitlines(), maxlen=8)
        try:
            return msgspec.json.decode(lines[-1], type=Ended)
        except (IndexError, msgspec.DecodeError):
            raise DeviceBrokenError(
                f"{self.id} ended with {process.returncode}: {' | '.join(lines)}"
            ) from None

    async def _wait_for_the_hub(self) -> None:
        """Hold the link as an idle device does, until the hub says that there is something to fetch."""
        hello = {
            "type": "hello",
            "protocol": wire.PROTOCOL,
            "device": self.id,
            "token": self._token,
            "boot_id": secrets.token_hex(8),
            "time_ms": 1000,
            "firmware": {
                "name": "minerva",
                "version": self.version,
                "variant": "micropython",
                "board": BOARD,
            },
            "slot": self.slot,
            "kinds": ["ima_adpcm"],
            "modes": ["mute", "events"],
            "mode": "events",
            "ceiling": "events",
            "mute": "off",
        }
        async with self._fleet.session.ws_connect(
            f"{self._fleet.address}/link", protocols=(wire.SUBPROTOCOL,)
        ) as link:
            await link.send_str(json.dumps(hello))
            async for message in link:
                if json.loads(message.data)["type"] == "update":
                    return
        raise DeviceBrokenError(f"{self.id}: the hub ended the link")


def signed_release(folder: Path, version: str, key: Ed25519PrivateKey, changes: Mapping[str, str]) -> Release:
    """The application of this folder as a release, with lines of its files replaced: text to text."""
    content = files.application(device_folder(), [BOARD], None)
    changed = dict(content.files)
    for path, (old, new) in {
        "minerva/__init__.py": _version_line(content.files["minerva/__init__.py"].decode(), version),
        **{path: tuple(change.split(" -> ")) for path, change in changes.items()},
    }.items():
        text = changed[path].decode()
        if old not in text:
            raise MinervaError(f"{path} has no {old!r} to replace")
        changed[path] = text.replace(old, new).encode()
    public = key.public_key().public_bytes_raw()
    what = building.Description(
        version=version,
        security_version=1,
        kind="application",
        variant="micropython",
        boards=(BOARD,),
        created=1_780_000_000,
        expires=4_000_000_000,
        keys=(key_id(public),),
    )
    release, _ = building.build(folder, what, files.Content(content.abi, changed))
    signing.sign_release(release, key)
    return release


def _version_line(text: str, version: str) -> tuple[str, str]:
    line = next(line for line in text.splitlines() if line.startswith("__version__"))
    return line, f'__version__ = "{version}"'


async def settle(done: Callable[[], Any], tasks: list[asyncio.Task[None]], timeout_s: float) -> None:
    """Wait until `done()` is true; a device that breaks, or a timeout, ends it as an error."""
    async with asyncio.timeout(timeout_s):
        while not await done():
            broken = [task for task in tasks if task.done()]
            for task in broken:
                task.result()
            await asyncio.sleep(0.2)


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    """End the devices."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, MinervaError):
            await task
