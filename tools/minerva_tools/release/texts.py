"""Writes the texts that are signed: keys in the order of docs/ota.md, no space, the same bytes each time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minerva import keyset, manifest
from minerva.errors import UpdateError
from minerva_hub.errors import UserError
from minerva_hub.releases import BUNDLE, MANIFEST, SIGNATURE

Signature = tuple[str, bytes]  # key id, 64 bytes


class Rotation(NamedTuple):
    """A key set that follows another, and who signed that."""

    keyset: bytes
    signatures: tuple[Signature, ...]


class Signatures(NamedTuple):
    """What manifest.sig holds."""

    signatures: tuple[Signature, ...] = ()
    rotations: tuple[Rotation, ...] = ()


def encoded(value: Mapping[str, Any]) -> bytes:
    """JSON without space, its keys in their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()


def signature_file(what: Signatures) -> bytes:
    """The bytes of manifest.sig."""
    rotations = [_rotation(one) for one in what.rotations]
    return encoded({"format": 1, "signatures": _pairs(what.signatures), "keysets": rotations})


def _pairs(signatures: Sequence[Signature]) -> list[list[str]]:
    return [[id_, raw.hex()] for id_, raw in signatures]


def _rotation(one: Rotation) -> dict[str, Any]:
    return {"keyset": one.keyset.decode(), "signatures": _pairs(one.signatures)}


def parse_signature_file(data: bytes, name: str = SIGNATURE) -> Signatures:
    """The bytes of manifest.sig -> what it holds; UserError, which names the file."""
    try:
        signatures, rotations = keyset.parse_signatures(data)
    except UpdateError as refused:
        raise UserError(f"{name}: {refused.message} ({refused.code})") from refused
    return Signatures(tuple(signatures), tuple(Rotation(text, tuple(by)) for text, by in rotations))


def parse_manifest(data: bytes, name: str = MANIFEST) -> manifest.Manifest:
    """The bytes of manifest.json -> the manifest; UserError, which names the file."""
    try:
        return manifest.parse(data)
    except UpdateError as refused:
        raise UserError(f"{name}: {refused.message} ({refused.code})") from refused


class Release(NamedTuple):
    """The three artifacts of a release in a folder."""

    folder: Path

    @property
    def manifest(self) -> Path:
        """What it is."""
        return self.folder / MANIFEST

    @property
    def signature(self) -> Path:
        """Who signed it."""
        return self.folder / SIGNATURE

    @property
    def bundle(self) -> Path:
        """All its files."""
        return self.folder / BUNDLE
