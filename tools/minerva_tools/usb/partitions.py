"""Partition tables of the ESP32: read, written, and laid out for two application slots.

The binary form is ESP-IDF's: 32-byte entries, then one with their MD5, the rest FF; at 0x8000 of the flash.
"""

from __future__ import annotations

import csv
import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from minerva_hub.errors import UserError

OFFSET: Final = 0x8000
TABLE_BYTES: Final = 0xC00
FIRST: Final = 0x9000
SECTOR: Final = 0x1000
APP_ALIGN: Final = 0x10000
MIN_FILES: Final = 0x60000  # two compiled slots of 110 kB, one for makers, and room to write beside
_ENTRY: Final = struct.Struct("<2sBBII16sI")
_MAGIC, _MD5 = b"\xaa\x50", b"\xeb\xeb" + b"\xff" * 14
APP, DATA = 0, 1
OTA_0, OTA_1 = 0x10, 0x11
_TYPES: Final = {"app": APP, "data": DATA}
_SUBTYPES: Final = {
    APP: {"factory": 0, "ota_0": OTA_0, "ota_1": OTA_1, "test": 0x20},
    DATA: {"ota": 0, "phy": 1, "nvs": 2, "coredump": 3, "undefined": 6, "fat": 0x81, "spiffs": 0x82},
}


@dataclass(frozen=True)
class Partition:
    """A stretch of the flash: what is in it, from where on, how long, in bytes."""

    name: str
    type: int
    subtype: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.size


def checked(table: Iterable[Partition], flash_bytes: int) -> tuple[Partition, ...]:
    """The table in the order of offsets; UserError where it would not work."""
    ordered = tuple(sorted(table, key=lambda part: part.offset))
    at = FIRST
    for part in ordered:
        align = APP_ALIGN if part.type == APP else SECTOR
        if part.offset < at or part.offset % align or part.size % SECTOR or part.size <= 0:
            raise UserError(
                f"partition {part.name!r} at {part.offset:#x} with {part.size:#x} bytes overlaps another "
                f"one, or does not begin at a multiple of {align:#x}"
            )
        if not 1 <= len(part.name.encode()) <= 16:
            raise UserError(f"partition {part.name!r}: names have 1 to 16 bytes")
        at = part.end
    if at > flash_bytes:
        raise UserError(f"the partitions end at {at:#x}; the flash has {flash_bytes:#x} bytes")
    if (len(ordered) + 1) * _ENTRY.size > TABLE_BYTES:
        raise UserError(f"{len(ordered)} partitions; a table holds {TABLE_BYTES // _ENTRY.size - 1}")
    return ordered


def encode(table: Sequence[Partition]) -> bytes:
    """A table as it stands in the flash, 0xC00 bytes."""
    raw = b"".join(
        _ENTRY.pack(_MAGIC, part.type, part.subtype, part.offset, part.size, part.name.encode(), 0)
        for part in table
    )
    return (raw + _MD5 + hashlib.md5(raw, usedforsecurity=False).digest()).ljust(TABLE_BYTES, b"\xff")


def decode(raw: bytes) -> tuple[Partition, ...]:
    """The table in the flash's bytes; UserError: there is none, or its checksum is wrong."""
    table = []
    for at in range(0, min(len(raw), TABLE_BYTES) - _ENTRY.size + 1, _ENTRY.size):
        entry = raw[at : at + _ENTRY.size]
        if entry[:16] == _MD5:
            if entry[16:] != hashlib.md5(raw[:at], usedforsecurity=False).digest():
                raise UserError("the partition table is damaged: its MD5 is wrong")
            break
        if entry[:2] != _MAGIC:
            break
        _, kind, subtype, offset, size, name, _ = _ENTRY.unpack(entry)
        table.append(Partition(name.rstrip(b"\0").decode(errors="replace"), kind, subtype, offset, size))
    if not table:
        raise UserError("there is no partition table")
    return tuple(table)


def from_csv(text: str) -> tuple[Partition, ...]:
    """A table written as ESP-IDF's CSV, with its offsets; UserError says which line is none."""
    table = []
    for row in csv.reader(line for line in text.splitlines() if line.strip() and not line.startswith("#")):
        try:
            name, kind, subtype, offset, size = (cell.strip() for cell in row[:5])
            number = _TYPES[kind]
            table.append(Partition(name, number, _SUBTYPES[number][subtype], int(offset, 0), int(size, 0)))
        except (ValueError, KeyError) as problem:
            raise UserError(f"{','.join(row)}: no line of a partition table ({problem})") from problem
    return tuple(table)


def two_slots(flash_bytes: int, app_bytes: int) -> tuple[Partition, ...]:
    """MicroPython's partitions with two slots for an application of `app_bytes`, the rest for files.

    UserError: the flash is too small for two.
    """
    wanted = 0x200000 if flash_bytes >= 0x800000 else 0
    slot = max(wanted, -(-app_bytes // APP_ALIGN) * APP_ALIGN)
    files_at = 0x10000 + 2 * slot
    left = flash_bytes - files_at
    if left < MIN_FILES:
        raise UserError(
            f"two slots of {slot // 1024} kB leave {max(left, 0) // 1024} kB of {flash_bytes >> 20} MB for "
            f"files, and {MIN_FILES // 1024} kB are needed; take a board with a larger flash, or one slot"
        )
    table = (
        Partition("nvs", DATA, _SUBTYPES[DATA]["nvs"], 0x9000, 0x4000),
        Partition("otadata", DATA, _SUBTYPES[DATA]["ota"], 0xD000, 0x2000),
        Partition("phy_init", DATA, _SUBTYPES[DATA]["phy"], 0xF000, 0x1000),
        Partition("ota_0", APP, OTA_0, 0x10000, slot),
        Partition("ota_1", APP, OTA_1, 0x10000 + slot, slot),
        Partition("vfs", DATA, _SUBTYPES[DATA]["fat"], files_at, left),
    )
    return checked(table, flash_bytes)
