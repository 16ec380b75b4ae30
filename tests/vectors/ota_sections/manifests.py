"""Section `manifests`: a whole check, from the key set in force to whether a device takes the release.

{keyset, manifest, sig, device: {variant, board, abi, security_version, utc_s|null}, result, and where that
is "ok" the keyset_version in force afterwards, total and offsets of the files}. `device.abi` is what the
device takes of that kind of release.
"""

from __future__ import annotations

from collections.abc import Iterator

from ota_sections._release import (
    ANNA,
    BEN,
    CLEO,
    DEVICE,
    DORA,
    KEYSET,
    NOW,
    Signer,
    compact,
    image,
    keyset_text,
    manifest,
    rotation,
    signature_text,
)

ONE = keyset_text(1, 1, ANNA, BEN)
TWO_OF_THREE = keyset_text(4, 2, ANNA, BEN, CLEO)
AS_ONE = {"keyset_version": 1, "total": 15563, "offsets": [0, 15363]}  # of the good manifest under it
RUST = {"variant": "rust", "board": "devkitc1_inmp441", "abi": "esp32s3", "security_version": 3, "utc_s": NOW}

# Signed with RFC 8032's first test key by OpenSSL: no code of Minerva's made it.
HAND = """\
{ "format": 1,
  "name": "minerva", "version": "0.2.0", "security_version": 3,
  "kind": "application", "variant": "micropython",
  "boards": ["devkitc1_inmp441", "xiao_s3_inmp441"], "abi": "mpy6.3-xtensawin",
  "created": 1700000000, "expires": 1800000000,
  "keys": ["21fe31dfa154a261"],
  "files": [["minerva/empty.py", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
            ["minerva/abc.py", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]] }
"""
HAND_KEYSET = (
    '{"format":1,"version":1,"threshold":1,'
    '"keys":["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"]}'
)
HAND_SIG = (
    '{"format": 1, "signatures": [["21fe31dfa154a261", '
    '"4378c0483589a67b8b466134b9cfb681352e8f05143a3ee756e4fbbe1bad4e1c'
    'aee12336c6729078b3473ef9ae8a2fcc939f64dbe87f63b7a9d2638e2d5a6e0d"]], "keysets": []}\n'
)


def vector(
    name: str, result: str, text: str, sig: str, keyset: str = ONE, by: str = "generator", **ok: object
) -> dict:
    device = ok.pop("device", DEVICE)
    inputs = {"keyset": keyset, "manifest": text, "sig": sig, "device": device}
    return {"name": name, "by": by, **inputs, "result": result, **ok}


def signed(name: str, result: str, content: object, **more: object) -> dict:
    """One that Anna signed as it is."""
    text = content if isinstance(content, str) else compact(content)
    if result == "ok":
        files = content["files"]  # type: ignore[index]
        sizes = [size for _, size, _ in files]
        offsets = [sum(sizes[:i]) for i in range(len(sizes))]
        more = {"keyset_version": 1, "total": sum(sizes), "offsets": offsets} | more
    return vector(name, result, text, signature_text([ANNA.sign(text)]), **more)  # type: ignore[arg-type]


def file(path: object = "minerva/app.py", size: object = 1, sha: object = "ab" * 32) -> list[object]:
    return [path, size, sha]


def good() -> Iterator[dict]:
    yield vector(
        "written by hand, signed by OpenSSL",
        "ok",
        HAND,
        HAND_SIG,
        HAND_KEYSET,
        "hand",
        keyset_version=1,
        total=3,
        offsets=[0, 0],
        device=DEVICE | {"utc_s": 1_750_000_000},
    )
    yield signed("an application", "ok", manifest())
    yield signed("an application as source, for every micropython", "ok", manifest(abi="source"))
    yield signed("an image", "ok", image(), device=RUST)
    yield signed(
        "an image of micropython", "ok", image(variant="micropython"), device=DEVICE | {"abi": "esp32s3"}
    )
    yield signed("a higher security version", "ok", manifest(security_version=2**31 - 1))
    yield signed("expired, when no time is known", "ok", manifest(), device=DEVICE | {"utc_s": None})
    yield signed("in its last second", "ok", manifest(), device=DEVICE | {"utc_s": 1_799_999_999})
    yield signed("not yet created by this clock", "ok", manifest(), device=DEVICE | {"utc_s": 1})
    files = [file(f"minerva/module_{i:02}.py", 8192) for i in range(40)]
    yield signed("40 files", "ok", manifest(files=files))
    files = [file(f"minerva/m{i:03}.py", 8192) for i in range(127)] + [file("x" * 64, 0)]
    yield signed("128 files of 1,040,384 bytes", "ok", manifest(files=files))
    yield signed("1 MiB", "ok", manifest(files=[file(f"f{i}", 262144) for i in range(4)]))
    yield signed("an image of 16 MiB", "ok", image(files=[file("firmware.bin", 1 << 24)]), device=RUST)
    yield signed(
        "the longest texts", "ok", manifest(name="n" * 32, version="9.9+" * 8, abi="mpy6.3-xtensawin")
    )
    padded = compact(manifest()).ljust(16384)
    yield vector("16384 bytes", "ok", padded, signature_text([ANNA.sign(padded)]), **AS_ONE)


def of_the_text() -> Iterator[dict]:
    """What is written, though it is signed."""
    plain = compact(manifest())
    yield signed("16385 bytes", "too_long", plain.ljust(16385))
    sig = signature_text([ANNA.sign(plain)])
    yield vector("a signature file of 16385 bytes", "too_long", plain, sig.ljust(16385))
    yield vector("a signature file of 16384 bytes", "ok", plain, sig.ljust(16384), **AS_ONE)
    yield signed("format 2", "unknown_format", {"format": 2, "whatever": []})
    yield signed("format 0", "unknown_format", manifest(format=0))
    for name, text in {
        "empty": "",
        "only spaces": "   ",
        "a list": "[]",
        "an empty object": "{}",
        "without its end": plain[:-1],
        "something after it": plain + "x",
        "a byte order mark": "\ufeff" + plain,
        "format as text": compact(manifest(format="1")),
        "format 1.0": compact(manifest()).replace('"format":1', '"format":1.0'),
        "format not first": compact(dict(reversed(manifest().items()))),
        "two keys exchanged": plain.replace(
            '"name":"minerva","version":"0.2.0"', '"version":"0.2.0","name":"minerva"'
        ),
        "a key twice": plain.replace('"name":', '"name":"other","name":'),
        "an unknown key": compact(manifest(channel="beta")),
        "a key missing": compact({k: v for k, v in manifest().items() if k != "expires"}),
        "a comma too many": plain.replace('"files":[[', '"files":[,[', 1),
        "a comma before the end": plain[:-2] + ",]}",
        "a comma missing": plain.replace(',"kind"', '"kind"'),
        "an escape in a string": plain.replace('"name":"m', '"name":"\\u006d'),
        "name empty": compact(manifest(name="")),
        "name in capitals": compact(manifest(name="Minerva")),
        "name of 33": compact(manifest(name="n" * 33)),
        "version empty": compact(manifest(version="")),
        "version of 33": compact(manifest(version="1" * 33)),
        "version with a slash": compact(manifest(version="0/2")),
        "version a number": compact(manifest(version=2)),
        "security version -1": compact(manifest(security_version=-1)),
        "security version 2^31": compact(manifest(security_version=2**31)),
        "security version 2^64 + 3": compact(manifest(security_version=2**64 + 3)),
        "security version 3.0": compact(manifest(security_version=3.0)),
        "security version 03": plain.replace('"security_version":3', '"security_version":03'),
        "security version true": compact(manifest(security_version=True)),
        "an unknown kind": compact(manifest(kind="patch")),
        "an unknown variant": compact(manifest(variant="c")),
        "a rust application": compact(manifest(variant="rust")),
        "no board": compact(manifest(boards=[])),
        "17 boards": compact(manifest(boards=[f"b{i}" for i in range(17)])),
        "a board twice": compact(manifest(boards=["virtual", "virtual"])),
        "a board's name with a dot": compact(manifest(boards=["../virtual"])),
        "abi empty": compact(manifest(abi="")),
        "abi with a space": compact(manifest(abi="mpy 6")),
        "expires when created": compact(manifest(expires=1_780_000_000)),
        "expires after the year 9999": compact(manifest(expires=253402300800)),
        "no key": compact(manifest(keys=[])),
        "nine keys": compact(manifest(keys=[ANNA.id, *(f"{i:016x}" for i in range(8))])),
        "a key's id twice": compact(manifest(keys=[ANNA.id, ANNA.id])),
        "a key's id in capitals": compact(manifest(keys=["ABCDEF0123456789"])),
        "no file": compact(manifest(files=[])),
        "129 files": compact(manifest(files=[file(f"f{i}", sha="0" * 64) for i in range(129)])),
        "two files in an image": compact(image(files=[file("firmware.bin"), file("more.bin")])),
        "a file of two items": compact(manifest(files=[["minerva/app.py", 1]])),
        "a file of four items": compact(manifest(files=[[*file(), 0]])),
        "a hash of 63 digits": compact(manifest(files=[file(sha="a" * 63)])),
        "a hash in capitals": compact(manifest(files=[file(sha="AB" * 32)])),
        "a hash with a space": compact(manifest(files=[file(sha="ab " * 21 + "a")])),
        "a size as text": compact(manifest(files=[file(size="1")])),
        "a size of -1": compact(manifest(files=[file(size=-1)])),
        "a size of 1e3": compact(manifest(files=[file()])).replace(",1,", ",1e3,"),
    }.items():
        yield signed(name, "bad_manifest", text)
    for name, path in {
        "empty": "",
        "absolute": "/boot.py",
        "upwards": "../boot.py",
        "upwards inside": "minerva/../../main.py",
        "here": "./boot.py",
        "a folder": "minerva/",
        "an empty part": "minerva//app.py",
        "only dots": "..",
        "a backslash": "minerva\\\\app.py",
        "an escape": "minerva\\/app.py",
        "a space": "minerva/a b.py",
        "not ASCII": "minerva/\u00e4.py",
        "a zero": "minerva/a\u0000.py",
        "65 characters": "m" * 65,
        "the manifest itself": "manifest.json",
        "its signature": "manifest.sig",
        "an unfinished file": "minerva/app.py.part",
    }.items():
        text = compact(manifest(files=[file("PATH")])).replace("PATH", path)
        yield signed(f"path: {name}", "bad_path", text)
    yield signed("path: twice", "bad_path", manifest(files=[file(), file("b"), file()]))
    yield signed("path: a file, then a folder", "bad_path", manifest(files=[file("a/b"), file("a/b/c/d")]))
    yield signed("path: a folder, then a file", "bad_path", manifest(files=[file("a/b/c/d"), file("a/b")]))
    yield signed("path: an image of another name", "bad_path", image(files=[file("other.bin")]), device=RUST)
    yield signed("size: a file of 256 KiB and a byte", "bad_size", manifest(files=[file(size=262145)]))
    total = [*(file(f"f{i}", 262144) for i in range(4)), file("more", 1)]
    yield signed("size: 1 MiB and a byte", "bad_size", manifest(files=total))
    yield signed("size: an empty image", "bad_size", image(files=[file("firmware.bin", 0)]), device=RUST)
    large = image(files=[file("firmware.bin", (1 << 24) + 1)])
    yield signed("size: an image of 16 MiB and a byte", "bad_size", large, device=RUST)


def of_the_device() -> Iterator[dict]:
    yield signed("for rust, here is micropython", "wrong_variant", image())
    yield signed("for micropython, here is rust", "wrong_variant", manifest(), device=RUST)
    yield signed("source, here is rust", "wrong_variant", manifest(abi="source"), device=RUST)
    yield signed("for other boards", "wrong_board", manifest(boards=["virtual"]))
    yield signed("for a board whose name only begins so", "wrong_board", manifest(boards=["devkitc1"]))
    yield signed("another mpy version", "wrong_abi", manifest(abi="mpy6.2-xtensawin"))
    yield signed("another processor", "wrong_abi", manifest(abi="mpy6.3-rv32imc"))
    yield signed("another chip", "wrong_abi", image(abi="esp32c6"), device=RUST)
    yield signed("an image that calls itself source", "wrong_abi", image(abi="source"), device=RUST)
    yield signed("a lower security version", "lower_security_version", manifest(security_version=2))
    yield signed("expired this second", "expired", manifest(), device=DEVICE | {"utc_s": 1_800_000_000})
    yield signed("expired long ago", "expired", manifest(), device=DEVICE | {"utc_s": 4_000_000_000})
    # The order of the checks: each is wrong in all that comes after it, too.
    wrong = {"boards": ["virtual"], "abi": "mpy6.2-x64", "security_version": 0}
    late = DEVICE | {"utc_s": 1_900_000_000}
    yield signed("order: variant first", "wrong_variant", image(**wrong), device=late)
    yield signed("order: then board", "wrong_board", manifest(**wrong), device=late)
    del wrong["boards"]
    yield signed("order: then abi", "wrong_abi", manifest(**wrong), device=late)
    del wrong["abi"]
    yield signed("order: then security version", "lower_security_version", manifest(**wrong), device=late)
    text = compact(manifest(boards=["virtual"]))
    yield vector("order: signatures before all these", "unknown_key", text, signature_text([DORA.sign(text)]))


def of_the_signatures() -> Iterator[dict]:
    text = compact(manifest((ANNA, BEN, CLEO)))
    a, b, c, d = (s.sign(text) for s in (ANNA, BEN, CLEO, DORA))
    other = compact(manifest((ANNA, BEN, CLEO), version="0.3.0"))
    bad_a, bad_b = ANNA.sign(other), BEN.sign(other)
    sizes = {"total": 15563, "offsets": [0, 15363]}

    def case(name: str, result: str, signatures: list[list[str]], keyset: str = TWO_OF_THREE) -> dict:
        ok = {"keyset_version": 4, **sizes} if result == "ok" else {}
        return vector(name, result, text, signature_text(signatures), keyset, **ok)

    yield case("two of three", "ok", [a, b])
    yield case("two of three, in another order", "ok", [c, a])
    yield case("all three", "ok", [a, b, c])
    yield case("two, and a stranger between", "ok", [a, d, c])
    yield case("two, then a wrong one that is not needed", "ok", [a, c, bad_b])
    yield case("none", "too_few_signatures", [])
    yield case("one", "too_few_signatures", [b])
    yield case("one twice", "too_few_signatures", [a, a])
    yield case("one, and a wrong one by the same key", "too_few_signatures", [a, bad_a])
    yield case("one, and a stranger", "too_few_signatures", [a, d])
    yield case("only a stranger", "unknown_key", [d])
    yield case("of another text", "bad_signature", [a, bad_b])
    yield case("a wrong one before the right one by the same key", "bad_signature", [bad_a, a, b])
    yield case("under another's id", "bad_signature", [[ANNA.id, b[1]]])
    yield case("of a key set's domain", "bad_signature", [ANNA.sign(text, KEYSET), b])
    yield case("without a domain", "bad_signature", [ANNA.sign(text, b""), b])
    yield case("of zeros", "bad_signature", [[ANNA.id, "0" * 128], b])
    replay = compact(manifest((ANNA, BEN, CLEO), version="0.2.0", security_version=4))
    sig = signature_text([ANNA.sign(text), BEN.sign(text)])
    yield vector("of the release before", "bad_signature", replay, sig, TWO_OF_THREE)
    few = compact(manifest((ANNA,)))
    sig = signature_text([BEN.sign(few)])
    yield vector("by a key that the manifest does not name", "unknown_key", few, sig, ONE)
    sig = signature_text([ANNA.sign(few), BEN.sign(few)])
    yield vector("the manifest names fewer than must sign", "too_few_signatures", few, sig, TWO_OF_THREE)
    weak = "01" + "00" * 31  # the point of order 1 as a key: it signs anything
    lax = compact({"format": 1, "version": 1, "threshold": 1, "keys": [weak]})
    weak_id = "01d0fabd251fcbbe"
    anyones = compact(manifest(keys=[weak_id]))
    sig = signature_text([[weak_id, weak + "00" * 32]])
    yield vector("by a key of small order", "bad_signature", anyones, sig, lax)
    for name, sig in {
        "empty": "",
        "not JSON": "x",
        "a list": "[]",
        "without key sets": compact({"format": 1, "signatures": [a, b]}),
        "an unknown key": compact({"format": 1, "signatures": [a, b], "keysets": [], "more": 1}),
        "something after it": signature_text([a, b]) + "]",
        "nine signatures": signature_text([a, b, *([d] * 7)]),
        "a signature of 63 bytes": signature_text([a, [BEN.id, b[1][:-2]]]),
        "a signature in capitals": signature_text([a, [BEN.id, b[1].upper()]]),
        "an id of 15 digits": signature_text([a, [BEN.id[1:], b[1]]]),
        "nine key sets": signature_text([a, b], *([rotation(TWO_OF_THREE)] * 9)),
        "a signature as a text": compact({"format": 1, "signatures": [a[1], b[1]], "keysets": []}),
    }.items():
        yield vector(f"manifest.sig: {name}", "bad_signature", text, sig, TWO_OF_THREE)
    sig = compact({"format": 2, "signatures": [a, b], "keysets": []})
    yield vector("manifest.sig: format 2", "unknown_format", text, sig, TWO_OF_THREE)
    yield vector("the manifest before manifest.sig", "bad_manifest", text + "x", "x", TWO_OF_THREE)


def of_rotations() -> Iterator[dict]:
    """From 2 of Anna, Ben, Cleo (4) to 2 of Ben, Cleo, Dora (5) to 1 of Dora (6)."""
    five, six = keyset_text(5, 2, BEN, CLEO, DORA), keyset_text(6, 1, DORA)
    step5, step6 = rotation(five, BEN, CLEO), rotation(six, BEN, DORA)
    text = compact(manifest((BEN, CLEO, DORA)))

    def case(
        name: str,
        result: str,
        signers: tuple[Signer, ...],
        *steps: dict,
        keyset: str = TWO_OF_THREE,
        now: int = 0,
    ) -> dict:
        ok = {"keyset_version": now, "total": 15563, "offsets": [0, 15363]} if now else {}
        sig = signature_text([s.sign(text) for s in signers], *steps)
        return vector(f"rotation: {name}", result, text, sig, keyset, **ok)

    yield case("to the next", "ok", (CLEO, DORA), step5, now=5)
    yield case("two steps", "ok", (DORA,), step5, step6, now=6)
    yield case("already there", "ok", (CLEO, DORA), step5, keyset=five, now=5)
    yield case("already there, one step more", "ok", (DORA,), step5, step6, keyset=five, now=6)
    yield case("already past it", "ok", (DORA,), step5, step6, keyset=six, now=6)
    spaced = five.replace(":", " :\n\t").replace('"format" :\n\t1', '"format":1')
    yield case("its text has line ends", "ok", (CLEO, DORA), rotation(spaced, BEN, CLEO), now=5)
    yield case(
        "those who sign both sets, and others", "ok", (CLEO, DORA), rotation(five, ANNA, DORA, BEN), now=5
    )
    away = rotation(keyset_text(6, 1, ANNA), ANNA, BEN, CLEO)
    yield case("the old keys do not count any more", "unknown_key", (DORA,), step5, away)
    yield case("too few in the new set", "too_few_signatures", (DORA,), step5)
    yield case("a set is left out", "keyset_gap", (DORA,), step6)
    yield case("the wrong order", "keyset_gap", (DORA,), step6, step5)
    yield case("one of the old set only", "too_few_signatures", (CLEO, DORA), rotation(five, BEN, DORA))
    yield case("the old set, not the new", "too_few_signatures", (CLEO, DORA), rotation(five, ANNA, BEN))
    yield case("one twice", "too_few_signatures", (CLEO, DORA), rotation(five, BEN, BEN, DORA))
    yield case("nobody", "too_few_signatures", (CLEO, DORA), rotation(five))
    yield case("strangers", "unknown_key", (CLEO, DORA), rotation(five, Signer("nobody"), Signer("no one")))
    wrong = rotation(five, BEN, CLEO)
    wrong["signatures"] = [BEN.sign(five, KEYSET), CLEO.sign(six, KEYSET)]
    yield case("a wrong signature", "bad_signature", (CLEO, DORA), wrong)
    wrong = rotation(five)
    wrong["signatures"] = [BEN.sign(five), CLEO.sign(five)]
    yield case("of a manifest's domain", "bad_signature", (CLEO, DORA), wrong)
    yield case("a bad key set", "bad_keyset", (CLEO, DORA), rotation(five.replace(":2", ":9"), BEN, CLEO))
    later = rotation(five.replace(":1", ":2"), BEN, CLEO)
    yield case("a key set of another format", "unknown_format", (CLEO, DORA), later)
    yield case("a key set of 2049 bytes", "too_long", (CLEO, DORA), rotation(five.ljust(2049), BEN, CLEO))
    yield case("a bad key set that would be passed over", "bad_keyset", (CLEO, DORA), rotation("{}"), step5)
    escaped = rotation(five, BEN, CLEO)
    sig = signature_text([s.sign(text) for s in (CLEO, DORA)], escaped).replace("keys\\", "k\\u0065ys\\")
    yield vector("rotation: another escape in its text", "bad_signature", text, sig, TWO_OF_THREE)


def sections() -> dict[str, list[dict]]:
    parts = (good(), of_the_text(), of_the_device(), of_the_signatures(), of_rotations())
    return {"manifests": [v for part in parts for v in part]}
