"""settings_image.py SETTINGS.JSON OUT.BIN [KEYS.JSON]   for the `settings` partition of the Rust firmware.

By hand what `minerva device pair` does by USB: where the partition lies says the board's partition table
(`minerva device info`, or firmware_rs/esp32/partitions.csv if that was flashed).
"""

from __future__ import annotations

import sys
from pathlib import Path

from minerva_hub.errors import UserError
from minerva_tools.usb.rust_records import settings_image


def main(arguments: list[str]) -> int:
    """Write it; what is wrong goes to standard error."""
    if len(arguments) not in (2, 3):
        print("settings_image.py SETTINGS.JSON OUT.BIN [KEYS.JSON]", file=sys.stderr)
        return 2
    source, out, *keys = map(Path, arguments)
    try:
        out.write_bytes(settings_image(source.read_bytes(), *(path.read_bytes() for path in keys)))
    except (OSError, UserError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
