"""What is to be written into a chip's flash: whole MicroPython images and the Rust firmware, checked before.

An image is checked as the chip's bootloader would: headers, checksum, SHA-256 (esptool's reader).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from minerva_hub.errors import UserError

from minerva_tools.release.files import image as application_image
from minerva_tools.usb import partitions
from minerva_tools.usb.partitions import APP, OFFSET, Partition
from minerva_tools.usb.rust_records import FORGOTTEN

MAX_BYTES: Final = 16 << 20
_HEADER: Final = 24
_MAGIC: Final = b"\xe9"


class ImageError(UserError):
    """A file is no firmware for a chip, or a damaged one."""


@dataclass(frozen=True)
class Part:
    """Bytes for a place in the flash."""

    offset: int
    data: bytes
    title: str


@dataclass(frozen=True)
class Firmware:
    """A chip's name as esptool's, as `esp32s3`; what is written where; how large its flash must be at least.

    `blank` are stretches (offset, size) that must be erased.
    """

    chip: str
    flash_bytes: int
    table: tuple[Partition, ...]
    parts: tuple[Part, ...]
    blank: tuple[tuple[int, int], ...] = ()

    def merged(self) -> bytes:
        """One file for the place where the chip's bootloader begins, as esptool's merge-bin makes it."""
        start = min(part.offset for part in self.parts)
        out = bytearray(b"\xff" * (max(part.offset + len(part.data) for part in self.parts) - start))
        for part in self.parts:
            out[part.offset - start : part.offset - start + len(part.data)] = part.data
        return bytes(out)


def chip_of(data: bytes, title: str) -> str:
    """The chip that the image `title` is for; ImageError."""
    if not data.startswith(_MAGIC) or len(data) < _HEADER:
        raise ImageError(f"{title}: no image of an ESP32: it must begin with the byte E9")
    number = int.from_bytes(data[12:14], "little")
    for name, rom in _roms().items():
        if getattr(rom, "IMAGE_CHIP_ID", None) == number:
            return name
    raise ImageError(f"{title}: an image for a chip with the number {number}, which is not known here")


def check_image(data: bytes, chip: str, title: str) -> None:
    """ImageError unless `data` begins with a whole image for `chip`, as its bootloader would take it."""
    from esptool.bin_image import LoadFirmwareImage
    from esptool.util import FatalError

    try:
        with _quiet():
            image = LoadFirmwareImage(chip, data)
            right = image.checksum == image.calculate_checksum()
            digest = getattr(image, "stored_digest", None)
            whole = digest is None or digest == image.calc_digest
    except (
        FatalError,
        ValueError,
        TypeError,
        LookupError,
        OSError,
        ArithmeticError,
        struct.error,
    ) as problem:
        raise ImageError(f"{title}: no image for {chip} ({problem})") from problem
    if not right or not whole:
        raise ImageError(
            f"{title} is damaged: its {'SHA-256' if right else 'checksum'} is wrong; fetch it again"
        )


def micropython(path: Path, *, two_slots: bool = False) -> Firmware:
    """A MicroPython as micropython.org offers it for a board: bootloader, table and application in one file.

    With `two_slots` the application gets a second slot beside it, for updates of the whole.
    """
    data = _read(path)
    chip = chip_of(data, str(path))
    begin = int(_roms()[chip].BOOTLOADER_FLASH_OFFSET)
    at = OFFSET - begin
    if len(data) <= at or not data[at:].startswith(b"\xaa\x50"):
        raise ImageError(
            f"{path} has no partition table at {at:#x}: take the .bin file for a new board, not the "
            ".app-bin that updates one"
        )
    table = partitions.decode(data[at:])
    app = next((part for part in table if part.type == APP), None)
    if app is None or len(data) <= app.offset - begin:
        raise ImageError(f"{path} has no application")
    code = data[app.offset - begin :]
    check_image(data, chip, f"{path.name}, bootloader")
    check_image(code, chip, f"{path.name}, application")
    if len(code) > app.size:
        raise ImageError(f"{path}: the application has {len(code)} bytes, its partition {app.size}")
    made = Firmware(chip, flash_bytes_of(data), table, (Part(begin, data, "MicroPython"),))
    if not two_slots:
        return made
    table = partitions.two_slots(made.flash_bytes, len(code))
    slot = next(part for part in table if part.type == APP)
    return replace(
        made,
        table=table,
        parts=(
            Part(begin, data[:at].rstrip(b"\xff"), "bootloader"),
            Part(OFFSET, partitions.encode(table), "partition table"),
            Part(slot.offset, code, "MicroPython"),
        ),
        blank=tuple((part.offset, part.size) for part in table if part.name == "otadata"),
    )


def rust(path: Path, bootloader: Path, table_csv: str, chip: str | None = None) -> Firmware:
    """The Rust firmware (an ELF file of `chip`, or an image) behind a bootloader with rollback.

    What updates had recorded of the slots is forgotten, else the device would go back to a release of before.
    """
    content = application_image(path, chip)
    found, code = content.abi, next(iter(content.files.values()))
    loader = _read(bootloader)
    loads = chip_of(loader, str(bootloader))
    if loads != found:
        raise ImageError(f"{bootloader} is for {loads}, {path} for {found}")
    check_image(loader, found, bootloader.name)
    check_image(code, found, path.name)
    flash_bytes = flash_bytes_of(loader)
    table = partitions.checked(partitions.from_csv(table_csv), flash_bytes)
    slot = next(part for part in table if part.subtype == partitions.OTA_0 and part.type == APP)
    if len(code) > slot.size:
        raise ImageError(f"{path}: the image has {len(code)} bytes, a slot {slot.size}")
    begin = int(_roms()[found].BOOTLOADER_FLASH_OFFSET)
    if begin + len(loader) > OFFSET:
        raise ImageError(
            f"{bootloader} has {len(loader)} bytes; {OFFSET - begin} fit before the partition table"
        )
    return Firmware(
        found,
        flash_bytes,
        table,
        (
            Part(begin, loader, "bootloader"),
            Part(OFFSET, partitions.encode(table), "partition table"),
            Part(slot.offset, code, "firmware"),
        ),
        tuple(
            (part.offset, part.size if part.name == "otadata" else FORGOTTEN)
            for part in table
            if part.name in ("otadata", "update")
        ),
    )


def flash_bytes_of(bootloader: bytes) -> int:
    """The size of the flash that a bootloader reckons with, from its header."""
    return 1 << 20 << (bootloader[3] >> 4)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise ImageError(f"{path}: cannot be read: {problem.strerror}") from problem
    if len(data) > MAX_BYTES:
        raise ImageError(f"{path}: more than {MAX_BYTES >> 20} MB")
    return data


def _roms() -> dict[str, Any]:
    from esptool.targets import CHIP_DEFS

    return dict(CHIP_DEFS)


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stdout(io.StringIO()):
        yield
