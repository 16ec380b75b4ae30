"""Section `keysets`: the text of one. {keyset, result; version, threshold, ids where that is "ok"}."""

from __future__ import annotations

from ota_sections._release import ANNA, BEN, CLEO, compact, keyset_text

TEST_1 = (
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"  # RFC 8032's key, id 21fe31dfa154a261
)


def sections() -> dict[str, list[dict]]:
    good = {"format": 1, "version": 7, "threshold": 2, "keys": [s.public.hex() for s in (ANNA, BEN, CLEO)]}
    ids = [s.id for s in (ANNA, BEN, CLEO)]
    eight = [f"{i:064x}" for i in range(1, 9)]
    spaced = '\r\n{ "format" : 1 ,\t"version" : 1, "threshold" : 1, "keys" : [ "' + TEST_1 + '" ] }\n'
    out = [
        {
            "name": "one key, written by hand, with space between",
            "by": "hand",
            "keyset": spaced,
            "result": "ok",
            "version": 1,
            "threshold": 1,
            "ids": ["21fe31dfa154a261"],
        },
        {
            "name": "two of three",
            "by": "generator",
            "keyset": keyset_text(7, 2, ANNA, BEN, CLEO),
            "result": "ok",
            "version": 7,
            "threshold": 2,
            "ids": ids,
        },
    ]
    bad: dict[str, tuple[str, str]] = {
        "empty": ("", "bad_keyset"),
        "a list": ("[]", "bad_keyset"),
        "another format": (compact({"format": 2, "anything": 1}), "unknown_format"),
        "no format": (compact({"version": 1, "threshold": 1, "keys": [TEST_1]}), "bad_keyset"),
        "version 0": (compact(good | {"version": 0}), "bad_keyset"),
        "version 2^31": (compact(good | {"version": 2**31}), "bad_keyset"),
        "threshold 0": (compact(good | {"threshold": 0}), "bad_keyset"),
        "threshold above the keys": (compact(good | {"threshold": 4}), "bad_keyset"),
        "no key": (compact(good | {"keys": []}), "bad_keyset"),
        "nine keys": (compact(good | {"keys": [*eight, TEST_1]}), "bad_keyset"),
        "a key twice": (compact(good | {"keys": [TEST_1, TEST_1]}), "bad_keyset"),
        "a key in upper case": (compact(good | {"keys": [TEST_1, TEST_1.upper()]}), "bad_keyset"),
        "a short key": (compact(good | {"keys": [TEST_1, TEST_1[:-2]]}), "bad_keyset"),
        "a key that is a number": (compact(good | {"keys": [TEST_1, 5]}), "bad_keyset"),
        "an unknown key of the object": (compact(good | {"expires": 5}), "bad_keyset"),
        "something after it": (compact(good) + "{}", "bad_keyset"),
        "without its end": (compact(good)[:-1], "bad_keyset"),
        "2049 bytes": (compact(good).ljust(2049), "too_long"),
    }
    out += [
        {"name": name, "by": "generator", "keyset": text, "result": result}
        for name, (text, result) in bad.items()
    ]
    out.append(
        {
            "name": "2048 bytes",
            "by": "generator",
            "keyset": compact(good).ljust(2048),
            "result": "ok",
            "version": 7,
            "threshold": 2,
            "ids": ids,
        }
    )
    return {"keysets": out}
