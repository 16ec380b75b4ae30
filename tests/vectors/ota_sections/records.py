"""Section `records`: two copies of the boot record, and what a device reads from them.

{copies: [hex or null, hex or null], record: {…} or null, lost}. A copy that is null was never written.
`lost`: there are copies, and none is whole.
"""

from __future__ import annotations

import struct
import zlib

A, B, DEV = (bytes([n]) * 32 for n in (0xAA, 0xBB, 0xDD))
NONE = bytes(32)

# Byte by byte from the table in docs/ota.md; the checksum by gzip.
HAND = (
    "4d4e5642" "05000000" "01" "01" "02" "01" "00" "01" "00" "00" "4e61bc0000000000" "03000000"
    + "aa" * 32 + "bb" * 32 + "00" * 32 + "b6e0a95d"
)  # fmt: skip
SLOTS = ("a", "b", "dev", "main")


def record(**changes: object) -> dict[str, object]:
    """A device that runs b on trial, its second turn."""
    return {
        "active": "b",
        "trial": "running",
        "turns": 1,
        "previous": "a",
        "flags": 1,
        "outcome": 0,
        "action": 12345678,
        "floor": 3,
        "hashes": [A.hex(), B.hex(), NONE.hex()],
        **changes,
    }


def encoded(count: int, r: dict, magic: bytes = b"MNVB", version: int = 1) -> bytes:
    raw = magic + struct.pack(
        "<IBBBBBBBBQI",
        count,
        version,
        SLOTS.index(r["active"]),
        ("none", "waiting", "running").index(r["trial"]),
        r["turns"],
        SLOTS.index(r["previous"]),
        r["flags"],
        r["outcome"],
        0,
        r["action"],
        r["floor"],
    )
    raw += b"".join(bytes.fromhex(h) for h in r["hashes"])
    return raw + struct.pack("<I", zlib.crc32(raw))


def sections() -> dict[str, list[dict]]:
    old = record(active="a", previous="b", trial="none", turns=0, action=0)
    new = record()
    full = record(
        active="dev",
        previous="main",
        trial="waiting",
        turns=255,
        flags=3,
        outcome=6,
        action=2**63,
        floor=2**31 - 1,
        hashes=[A.hex(), B.hex(), DEV.hex()],
    )
    out: list[dict] = [
        {"name": "by hand", "by": "hand", "copies": [HAND, None], "record": record(), "lost": False}
    ]

    def add(name: str, first: bytes | None, second: bytes | None, r: dict | None, lost: bool = False) -> None:
        copies = [None if raw is None else raw.hex() for raw in (first, second)]
        out.append({"name": name, "by": "generator", "copies": copies, "record": r, "lost": lost})

    add("never written", None, None, None)
    add("only the first copy", encoded(1, old), None, old)
    add("only the second copy", None, encoded(1, old), old)
    add("the second is newer", encoded(7, old), encoded(8, new), new)
    add("the first is newer", encoded(9, new), encoded(8, old), new)
    add("the largest values", encoded(2, old), encoded(3, full), full)
    for low in (2**30 - 1, 2**31 - 1, 2**32 - 1):
        high = (low + 1) % 2**32
        add(f"a count of {high} after {low}", encoded(low, old), encoded(high, new), new)
        add(f"a count of {high} after {low}, turned round", encoded(high, new), encoded(low, old), new)
    whole = encoded(8, new)
    for at in (0, 4, 8, 9, 16, 28, 60, 92, 123, 124, 127):
        changed = bytearray(whole)
        changed[at] ^= 0x40
        add(f"the newer one changed at byte {at}", encoded(7, old), bytes(changed), old)
    for size in (0, 1, 64, 124, 127):
        add(f"the newer one cut at {size}", encoded(7, old), whole[:size], old)
    add("the newer one has a byte too many", encoded(7, old), whole + b"\0", old)
    add("another magic", encoded(7, old), encoded(8, new, magic=b"MNVT"), old)
    add("both damaged", whole[:100], whole[:-1] + b"\0", None, True)
    add("one damaged, one never written", whole[:100], None, None, True)
    add("both empty", b"", b"", None, True)
    add("another version", encoded(8, new, version=2), None, None, True)
    return {"records": out}
