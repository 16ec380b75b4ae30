"""Signs releases and rotations; several people may, one after the other, each with a key of their own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva import keyset
from minerva.errors import UpdateError
from minerva_hub.errors import UserError
from minerva_hub.releases import verify

from minerva_tools.release.keys import read
from minerva_tools.release.texts import (
    Release,
    Rotation,
    Signature,
    Signatures,
    parse_manifest,
    parse_signature_file,
    signature_file,
)


class Signed(NamedTuple):
    """Who signed so far: ids whose signatures are right, of those that may."""

    by: tuple[str, ...]
    may: tuple[str, ...]


def key_id(key: Ed25519PrivateKey) -> str:
    """The id of its public half."""
    return keyset.key_id(key.public_key().public_bytes_raw())


def with_signature(
    signatures: Sequence[Signature], key: Ed25519PrivateKey, domain: bytes, data: bytes
) -> tuple[Signature, ...]:
    """`signatures` with one by `key`, which takes the place of one it made before."""
    id_ = key_id(key)
    kept = tuple(one for one in signatures if one[0] != id_)
    return (*kept, (id_, key.sign(keyset.signed_text(domain, data))))


def sign_release(release: Release, key: Ed25519PrivateKey) -> Signed:
    """Add a signature to manifest.sig. UserError: the manifest does not name this key among its `keys`."""
    text = read(release.manifest)
    made = parse_manifest(text, str(release.manifest))
    id_ = key_id(key)
    if id_ not in made.keys:
        raise UserError(
            f"{release.manifest} is to be signed by {', '.join(made.keys)}; this key is {id_}. Who signs is "
            "settled when a release is built"
        )
    before = parse_signature_file(read(release.signature), str(release.signature))
    signatures = with_signature(before.signatures, key, keyset.MANIFEST_DOMAIN, text)
    replace(release.signature, signature_file(Signatures(signatures, before.rotations)))
    return Signed(tuple(one for one, _ in signatures), tuple(made.keys))


def load_rotation(path: Path) -> Rotation:
    """A rotation file: a manifest.sig with one key set and nothing else. UserError."""
    held = parse_signature_file(read(path), str(path))
    if held.signatures or len(held.rotations) != 1:
        raise UserError(f"{path}: no rotation, as `minerva release keyset rotate` writes one")
    return held.rotations[0]


def rotation_file(rotation: Rotation) -> bytes:
    """The bytes of a rotation file."""
    return signature_file(Signatures(rotations=(rotation,)))


def sign_rotation(path: Path, key: Ed25519PrivateKey) -> Signed:
    """Add a signature to a rotation file; whether old and new set are satisfied is `rotation_state`."""
    before = load_rotation(path)
    signatures = with_signature(before.signatures, key, keyset.KEYSET_DOMAIN, before.keyset)
    replace(path, rotation_file(Rotation(before.keyset, signatures)))
    may = tuple(keyset.key_id(one) for one in keyset.parse(before.keyset).keys)
    return Signed(tuple(one for one, _ in signatures), may)


def rotation_state(old: keyset.KeySet, rotation: Rotation) -> str | None:
    """None when it may follow `old`, else what is missing."""
    try:
        now = keyset.rotate(old, [rotation], verify)
    except UpdateError as refused:
        return f"{refused.message} ({refused.code})"
    return None if now.version > old.version else f"key set {old.version} is as new"


def lacks(rotation: Rotation) -> int:
    """How many signatures of the new set are still missing; for the old one see `rotation_state`."""
    new = keyset.parse(rotation.keyset)
    text = keyset.signed_text(keyset.KEYSET_DOMAIN, rotation.keyset)
    by_id = {keyset.key_id(key): key for key in new.keys}
    right = {id_ for id_, made in rotation.signatures if id_ in by_id and verify(by_id[id_], text, made)}
    return max(0, new.threshold - len(right))


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of a file at once; UserError where it cannot be written."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(out.name).chmod(0o644)
        Path(out.name).replace(path)
    except OSError as problem:
        raise UserError(f"{path}: cannot be written: {problem.strerror}") from problem
