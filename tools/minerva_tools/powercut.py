"""Cuts power at every write of an update, under the real MicroPython: releases, runs, and what they counted.

The device's code runs unchanged on littlefs over a NOR flash in memory, and on FAT over a disk. After each
cut the device is switched on again; what it then runs is judged, and it must get to the end of what it was
about.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva.keyset import KEYSET_DOMAIN, MANIFEST_DOMAIN, key_id, signed_text
from minerva_hub.errors import MinervaError

from minerva_tools.virtual import Interpreter, device_folder

SCRIPTS: Final = Path(__file__).parent / "data" / "powercut"
FileSystem = Literal["littlefs", "fat"]
SCENARIOS: Final = ("first", "update", "resumed", "rollback", "alone", "rotation", "deploy")
KINDS: Final[Mapping[str, str]] = {
    "before": "nothing of the write was done",
    "torn": "its first half was",
    "garbled": "its first half was, and some bits of the rest",
}
HEAP: Final = "32m"  # for the journals; what a board has is tested elsewhere
TIMEOUT_S: Final = 900.0


class PowerCutError(MinervaError):
    """The simulation itself did not come to an end."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Cut points and what became of the device. `twice` of them were cut again while it recovered."""

    points: int
    twice: int
    bricked: int
    unverified: int
    operations: int
    before: int
    torn: int
    garbled: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario under one interpreter; `told` are the first failures."""

    scenario: str
    file_system: FileSystem
    counts: Counts
    told: tuple[str, ...]
    interpreter: str = ""


def _key(n: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _keyset(version: int, threshold: int, keys: Sequence[Ed25519PrivateKey]) -> str:
    value = {
        "format": 1,
        "version": version,
        "threshold": threshold,
        "keys": [_public(key).hex() for key in keys],
    }
    return json.dumps(value, separators=(",", ":"))


def _signatures(domain: bytes, data: bytes, keys: Iterable[Ed25519PrivateKey]) -> list[list[str]]:
    return [[key_id(_public(key)), key.sign(signed_text(domain, data)).hex()] for key in keys]


def _write_release(
    folder: Path,
    version: str,
    security: int,
    files: Mapping[str, bytes],
    keys: Sequence[Ed25519PrivateKey],
    keysets: Sequence[Mapping[str, object]] = (),
    board: str = "virtual",
) -> None:
    manifest = json.dumps(
        {
            "format": 1,
            "name": "minerva",
            "version": version,
            "security_version": security,
            "kind": "application",
            "variant": "micropython",
            "boards": [board],
            "abi": "source",
            "created": 1_800_000_000,
            "expires": 1_900_000_000,
            "keys": [key_id(_public(key)) for key in keys],
            "files": [[path, len(files[path]), hashlib.sha256(files[path]).hexdigest()] for path in files],
        },
        separators=(",", ":"),
    ).encode()
    signed = {
        "format": 1,
        "signatures": _signatures(MANIFEST_DOMAIN, manifest, keys),
        "keysets": list(keysets),
    }
    folder.mkdir()
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.sig").write_text(json.dumps(signed, separators=(",", ":")))
    (folder / "files.bin").write_bytes(b"".join(files.values()))


def _content(version: int, size: int) -> bytes:
    return b"".join(hashlib.sha256(b"%d %d" % (version, n)).digest() for n in range(size // 32 + 1))[:size]


def write_server(folder: Path) -> None:
    """The releases of the scenarios, really signed: a small application, and what a maker deploys."""
    first, second, third, fourth = (_key(n) for n in (1, 2, 3, 4))
    sets = [
        (_keyset(1, 2, (first, second)), ()),
        (_keyset(2, 2, (second, third)), (first, second, third)),
        (_keyset(3, 1, (third, fourth)), (second, third)),
    ]
    chain = [
        {"keyset": text, "signatures": _signatures(KEYSET_DOMAIN, text.encode(), signers)}
        for text, signers in sets[1:]
    ]
    (folder / "keys.json").write_text(sets[0][0])
    (folder / "keys3.json").write_text(sets[2][0])
    older = {
        "boards/__init__.py": b"",
        "boards/virtual.py": _content(0, 300),
        "minerva/__init__.py": _content(0, 60),
        "minerva/app.py": _content(0, 6100),
        "minerva/hw/link.py": _content(0, 900),
        "minerva/gone.py": _content(0, 500),
    }
    old = {
        **older,
        "minerva/app.py": _content(1, 6100),
        "minerva/wire.py": _content(1, 4096),
        "minerva/clock.py": _content(1, 130),
    }
    del old["minerva/gone.py"]
    bad = {**old, "minerva/app.py": _content(2, 6144), "minerva/bad/mic.py": _content(2, 200)}
    new = {
        **old,
        "minerva/app.py": _content(3, 6100),
        "minerva/hw/link.py": _content(3, 9000),
        "minerva/new.py": _content(3, 1),
    }
    both = (first, second)
    _write_release(folder / "older", "0.1.0", 1, older, both)
    _write_release(folder / "old", "0.2.0", 1, old, both)
    _write_release(folder / "bad", "0.3.0", 2, bad, both)
    _write_release(folder / "new", "0.3.1", 2, new, both)
    _write_release(folder / "rotated", "0.3.1", 2, new, (fourth,), chain)
    _write_release(folder / "misdirected", "0.3.1", 2, new, (fourth,), chain, board="another")
    _write_release(folder / "dev", "0.4.0-dev", 0, old, (first,))
    added = {**old, "minerva/added.py": _content(5, 20)}
    _write_release(folder / "dev2", "0.4.0-dev", 0, added, (first,))
    _write_release(folder / "dev3", "0.4.0-dev", 0, {**added, "minerva/app.py": _content(6, 5000)}, (first,))


def run_scenario(
    interpreter: Interpreter,
    server: Path,
    scenario: str,
    *,
    file_system: FileSystem = "littlefs",
    stride: int = 1,
    first: int = 0,
    twice: int = 0,
    once: bool = False,
    device: Path | None = None,
) -> Outcome:
    """One scenario: every `stride`-th of its cut points from `first` on, every `twice`-th of them cut twice.

    `once` ends it at the first failure. `device` is the folder of the device's code. PowerCutError: the run
    itself broke.
    """
    done = subprocess.run(
        [
            *interpreter.command,
            str(SCRIPTS / "cut_run.py"),
            str(server),
            scenario,
            file_system,
            *(str(n) for n in (stride, first, twice)),
            *(["once"] if once else []),
        ],
        env={**os.environ, **interpreter.environment([SCRIPTS, device or device_folder()])},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode != 0:
        raise PowerCutError(f"{interpreter.title}, {scenario}: {done.stdout}{done.stderr}"[-3000:])
    outcome = msgspec.json.decode(done.stdout, type=Outcome)
    return msgspec.structs.replace(outcome, interpreter=interpreter.title)


def run_all(
    interpreters: Sequence[Interpreter], *, stride: int = 1, twice: int = 0, jobs: int = 2
) -> list[Outcome]:
    """All scenarios, on littlefs under all interpreters, on FAT under the first; `jobs` at a time."""
    with tempfile.TemporaryDirectory(prefix="minerva-powercut-") as folder, ThreadPoolExecutor(jobs) as pool:
        server = Path(folder)
        write_server(server)
        places: list[tuple[FileSystem, Interpreter]] = [("littlefs", one) for one in interpreters]
        places += [("fat", one) for one in interpreters[:1]]
        futures = [
            pool.submit(
                run_scenario, one, server, scenario, file_system=file_system, stride=stride, twice=twice
            )
            for scenario in SCENARIOS
            for file_system, one in places
        ]
        return [future.result() for future in futures]
