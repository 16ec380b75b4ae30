"""Releases for tests, made by docs/ota.md without Minerva's code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


class Signer:
    """A key that anybody may know: made from its name."""

    def __init__(self, name: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self.public = self._key.public_key().public_bytes_raw()
        self.id = hashlib.sha256(self.public).hexdigest()[:16]

    def sign(self, data: bytes, domain: bytes = b"minerva-ota-v1") -> list[str]:
        """`[key id, signature]` as it stands in manifest.sig."""
        return [self.id, self._key.sign(domain + hashlib.sha256(data).digest()).hex()]


OWNER = Signer("minerva test key of the owner")


def keyset(*signers: Signer, version: int = 1, threshold: int = 1) -> bytes:
    """The text of a key set."""
    keys = [s.public.hex() for s in signers]
    return compact({"format": 1, "version": version, "threshold": threshold, "keys": keys}).encode()


@dataclass(frozen=True)
class Release:
    """The three artifacts, and what the bundle is made of."""

    manifest: bytes
    signature: bytes
    bundle: bytes
    files: Mapping[str, bytes]

    def artifacts(self) -> dict[str, bytes]:
        """Name -> content, as an update server has them."""
        return {"manifest.json": self.manifest, "manifest.sig": self.signature, "files.bin": self.bundle}


def make_release(
    files: Mapping[str, bytes],
    *,
    signers: Sequence[Signer] = (OWNER,),
    rotations: Sequence[tuple[bytes, Sequence[Signer]]] = (),
    **changes: object,
) -> Release:
    """A good release of `files` for the virtual board, its manifest with `changes`.

    `rotations` are (text of the key set, who signs it).
    """
    manifest = {
        "format": 1,
        "name": "minerva",
        "version": "0.2.0",
        "security_version": 1,
        "kind": "application",
        "variant": "micropython",
        "boards": ["virtual"],
        "abi": "source",
        "created": 1_780_000_000,
        "expires": 4_000_000_000,
        "keys": [s.id for s in signers],
        "files": [[path, len(data), hashlib.sha256(data).hexdigest()] for path, data in files.items()],
    } | changes
    text = compact(manifest).encode()
    keysets = [
        {"keyset": new.decode(), "signatures": [s.sign(new, b"minerva-key-v1") for s in by]}
        for new, by in rotations
    ]
    signed = {"format": 1, "signatures": [s.sign(text) for s in signers], "keysets": keysets}
    signature = compact(signed).encode()
    return Release(text, signature, b"".join(files.values()), files)
