"""Receives releases: nothing is kept that a device would not take for signed. docs/ota.md has the rules.

The rules are the device's own code (minerva.manifest, minerva.keyset). The hub has public keys only.
"""

from minerva_hub.releases.bundle import Bundle
from minerva_hub.releases.checks import ReleaseRefusedError, refusing, verify
from minerva_hub.releases.receiving import MAX_UPLOADS, Releases, Shelf
from minerva_hub.store.releases import BUNDLE, MANIFEST, SIGNATURE

__all__ = [
    "BUNDLE",
    "MANIFEST",
    "MAX_UPLOADS",
    "SIGNATURE",
    "Bundle",
    "ReleaseRefusedError",
    "Releases",
    "Shelf",
    "refusing",
    "verify",
]
