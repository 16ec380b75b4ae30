"""A device's flash on disk, and errands of the real updater from it to an update server."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import minerva_tools
from minerva_tools.virtual import Interpreter, device_folder

from tests.fakes.ddi_server import TOKEN, DdiServer
from tests.fakes.ota_release import OWNER, keyset

TIMEOUT_S = 60.0
FILES = {f"minerva/m{i}.py": bytes((i * 7 + j) % 251 for j in range(3000 + i)) for i in range(8)}
ERRAND = Path(minerva_tools.__file__).parent / "data" / "device_errand.py"


def load_bootslot() -> Any:
    """device/bootslot.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("bootslot", device_folder() / "bootslot.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bootslot = load_bootslot()


@dataclass(frozen=True)
class Ended:
    """How an errand ended: "restart" or "idle", what it said, and what it counted."""

    end: str
    state: str
    code: str
    received: int
    log: str


class Flash:
    """A folder with keys and settings, as pairing leaves it; `server` is where its updates come from."""

    def __init__(self, folder: Path, server: DdiServer, **update: str) -> None:
        self.folder = folder
        self.server = server
        self.folder.mkdir(exist_ok=True)
        self.trust(keyset(OWNER))
        self.settings: dict[str, Any] = {
            "version": 1,
            "device": "kitchen",
            "board": "virtual",
            "url": "ws://127.0.0.1:9/link",
            "token": TOKEN,
            "update": {"url": server.url, **update},
        }

    def trust(self, text: bytes) -> None:
        """Put a key set in force."""
        raw = b"MNVK" + struct.pack("<I", 1) + text
        (self.folder / "keys.0").write_bytes(raw + struct.pack("<I", zlib.crc32(raw)))

    def trusted(self) -> bytes | None:
        """The text of the key set in force."""
        text: bytes | None = bootslot.copies_of_keys(str(self.folder)).read()
        return text

    async def errand(self, interpreter: Interpreter, window_ms: int = 0, utc_s: int | None = None) -> Ended:
        """Power on and go on one errand, to its end; `utc_s` is the time that the hub told."""
        process = await self._power_on(interpreter, window_ms, utc_s)
        try:
            out, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = out.decode()
        assert process.returncode == 0, text
        last = json.loads(text.splitlines()[-1])
        return Ended(last["end"], last["state"], last["code"], last["received"], text)

    async def errand_until(self, interpreter: Interpreter, condition: Callable[[], Any]) -> None:
        """The same, with a loss of power once `condition` is true of what the server heard."""
        process = await self._power_on(interpreter, 0)
        try:
            await self.server.until(condition, TIMEOUT_S)
        finally:
            process.kill()
            await process.communicate()

    async def _power_on(
        self, interpreter: Interpreter, window_ms: int, utc_s: int | None = None
    ) -> asyncio.subprocess.Process:
        (self.folder / "settings.json").write_text(json.dumps(self.settings))
        hardware = device_folder() / "boards" / "virtual_hw"
        return await asyncio.create_subprocess_exec(
            *(*interpreter.command, str(ERRAND), "settings.json", str(window_ms)),
            *(() if utc_s is None else (str(utc_s),)),
            cwd=self.folder,
            env=interpreter.environment([device_folder(), hardware]),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    def slot(self, name: str) -> dict[str, bytes]:
        """The files of a slot, without its manifest and signatures."""
        root = self.folder / name
        found = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        return {path: data for path, data in found.items() if path not in ("manifest.json", "manifest.sig")}

    def judged(self, outcome: int = 0) -> None:
        """The slot that was installed ran and was found good; `outcome` of bootslot's is still to be told."""
        copies, record = bootslot.load(str(self.folder))
        assert record is not None
        record.trial, record.outcome, record.previous, record.floor = 0, outcome, record.active, 1
        copies.write(record.pack())
