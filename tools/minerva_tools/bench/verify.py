"""The check of a release on a device: manifest, key set and one signature; and beside it `cryptography`."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva import keyset, manifest
from minerva_hub.errors import MinervaError
from minerva_hub.releases import verify

from minerva_tools.measure import Result, at_most, figure
from minerva_tools.release import keys, signing
from minerva_tools.release.building import Description, build
from minerva_tools.release.files import Content
from minerva_tools.virtual import Interpreter, choose_interpreter, device_folder

SCRIPT: Final = Path(__file__).parents[1] / "data" / "device_verify.py"
LIMITS_MS: Final = {"native": 50.0, "i386": None}
FILES: Final = 40
ROUNDS: Final = 200
TIMEOUT_S: Final = 120.0
DEVICE: Final[dict[str, Any]] = {
    "variant": "micropython",
    "board": "virtual",
    "abi": "source",
    "security_version": 1,
    "utc_s": 1_790_000_000,
}


class Measured(msgspec.Struct, frozen=True):
    """What device_verify.py prints."""

    check_us: float
    signature_us: float
    import_us: float
    files: int


class VerifyBenchError(MinervaError):
    """The interpreter did not come to an end as it should."""


def run() -> Iterable[Result]:
    """Measure on both interpreters and here; VirtualDeviceError where an interpreter is missing."""
    with tempfile.TemporaryDirectory(prefix="minerva-verify-") as folder:
        release = _material(Path(folder))
        for arch, limit in LIMITS_MS.items():
            interpreter = choose_interpreter("micropython", arch=arch)
            yield from _results(arch, interpreter.title, limit, _measure(interpreter, release))
        yield from _reference(release)


def _material(folder: Path) -> Path:
    """A release of 40 files with one signature, a key set, and the device that takes it."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"minerva bench").digest())
    public = private.public_key().public_bytes_raw()
    files = {f"minerva/module_{i:02}.py": f"# {i}\n".encode() * 1000 for i in range(FILES)}
    what = Description(
        version="0.2.0",
        security_version=1,
        kind="application",
        variant="micropython",
        boards=("virtual",),
        created=1_780_000_000,
        expires=1_800_000_000,
        keys=(keyset.key_id(public),),
    )
    release, _ = build(folder / "release", what, Content("source", files))
    signing.sign_release(release, private)
    (release.folder / "keys.json").write_bytes(keys.keyset_text(1, 1, [public]))
    (release.folder / "device.json").write_text(json.dumps(DEVICE))
    return release.folder


def _measure(interpreter: Interpreter, folder: Path) -> Measured:
    done = subprocess.run(
        [*interpreter.command, str(SCRIPT), str(folder)],
        env={**os.environ, **interpreter.environment([device_folder()])},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode != 0:
        raise VerifyBenchError(f"{interpreter.title}: {done.stdout}{done.stderr}"[-2000:])
    return msgspec.json.decode(done.stdout, type=Measured)


def _results(arch: str, title: str, limit: float | None, measured: Measured) -> Iterable[Result]:
    told = f"{title}, manifest of {measured.files} files, one signature; best of many"
    check_ms = measured.check_us / 1000
    name = f"check_{arch}"
    yield figure(name, check_ms, "ms", told) if limit is None else at_most(name, check_ms, "ms", limit, told)
    yield figure(f"signature_{arch}", measured.signature_us / 1000, "ms", f"{title}, Ed25519 alone")
    yield figure(f"import_{arch}", measured.import_us / 1000, "ms", f"{title}, loading the modules' source")


def _reference(folder: Path) -> Iterable[Result]:
    manifest_bytes, signature_bytes, trusted = (
        (folder / name).read_bytes() for name in ("manifest.json", "manifest.sig", "keys.json")
    )

    def check() -> None:
        found, _ = keyset.check(manifest_bytes, signature_bytes, keyset.parse(trusted), verify)
        manifest.check_for(found, **DEVICE)

    signatures, _ = keyset.parse_signatures(signature_bytes)
    public = keyset.parse(trusted).keys[0]
    message = keyset.signed_text(keyset.MANIFEST_DOMAIN, manifest_bytes)

    def signature() -> None:
        if not verify(public, message, signatures[0][1]):
            raise VerifyBenchError("cryptography does not take the bench's own signature")

    yield figure("check_hub", _best_ms(check), "ms", "CPython with cryptography, as the hub does it")
    yield figure("signature_hub", _best_ms(signature), "ms", "cryptography's Ed25519 alone")


def _best_ms(work: Callable[[], None]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best * 1000
