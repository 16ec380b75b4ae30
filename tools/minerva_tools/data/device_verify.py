"""Runs under MicroPython: device_verify.py FOLDER: what the check of a release costs, as one JSON object.

FOLDER has manifest.json, manifest.sig and keys.json. `check_us` is the whole check, from the bytes of the
texts to whether this device takes it; `signature_us` is one Ed25519 verification. Times are the best of many
rounds, since another program can only make them longer. `import_us` is what loading the modules took.
"""

# mypy: ignore-errors
# (It runs under MicroPython, whose modules mypy does not know.)

import gc
import json
import sys
from time import ticks_diff, ticks_us

_began = ticks_us()

from minerva import ed25519, keyset, manifest  # noqa: E402 - what it takes is measured

IMPORT_US = ticks_diff(ticks_us(), _began)
ROUNDS = 60


def best_us(work):
    """The shortest of ROUNDS, each with a heap that was just collected."""
    best = None
    for _ in range(ROUNDS):
        gc.collect()
        began = ticks_us()
        work()
        took = ticks_diff(ticks_us(), began)
        best = took if best is None or took < best else best
    return best


def main(folder):
    """Measure, and print."""

    def text(name):
        with open(folder + "/" + name, "rb") as file:
            return file.read()

    manifest_bytes, signature_bytes, keys = text("manifest.json"), text("manifest.sig"), text("keys.json")
    device = json.loads(text("device.json"))

    def check():
        found, _ = keyset.check(manifest_bytes, signature_bytes, keyset.parse(keys))
        manifest.check_for(found, **device)

    signatures, _ = keyset.parse_signatures(signature_bytes)
    public = keyset.parse(keys).find(signatures[0][0])
    message = keyset.signed_text(keyset.MANIFEST_DOMAIN, manifest_bytes)

    def signature():
        if not ed25519.verify(public, message, signatures[0][1]):
            raise ValueError("the signature is good, and is refused")

    said = {
        "check_us": best_us(check),
        "signature_us": best_us(signature),
        "import_us": IMPORT_US,
        "files": len(manifest.parse(manifest_bytes).files),
    }
    print(json.dumps(said))


main(sys.argv[1])
