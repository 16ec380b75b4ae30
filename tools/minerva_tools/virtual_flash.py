"""The flash of a virtual device with slots: boot.py, a signed release in slot a, its keys and boot record.

What lies there is what a board has after it was flashed and paired; from then on the device boots, updates
and rolls back by itself.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from minerva_tools.release.building import Description, build
from minerva_tools.release.files import Content, application_abi, compiled, sources
from minerva_tools.release.keys import keyset_text
from minerva_tools.release.signing import key_id, sign_release
from minerva_tools.release.texts import Release, Rotation, parse_manifest
from minerva_tools.virtual import VirtualDeviceError, device_folder

ROOT_FILES: Final = ("boot.py", "bootslot.py", "main.py")
_YEAR_S: Final = 365 * 86400


def bootslot() -> Any:
    """The module that chooses the slot on a device, for its formats; written for MicroPython: Any."""
    path = device_folder() / "bootslot.py"
    spec = importlib.util.spec_from_file_location("bootslot", path)
    if spec is None or spec.loader is None:
        raise VirtualDeviceError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, kw_only=True)
class Flash:
    """What a device has from its owner: a signed release, and the text of the key set that it trusts."""

    release: Release
    keyset: bytes

    def lay_out(self, folder: Path) -> None:
        """Put it into the folder that is the device's flash; one that was laid out before stays as it is."""
        if (folder / "boot.0").exists() or (folder / "boot.1").exists():
            return
        text = self.release.manifest.read_bytes()
        manifest = parse_manifest(text)
        bundle = self.release.bundle.read_bytes()
        slot = folder / "a"
        for (path, size, _), at in zip(manifest.files, manifest.offsets(), strict=True):
            (slot / path).parent.mkdir(parents=True, exist_ok=True)
            (slot / path).write_bytes(bundle[at : at + size])
        (slot / "manifest.json").write_bytes(text)
        (slot / "manifest.sig").write_bytes(self.release.signature.read_bytes())
        for name in ROOT_FILES:
            (folder / name).write_bytes((device_folder() / name).read_bytes())
        module = bootslot()
        module.copies_of_keys(str(folder)).write(self.keyset)
        record = module.Record()
        record.active = record.previous = module.A
        record.floor = manifest.security_version
        record.hashes[module.A] = hashlib.sha256(text).digest()
        module.copies_of_record(str(folder)).write(record.pack())


def virtual_release(
    folder: Path,
    keys: Sequence[Ed25519PrivateKey],
    *,
    version: str,
    security_version: int = 1,
    changes: Mapping[str, bytes | None] | None = None,
    rotations: Sequence[Rotation] = (),
    expires_s: int = _YEAR_S,
    march: str | None = None,
) -> Release:
    """A release of the device application as it is, for the virtual board, signed by all of `keys`.

    It names itself `version` in its first hello too. `changes` are files by path (None: left out). `folder`
    is made. `expires_s` counts from now. With `march` it is compiled, for that processor of mpy-cross.
    """
    files = sources(device_folder(), ["virtual"])
    own = "minerva/__init__.py"
    files[own] = re.sub(rb'__version__ = "[^"]*"', f'__version__ = "{version}"'.encode(), files[own])
    for path, data in (changes or {}).items():
        if data is None:
            del files[path]
        else:
            files[path] = data
    now = int(time.time())
    what = Description(
        version=version,
        security_version=security_version,
        kind="application",
        variant="micropython",
        boards=("virtual",),
        created=min(now, now + expires_s - 1),
        expires=now + expires_s,
        keys=tuple(key_id(key) for key in keys),
    )
    content = Content("source", {path: files[path] for path in sorted(files)})
    if march is not None:
        content = Content(
            application_abi(march),
            {str(Path(p).with_suffix(".mpy")): compiled(data, p, march) for p, data in content.files.items()},
        )
    release, _ = build(folder, what, content, rotations)
    for key in keys:
        sign_release(release, key)
    return release


def trusting(keys: Sequence[Ed25519PrivateKey], *, threshold: int = 1, version: int = 1) -> bytes:
    """The text of the key set of these keys."""
    return keyset_text(version, threshold, [key.public_key().public_bytes_raw() for key in keys])
