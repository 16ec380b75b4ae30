"""settings_image.py SETTINGS.JSON OUT.BIN [KEYS.JSON]   for the `settings` partition of the Rust firmware.

The partition's offset stands in firmware_rs/esp32/partitions.csv:

    python -m esptool write-flash 0xb000 OUT.BIN

The record (minerva_board::records): "MNVS", then the length and the CRC-32 of the
JSON, each a little-endian u32, then the JSON. The key set is another such record,
"MNVK", at byte 9216; without it the device refuses every release.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

from minerva import keyset
from minerva.errors import SettingsError, UpdateError
from minerva.settings import parse

PARTITION_BYTES = 0x3000
KEYS_AT = 9216  # minerva_board::records::KEYS_AT


def record(json: bytes) -> bytes:
    """The bytes to write at the start of the partition. SettingsError when the device would refuse them."""
    try:
        text = json.decode()
    except UnicodeDecodeError as exc:
        raise SettingsError(f"settings.json: not UTF-8 ({exc})") from None
    parse(text)
    return _framed(b"MNVS", json)


def with_keys(settings: bytes, keys: bytes) -> bytes:
    """A `record` and the text of a key set behind it. UpdateError when that is none."""
    keyset.parse(keys)
    return settings.ljust(KEYS_AT, b"\xff") + _framed(b"MNVK", keys)


def _framed(magic: bytes, text: bytes) -> bytes:
    return magic + struct.pack("<II", len(text), zlib.crc32(text)) + text


def main(arguments: list[str]) -> int:
    """Write it; what is wrong goes to standard error."""
    if len(arguments) not in (2, 3):
        print("settings_image.py SETTINGS.JSON OUT.BIN [KEYS.JSON]", file=sys.stderr)
        return 2
    source, out, *keys = map(Path, arguments)
    try:
        image = record(source.read_bytes())
        for path in keys:
            image = with_keys(image, path.read_bytes())
        out.write_bytes(image)
    except (OSError, SettingsError, UpdateError) as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
