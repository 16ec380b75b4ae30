"""What the Rust firmware keeps in its partitions, written and read; little-endian.

`settings` (minerva_board::records) holds two records of magic, length, CRC-32 and text: settings.json from
the beginning, the first key set from KEYS_AT on. `update` (minerva_ota::stored, docs/ota.md) holds boot
record, release and key set, each in two sectors with count and checksum; `otadata` is the choice of ESP-IDF's
bootloader.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

from minerva import keyset
from minerva.errors import SettingsError, UpdateError
from minerva.settings import MAX_BYTES, parse
from minerva_hub.errors import UserError

from minerva_tools.usb.partitions import SECTOR

KEYS_AT: Final = 9216
_HEADER: Final = struct.Struct("<4sII")
MIN_SETTINGS: Final = KEYS_AT + _HEADER.size + keyset.MAX_BYTES  # bytes of the partition
MIN_UPDATE: Final = 6 * SECTOR
DESCRIBED: Final = 32 + 80  # bytes of a slot that `described` looks at
FORGOTTEN: Final = 4 * SECTOR  # of `update`: boot record and release, which a firmware by USB makes untrue
_SETTINGS, _KEYS = b"MNVS", b"MNVK"
# A text in two sectors, the first of them, and its bytes.
_BOOT, _RELEASE, _ROTATED = (b"MNVB", 0, 116), (b"MNVR", 2, 80), (b"MNVK", 4, 264)
_EMPTY: Final = 0xFF
_STATES: Final = ("new", "on trial", "valid", "invalid", "aborted")


class RecordError(UserError):
    """A record that is not whole, or none of the Rust firmware's."""


def settings_image(settings: bytes, keys: bytes | None = None) -> bytes:
    """What is written to the partition `settings`; RecordError where a device would refuse it."""
    try:
        parse(settings.decode())
        image = _framed(_SETTINGS, settings)
        if keys is not None:
            keyset.parse(keys)
            image = image.ljust(KEYS_AT, b"\xff") + _framed(_KEYS, keys)
    except UnicodeDecodeError as problem:
        raise RecordError(f"settings.json: not UTF-8 ({problem})") from problem
    except (SettingsError, UpdateError) as problem:
        raise RecordError(str(problem)) from problem
    return image


def settings_in(partition: bytes) -> bytes | None:
    """The text of settings.json; None: never written. RecordError: damaged, or something else."""
    return _text_in(partition, _SETTINGS, MAX_BYTES, "settings")


def keys_in(partition: bytes) -> bytes | None:
    """The text of the first key set; None: none was written. RecordError: as above, or it is no key set."""
    text = _text_in(partition[KEYS_AT:], _KEYS, keyset.MAX_BYTES, "a key set")
    if text is not None:
        try:
            keyset.parse(text)
        except UpdateError as problem:
            raise RecordError(f"the partition holds no key set: {problem}") from problem
    return text


def _framed(magic: bytes, text: bytes) -> bytes:
    return _HEADER.pack(magic, len(text), crc32(text)) + text


def _text_in(raw: bytes, magic: bytes, limit: int, what: str) -> bytes | None:
    head = raw[: _HEADER.size]
    if all(byte == _EMPTY for byte in head):
        return None
    found, size, checksum = _HEADER.unpack(head)
    if found != magic:
        raise RecordError(f"the partition holds something else where {what} would be")
    text = raw[_HEADER.size :][: min(size, limit)]
    if size > limit or len(text) < size or crc32(text) != checksum:
        raise RecordError(f"{what} in the partition is damaged: its checksum or length is wrong")
    return text


@dataclass(frozen=True)
class Chosen:
    """An entry of `otadata`."""

    sequence: int
    slot: str
    state: str


def chosen(otadata: bytes) -> list[Chosen]:
    """The whole entries, in the order of their numbers."""
    found = []
    for at in (0, SECTOR):
        raw = otadata[at : at + 32]
        if len(raw) < 32:
            continue
        sequence, state, checksum = struct.unpack("<I20xII", raw)
        # ESP-IDF's routine inverts what it begins with.
        if sequence in (0, 0xFFFFFFFF) or checksum != crc32(raw[:4], 0xFFFFFFFF):
            continue
        known = _STATES[state] if state < len(_STATES) else "undefined"
        found.append(Chosen(sequence, "ba"[sequence & 1], known))
    return sorted(found, key=lambda entry: entry.sequence)


def starting(entries: Sequence[Chosen]) -> str:
    """The slot that the bootloader starts, if its image is whole: that of the last entry that is not bad."""
    good = [entry.slot for entry in entries if entry.state not in ("invalid", "aborted")]
    return good[-1] if good else "a"


def boot_record(update: bytes) -> bytes | None:
    """The 116 bytes of the boot record, of which bootslot.unpack makes one; None: nothing is recorded."""
    return _newest(update, *_BOOT)


def release(update: bytes) -> dict[str, Any] | None:
    """What fills a slot, or has filled it; None: nothing by the air."""
    raw = _newest(update, *_RELEASE)
    if raw is None:
        return None
    slot, whole, have, size, security_version = struct.unpack("<BB2xIII", raw[:16])
    return {
        "slot": "ab"[slot & 1],
        "whole": bool(whole),
        "have": have,
        "bytes": size,
        "security_version": security_version,
    }


def rotated_keys(update: bytes) -> bytes | None:
    """The text of the key set that a release brought; None: there was no rotation."""
    raw = _newest(update, *_ROTATED)
    if raw is None:
        return None
    version, threshold, count = struct.unpack("<IBB", raw[:6])
    keys = [raw[at : at + 32].hex() for at in range(8, 8 + 32 * min(count, 8), 32)]
    text = {"format": 1, "version": version, "threshold": threshold, "keys": keys}
    return json.dumps(text, separators=(",", ":")).encode()


def _newest(update: bytes, magic: bytes, sector: int, size: int) -> bytes | None:
    """The text of the copy that counts: whole, and with the higher count, which may wrap."""
    found: list[tuple[int, bytes]] = []
    for copy in (sector, sector + 1):
        raw = update[copy * SECTOR :][: size + 12]
        if len(raw) == size + 12 and raw.startswith(magic) and struct.pack("<I", crc32(raw[:-4])) == raw[-4:]:
            found.append((int.from_bytes(raw[4:8], "little"), raw[8:-4]))
    if len(found) == 2 and (found[1][0] - found[0][0]) % 2**32 >= 2**31:
        found.pop()
    return found[-1][1] if found else None


def described(slot: bytes) -> dict[str, str] | None:
    """What an image says of itself (ESP-IDF's description behind its header); None: there is no image."""
    if len(slot) < DESCRIBED or slot[0] != 0xE9 or slot[32:36] != b"\x32\x54\xcd\xab":
        return None
    version, project = (
        slot[at : at + 32].split(b"\0")[0].decode(errors="replace") for at in (32 + 16, 32 + 48)
    )
    return {"version": version, "project": project}
