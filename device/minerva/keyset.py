"""Who may sign: the key set that a device trusts, its rotation, and the check of a release. Pure.

docs/ota.md is the specification. A key's id is the first 8 bytes of its SHA-256, as hex.
"""

import hashlib

from minerva import ed25519
from minerva.errors import UpdateError
from minerva.fixed_json import Reader
from minerva.manifest import KEY_ID, MAX_KEYS, Manifest, begin
from minerva.manifest import parse as parse_manifest

MAX_BYTES = 2048  # eight keys have 700
MAX_SIGNATURES_BYTES = 16384  # eight rotations with eight signatures each have 15,000
MAX_ROTATIONS = 8
MAX_VERSION = (1 << 31) - 1
MANIFEST_DOMAIN = b"minerva-ota-v1"
KEYSET_DOMAIN = b"minerva-key-v1"


class KeySet:
    """`threshold` of `keys` (32 bytes each) must sign; `data` is its text, exactly."""

    def __init__(self, version: int, threshold: int, keys: "list[bytes]", data: bytes):
        self.version = version
        self.threshold = threshold
        self.keys = keys
        self.data = data
        self._ids = {key_id(key): key for key in keys}

    def find(self, id: str) -> "bytes | None":
        """The public key of that id."""
        return self._ids.get(id)


def key_id(public: bytes) -> str:
    """The id of a public key: 16 hex digits."""
    return hashlib.sha256(public).digest()[:KEY_ID].hex()


def signed_text(domain: bytes, data: bytes) -> bytes:
    """What is signed of `data`: 46 bytes, so that its SHA-512 is one block."""
    return domain + hashlib.sha256(data).digest()


def _check_length(data: bytes, most: int, what: str) -> None:
    if len(data) > most:
        raise UpdateError("too_long", "%s has %d bytes; at most %d are read" % (what, len(data), most))


def parse(data: bytes) -> KeySet:
    """The text of a key set -> KeySet; UpdateError too_long, unknown_format, bad_keyset."""
    _check_length(data, MAX_BYTES, "a key set")
    r = Reader(data, "bad_keyset")
    begin(r)
    r.key("version")
    version = r.number(1, MAX_VERSION)
    r.key("threshold")
    threshold = r.number(1, MAX_KEYS)
    r.key("keys")
    keys = []
    r.begin("[")
    while r.more():
        key = r.hex(32)
        if key in keys or len(keys) == MAX_KEYS:
            raise r.fail("a key is there twice, or more than %d keys" % MAX_KEYS)
        keys.append(key)
    if threshold > len(keys):
        raise r.fail("a threshold of %d with %d keys" % (threshold, len(keys)))
    r.end("}")
    r.finish()
    made = KeySet(version, threshold, keys, bytes(data))
    if len(made._ids) != len(keys):
        raise r.fail("two keys have one id")
    return made


def _signatures(r: Reader) -> "list[tuple[str, bytes]]":
    """Read `[["<key id>","<signature>"],...]`."""
    out = []
    r.begin("[")
    while r.more():
        if len(out) == MAX_KEYS:
            raise r.fail("more than %d signatures" % MAX_KEYS)
        r.begin("[")
        r.item()
        id = r.hex(KEY_ID).hex()
        r.item()
        out.append((id, r.hex(64)))
        r.end("]")
    return out


def parse_signatures(
    data: bytes,
) -> "tuple[list[tuple[str, bytes]], list[tuple[bytes, list[tuple[str, bytes]]]]]":
    """The bytes of manifest.sig -> (signatures, rotations).

    Signatures are (key id, 64 bytes); rotations are (text of the key set, its signatures). UpdateError
    too_long, unknown_format, bad_signature.
    """
    _check_length(data, MAX_SIGNATURES_BYTES, "manifest.sig")
    r = Reader(data, "bad_signature")
    begin(r)
    r.key("signatures")
    signatures = _signatures(r)
    r.key("keysets")
    rotations = []
    r.begin("[")
    while r.more():
        if len(rotations) == MAX_ROTATIONS:
            raise r.fail("more than %d key sets" % MAX_ROTATIONS)
        r.begin("{")
        r.key("keyset")
        text = r.escaped(MAX_BYTES, "too_long")
        r.key("signatures")
        rotations.append((text, _signatures(r)))
        r.end("}")
    r.end("}")
    r.finish()
    return signatures, rotations


def _count(what: str, message: bytes, signatures, sets: "list[KeySet]", named, verify) -> None:
    """UpdateError unless `message` is signed by the threshold of each of `sets`.

    Signatures are looked at in their order until that is reached. Those by keys in none of the sets, or not
    `named` (None: all are), are passed over, and so is a second one by the same key; a wrong one by a key
    that counts refuses the whole.
    """
    seen = []
    counts = [0] * len(sets)
    for id, signature in signatures:
        if all([counts[i] >= sets[i].threshold for i in range(len(sets))]):
            return
        holders = [i for i in range(len(sets)) if sets[i].find(id)]
        if not holders or id in seen or (named is not None and id not in named):
            continue
        seen.append(id)
        key = sets[holders[0]].find(id)
        if not verify(key, message, signature):
            raise UpdateError("bad_signature", "the signature of %s by %s is wrong" % (what, id))
        for i in holders:
            counts[i] += sets[i].find(id) == key
    for i in range(len(sets)):
        if counts[i] < sets[i].threshold:
            if signatures and not seen:
                raise UpdateError(
                    "unknown_key", "%s is signed by %s, whom nobody here knows" % (what, signatures[0][0])
                )
            raise UpdateError(
                "too_few_signatures",
                "%s is signed by %d of %d keys that must, of the key set %d"
                % (what, counts[i], sets[i].threshold, sets[i].version),
            )


def rotate(keyset: KeySet, rotations, verify=ed25519.verify) -> KeySet:
    """The key set after those of `rotations` that are newer; UpdateError when one may not follow."""
    for text, signatures in rotations:
        new = parse(text)
        if new.version <= keyset.version:
            continue
        if new.version != keyset.version + 1:
            raise UpdateError("keyset_gap", "key set %d cannot follow %d" % (new.version, keyset.version))
        message = signed_text(KEYSET_DOMAIN, text)
        _count("key set %d" % new.version, message, signatures, [keyset, new], None, verify)
        keyset = new
    return keyset


def check(
    manifest_bytes: bytes, signature_bytes: bytes, keyset: KeySet, verify=ed25519.verify
) -> "tuple[Manifest, KeySet]":
    """(the manifest, the key set now in force) of a release that `keyset` allows; else UpdateError.

    Lengths first, then what is written, then who signed; whether it is for a device is `manifest.check_for`.
    """
    _check_length(signature_bytes, MAX_SIGNATURES_BYTES, "manifest.sig")
    manifest = parse_manifest(manifest_bytes)
    signatures, rotations = parse_signatures(signature_bytes)
    now = rotate(keyset, rotations, verify)
    message = signed_text(MANIFEST_DOMAIN, manifest_bytes)
    _count("the manifest", message, signatures, [now], manifest.keys, verify)
    return manifest, now
