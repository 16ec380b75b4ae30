"""Texts and signatures for the sections, made without Minerva's code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MANIFEST, KEYSET = b"minerva-ota-v1", b"minerva-key-v1"
NOW = 1_790_000_000  # between `created` and `expires`
DEVICE = {
    "variant": "micropython",
    "board": "devkitc1_inmp441",
    "abi": "mpy6.3-xtensawin",
    "security_version": 3,
    "utc_s": NOW,
}


class Signer:
    """A key that anybody may know: made from its name."""

    def __init__(self, name: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self.public = self._key.public_key().public_bytes_raw()
        self.id = hashlib.sha256(self.public).hexdigest()[:16]

    def sign(self, text: str, domain: bytes = MANIFEST) -> list[str]:
        """`[key id, signature]` as it stands in manifest.sig."""
        return [self.id, self._key.sign(domain + hashlib.sha256(text.encode()).digest()).hex()]


ANNA, BEN, CLEO, DORA = (Signer(f"minerva test key of {n}") for n in ("Anna", "Ben", "Cleo", "Dora"))


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def keyset_text(version: int, threshold: int, *signers: Signer) -> str:
    return compact(
        {"format": 1, "version": version, "threshold": threshold, "keys": [s.public.hex() for s in signers]}
    )


def manifest(signers: Sequence[Signer] = (ANNA,), **changes: object) -> dict[str, object]:
    """A good manifest's content, with `changes`."""
    return {
        "format": 1,
        "name": "minerva",
        "version": "0.2.0",
        "security_version": 3,
        "kind": "application",
        "variant": "micropython",
        "boards": ["devkitc1_inmp441", "xiao_s3_inmp441"],
        "abi": "mpy6.3-xtensawin",
        "created": 1_780_000_000,
        "expires": 1_800_000_000,
        "keys": [s.id for s in signers],
        "files": [
            ["minerva/app.mpy", 15363, hashlib.sha256(b"app").hexdigest()],
            ["boards/devkitc1_inmp441.mpy", 200, hashlib.sha256(b"board").hexdigest()],
        ],
    } | changes


def image(**changes: object) -> dict[str, object]:
    """A good manifest of an image of the Rust firmware."""
    files = [["firmware.bin", 1_200_000, hashlib.sha256(b"image").hexdigest()]]
    rust = {"kind": "image", "variant": "rust", "abi": "esp32s3", "files": files}
    return manifest(**(rust | changes))


def rotation(text: str, *signers: Signer) -> dict[str, object]:
    return {"keyset": text, "signatures": [s.sign(text, KEYSET) for s in signers]}


def signature_text(signatures: Sequence[list[str]], *rotations: dict[str, object]) -> str:
    return compact({"format": 1, "signatures": list(signatures), "keysets": list(rotations)})
