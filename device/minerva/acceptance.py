"""May a release be installed here? All of docs/ota.md's checks in their order, then its key set. Pure."""

from minerva import ed25519, keyset, manifest
from minerva.errors import UpdateError


def accept(manifest_bytes: bytes, signature_bytes: bytes, keys, here, verify=ed25519.verify):
    """The manifest.Manifest of a release that may be installed here; else UpdateError, and nothing changed.

    `keys` are bootslot.Copies with the text of the key set in force; a newer one that the release brings
    takes its place when every check is passed, the device's own included (OSError: not written).
    `here(kind)` is what `manifest.check_for` has to know of this device, for a release of that kind.
    """
    trusted = keys.read()
    if trusted is None:
        raise UpdateError("unknown_key", "this device has no keys: no release can be checked")
    release, now = keyset.check(manifest_bytes, signature_bytes, keyset.parse(trusted), verify)
    manifest.check_for(release, **here(release.kind))
    if now.data != trusted:
        keys.write(now.data)
    return release
