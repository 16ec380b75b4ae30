import gc
import sys

from minerva import ed25519, keyset, manifest
from minerva.acceptance import accept
from minerva.errors import UpdateError

from ota_lines import lines_of


class Keys:
    """bootslot.Copies in memory."""

    def __init__(self, text):
        self.text = text
        self.written = 0

    def read(self):
        return self.text

    def write(self, text):
        self.text = text
        self.written += 1


def accepted(vector, keys, device):
    """What the device answers: (code, the manifest or None)."""
    try:
        found = accept(vector["manifest"].encode(), vector["sig"].encode(), keys, lambda kind: device)
    except UpdateError as e:
        return e.code, None
    return "ok", found


def check_section_signatures():
    for vector in lines_of("signatures"):
        parts = [bytes.fromhex(vector[n]) for n in ("public", "message", "signature")]
        assert ed25519.verify(*parts) is vector["valid"], vector["name"]


def check_section_keysets():
    for vector in lines_of("keysets"):
        try:
            got = keyset.parse(vector["keyset"].encode())
        except UpdateError as e:
            assert e.code == vector["result"], vector["name"]
            continue
        assert vector["result"] == "ok", vector["name"]
        ids = [keyset.key_id(key) for key in got.keys]
        assert [got.version, got.threshold, ids] == [vector[n] for n in ("version", "threshold", "ids")]
        assert got.data == vector["keyset"].encode()
        assert [got.find(id) for id in ids] == got.keys and got.find("0" * 16) is None


def check_section_manifests():
    for vector in lines_of("manifests"):
        before = vector["keyset"].encode()
        keys = Keys(before)
        code, found = accepted(vector, keys, vector["device"])
        assert code == vector["result"], (vector["name"], code)
        if found:
            now = keyset.parse(keys.text)
            assert now.version == vector["keyset_version"], vector["name"]
            assert keys.written == (now.version != keyset.parse(before).version), vector["name"]
            assert (found.total, found.offsets()) == (vector["total"], vector["offsets"]), vector["name"]
        else:
            assert not keys.written, vector["name"]


def check_a_release_that_is_refused_brings_no_keys():
    """Whatever it is refused for; and after it, keys of before still count."""
    for vector in lines_of("manifests"):
        if vector["name"] == "rotation: to the next":
            break
    keys = Keys(vector["keyset"].encode())
    for name, other, code in (
        ("variant", "rust", "wrong_variant"),
        ("board", "another", "wrong_board"),
        ("abi", "mpy1.0-other", "wrong_abi"),
        ("security_version", (1 << 31) - 1, "lower_security_version"),
        ("utc_s", 253402300799, "expired"),
    ):
        device = dict(vector["device"])
        device[name] = other
        assert accepted(vector, keys, device)[0] == code
        assert not keys.written, code
    assert accepted(vector, keys, vector["device"])[0] == "ok" and keys.written == 1


def check_without_keys_nothing_is_accepted():
    for vector in lines_of("manifests"):
        assert accepted(vector, Keys(None), vector["device"])[0] == "unknown_key"
        break


def check_every_cut_of_the_three_texts_is_refused():
    for vector in lines_of("manifests"):
        if vector["by"] == "hand":
            break
    for name, parse, code in (
        ("manifest", manifest.parse, "bad_manifest"),
        ("sig", keyset.parse_signatures, "bad_signature"),
        ("keyset", keyset.parse, "bad_keyset"),
    ):
        raw = vector[name].encode().rstrip()
        parse(raw)
        for cut in range(len(raw)):
            try:
                parse(raw[:cut])
            except UpdateError as e:
                assert e.code == code, (name, cut, e.code)
            else:
                raise AssertionError((name, cut))


def check_bytes_that_are_no_text():
    for raw in (
        b"\xff",
        b'{"format":1,"name":"\xff\xfe"',
        b'{"\xc3":1}',
        b"\0" * 40,
        b'"' * 40,
        b"[" * 16384,
    ):
        for parse in (manifest.parse, keyset.parse_signatures, keyset.parse):
            try:
                parse(raw)
            except UpdateError as e:
                assert e.code in ("bad_manifest", "bad_signature", "bad_keyset", "too_long"), (raw, e.code)
            else:
                raise AssertionError(raw)


def fill(chain):
    """A chain of all that is free, from `chain` on; its last pieces are the smallest there are."""
    for size in (1000, 200, 20):
        try:
            while True:
                chain = (chain, bytearray(size))
        except MemoryError:
            pass
    return chain


def check_40_files_are_checked_in_40_kb():
    if not hasattr(gc, "mem_free") or sys.maxsize > 1 << 32:
        return  # a board's words have 32 bits; twice as wide, things take more
    for vector in lines_of("manifests"):
        if vector["name"] == "40 files":
            break
    trusted = keyset.parse(vector["keyset"].encode())
    text, sig = vector["manifest"].encode(), vector["sig"].encode()
    vector = None
    gc.collect()
    room = bytearray(40000 - len(text) - len(sig))  # these two count as well
    taken = fill(None)
    del room
    gc.collect()
    assert gc.mem_free() < 41000 - len(text), gc.mem_free()
    found, _ = keyset.check(text, sig, trusted)
    assert len(found.files) == 40 and taken
