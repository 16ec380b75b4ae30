"""Builds a release: the same three artifacts, to the byte, from the same files and times."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minerva.manifest import Manifest
from minerva_hub.errors import UserError

from minerva_tools.release.files import Content
from minerva_tools.release.keys import write_new
from minerva_tools.release.texts import Release, Rotation, Signatures, encoded, parse_manifest, signature_file


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a manifest says beside its files; times in Unix seconds, `keys` are the ids of who is to sign."""

    name: str = "minerva"
    version: str
    security_version: int
    kind: str
    variant: str
    boards: tuple[str, ...]
    created: int
    expires: int
    keys: tuple[str, ...]


def build(
    folder: Path, what: Description, content: Content, rotations: Sequence[Rotation] = ()
) -> tuple[Release, Manifest]:
    """Write an unsigned release into a new folder; UserError where it would break a rule of docs/ota.md."""
    text = encoded(
        {
            "format": 1,
            "name": what.name,
            "version": what.version,
            "security_version": what.security_version,
            "kind": what.kind,
            "variant": what.variant,
            "boards": list(what.boards),
            "abi": content.abi,
            "created": what.created,
            "expires": what.expires,
            "keys": list(what.keys),
            "files": [
                [path, len(data), hashlib.sha256(data).hexdigest()] for path, data in content.files.items()
            ],
        }
    )
    made = parse_manifest(text, f"the manifest of {what.name} {what.version}")
    try:
        folder.mkdir(parents=True)
    except OSError as problem:
        raise UserError(f"{folder}: cannot be made for the release: {problem.strerror}") from problem
    release = Release(folder)
    write_new(release.bundle, b"".join(content.files.values()))
    write_new(release.signature, signature_file(Signatures(rotations=tuple(rotations))))
    write_new(release.manifest, text)
    return release, made
