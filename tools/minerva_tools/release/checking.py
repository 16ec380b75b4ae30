"""Checks a release as a device would, its files included."""

from __future__ import annotations

from dataclasses import dataclass

from minerva import keyset, manifest
from minerva_hub.errors import UserError
from minerva_hub.releases import Bundle, refusing, verify

from minerva_tools.release.keys import read
from minerva_tools.release.texts import Release

_PIECE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Device:
    """Who would take it; `utc_s` None: it does not know the time."""

    variant: str
    board: str
    abi: str
    security_version: int = 0
    utc_s: int | None = None


def check(
    release: Release, trusted: keyset.KeySet, device: Device | None = None
) -> tuple[manifest.Manifest, keyset.KeySet]:
    """(the manifest, the key set in force afterwards); ReleaseRefusedError with the device's code.

    Without a device only what every device would check.
    """
    with refusing():
        found, now = keyset.check(
            read(release.manifest, manifest.MAX_BYTES + 1),
            read(release.signature, keyset.MAX_SIGNATURES_BYTES + 1),
            trusted,
            verify,
        )
        if device is not None:
            manifest.check_for(
                found,
                variant=device.variant,
                board=device.board,
                abi=device.abi,
                security_version=device.security_version,
                utc_s=device.utc_s,
            )
    bundle = Bundle(found)
    try:
        with release.bundle.open("rb") as data:
            while piece := data.read(_PIECE):
                bundle.take(piece)
    except OSError as problem:
        raise UserError(f"{release.bundle}: cannot be read: {problem.strerror}") from problem
    bundle.finish()
    return found, now
