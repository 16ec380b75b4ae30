"""settings_image.py SETTINGS.JSON OUT.BIN   settings.json for the Rust firmware's `settings` partition.

The partition's offset stands in firmware_rs/esp32/partitions.csv:

    python -m esptool write-flash 0xb000 OUT.BIN

The record (minerva_board::records): "MNVS", then the length and the CRC-32 of the
JSON, each a little-endian u32, then the JSON.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

from minerva.errors import SettingsError
from minerva.settings import parse

PARTITION_BYTES = 0x3000


def record(json: bytes) -> bytes:
    """The bytes to write at the start of the partition. SettingsError when the device would refuse them."""
    try:
        text = json.decode()
    except UnicodeDecodeError as exc:
        raise SettingsError(f"settings.json: not UTF-8 ({exc})") from None
    parse(text)
    return b"MNVS" + struct.pack("<II", len(json), zlib.crc32(json)) + json


def main(arguments: list[str]) -> int:
    """Write it; what is wrong goes to standard error."""
    if len(arguments) != 2:
        print("settings_image.py SETTINGS.JSON OUT.BIN", file=sys.stderr)
        return 2
    source, out = map(Path, arguments)
    try:
        out.write_bytes(record(source.read_bytes()))
    except (OSError, SettingsError) as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
