"""The checks of a release against tests/vectors/ota.json, and against what nobody thought of."""

import hashlib
import json
import runpy
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from minerva import ed25519, errors, keyset, manifest, sha512
from minerva.errors import UpdateError

VECTORS = Path(__file__).parents[1] / "vectors"
OTA = json.loads((VECTORS / "ota.json").read_text())
# Those of the network and of the flash belong to other sections.
OF_THE_RELEASE = {
    "bad_manifest",
    "too_long",
    "unknown_format",
    "wrong_variant",
    "wrong_board",
    "wrong_abi",
    "expired",
    "lower_security_version",
    "unknown_key",
    "too_few_signatures",
    "bad_signature",
    "bad_keyset",
    "keyset_gap",
    "bad_path",
    "bad_size",
}


def by_openssl(public: bytes, message: bytes, signature: bytes) -> bool:
    if not ed25519.well_formed(public, signature):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_the_committed_vectors_are_what_the_generator_makes() -> None:
    text = runpy.run_path(str(VECTORS / "make_ota_vectors.py"))["text"]()
    assert (VECTORS / "ota.json").read_text() == text, "ota.json is stale: run make_ota_vectors.py"


def test_every_refusal_has_a_vector_and_some_are_by_hand() -> None:
    seen = {v["result"] for v in OTA["manifests"]}
    assert seen == OF_THE_RELEASE | {"ok"}
    assert set(errors.REFUSALS) >= OF_THE_RELEASE
    for section in ("manifests", "keysets", "signatures"):
        assert any(v["by"] == "hand" for v in OTA[section])


@pytest.mark.parametrize("verify", [ed25519.verify, by_openssl])
@pytest.mark.parametrize("vector", OTA["signatures"], ids=lambda v: v["name"])
def test_signature(vector: dict, verify) -> None:
    parts = [bytes.fromhex(vector[n]) for n in ("public", "message", "signature")]
    assert verify(*parts) is vector["valid"]


@pytest.mark.parametrize("vector", OTA["keysets"], ids=lambda v: v["name"])
def test_keyset(vector: dict) -> None:
    if vector["result"] != "ok":
        with pytest.raises(UpdateError) as caught:
            keyset.parse(vector["keyset"].encode())
        assert caught.value.code == vector["result"]
        return
    got = keyset.parse(vector["keyset"].encode())
    assert json.loads(vector["keyset"]) == {
        "format": 1,
        "version": got.version,
        "threshold": got.threshold,
        "keys": [k.hex() for k in got.keys],
    }
    assert [keyset.key_id(k) for k in got.keys] == vector["ids"]


@pytest.mark.parametrize("vector", OTA["manifests"], ids=lambda v: v["name"])
def test_manifest(vector: dict) -> None:
    trusted = keyset.parse(vector["keyset"].encode())
    text, sig = vector["manifest"].encode(), vector["sig"].encode()

    def whole_check() -> tuple[manifest.Manifest, keyset.KeySet]:
        found, now = keyset.check(text, sig, trusted, by_openssl)
        manifest.check_for(found, **vector["device"])
        return found, now

    if vector["result"] != "ok":
        with pytest.raises(UpdateError) as caught:
            whole_check()
        assert caught.value.code == vector["result"], caught.value
        return
    found, now = whole_check()
    assert now.version == vector["keyset_version"]
    # A general JSON parser reads the same.
    said = json.loads(text)
    assert list(said) == ["format", *list(vars(found))[:-1]]
    files = said.pop("files")
    assert said == {"format": 1} | {k: vars(found)[k] for k in said if k != "format"}
    assert [[path, size, sha.hex()] for path, size, sha in found.files] == files
    assert (found.total, found.offsets()) == (vector["total"], vector["offsets"])


@pytest.mark.parametrize("size", [0, 1, 63, 111, 112, 119, 127, 128, 129, 239, 240, 1000])
def test_sha512_is_hashlibs(size: int) -> None:
    data = bytes(i * 7 & 255 for i in range(size))
    assert sha512.sha512(data) == hashlib.sha512(data).digest()


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.integers(0, 511))
def test_ed25519_takes_what_openssl_signs_and_nothing_else(secret: bytes, message: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert ed25519.verify(public, message, signature)
    forged = bytearray(signature)
    forged[bit >> 3] ^= 1 << (bit & 7)
    assert not ed25519.verify(public, message, bytes(forged))
    assert not by_openssl(public, message, bytes(forged))


PARSERS = (manifest.parse, keyset.parse, keyset.parse_signatures)
WRITTEN = [
    v[n].encode() for v in OTA["manifests"] if v["result"] == "ok" for n in ("manifest", "sig", "keyset")
]
SHORT = [raw for raw in WRITTEN if len(raw) < 2000]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def only_update_errors(raw: bytes) -> None:
    for parse in PARSERS:
        try:
            parse(raw)
        except UpdateError as refused:
            assert refused.code in OF_THE_RELEASE


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_order(raw: bytes) -> None:
    only_update_errors(raw)


@given(JSON.map(lambda value: json.dumps(value).encode()))
def test_any_json_is_refused_in_order(raw: bytes) -> None:
    only_update_errors(raw)


@given(st.sampled_from(SHORT), st.data())
def test_a_changed_text_is_refused_in_order_or_read_as_json_reads_it(raw: bytes, data: st.DataObject) -> None:
    changed = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        piece = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b",", b"]", b"}", b"\\", b"0", b":"])
        )
        changed[at : at + data.draw(st.integers(0, 3))] = piece
    only_update_errors(bytes(changed))
    try:
        found = manifest.parse(bytes(changed))
    except UpdateError:
        return
    said = json.loads(bytes(changed))
    assert said["version"] == found.version and len(said["files"]) == len(found.files)
    assert [f[0] for f in said["files"]] == [f[0] for f in found.files]
