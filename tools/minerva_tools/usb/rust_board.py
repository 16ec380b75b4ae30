"""A board with the Rust firmware, in its chip's download mode: partitions, and settings written and read.

Where a partition lies says the board's own partition table, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from minerva_hub.errors import UserError

from minerva_tools.usb import partitions, rust_records
from minerva_tools.usb.board import BoardError
from minerva_tools.usb.firmware import Part
from minerva_tools.usb.flashing import Chip, connect
from minerva_tools.usb.partitions import DATA, Partition
from minerva_tools.usb.ports import PortError

# The partitions that the firmware looks for, by their names (firmware_rs/esp32/partitions.csv).
NEEDED: Final = ("settings", "state", "otadata", "update", "ota_0", "ota_1")
FLASH_IT: Final = "minerva device flash IMAGE --bootloader FILE"


class NotRustError(BoardError):
    """The board's partitions are another firmware's."""


class RustBoard:
    """The board; `name` is its chip's, as `esp32c6`. BoardError: its table is not the firmware's."""

    def __init__(self, port: str, chip: Chip) -> None:
        self.port = port
        self.name = chip.name
        self.mac = chip.mac
        self.flash_bytes = chip.flash_bytes
        self._chip = chip
        whose = f"{port}: this {chip.name} (MAC {chip.mac})"
        try:
            table = partitions.decode(chip.read(partitions.OFFSET, partitions.TABLE_BYTES))
        except UserError as problem:
            raise BoardError(
                f"{whose} cannot be paired: {problem}. Write a firmware first: {FLASH_IT}, or MicroPython"
            ) from problem
        self.table: dict[str, Partition] = {part.name: part for part in table}
        if "settings" not in self.table:
            raise NotRustError(
                f"{whose} has no partition 'settings', which the Rust firmware needs; it has "
                f"{', '.join(self.table)}. Flash the Rust firmware first: {FLASH_IT} --erase"
            )
        problems = [f"no partition {name!r}" for name in NEEDED if name not in self.table]
        for name, least in (("settings", rust_records.MIN_SETTINGS), ("update", rust_records.MIN_UPDATE)):
            part = self.table.get(name)
            if part is not None and (part.type != DATA or part.size < least):
                problems.append(f"{name!r} is no data partition of {least} bytes or more")
        try:
            partitions.checked(table, chip.flash_bytes or table[-1].end)
        except UserError as problem:
            problems.append(str(problem))
        if problems:
            raise BoardError(
                f"{whose} has a partition table that the Rust firmware cannot use: {'; '.join(problems)}. "
                f"Nothing was written. Flash it with the project's table: {FLASH_IT}"
            )

    def read(self, name: str, size: int | None = None) -> bytes:
        """A partition from its beginning, whole or `size` bytes of it."""
        part = self.table[name]
        return self._chip.read(part.offset, part.size if size is None else size)

    def write_settings(self, text: bytes, keys: bytes | None) -> bool:
        """Write settings, with `keys` where the board holds no key set; whether it holds those now.

        BoardError, PortError: they do not stand there. What was there before is put back, if the chip still
        answers.
        """
        part = self.table["settings"]
        before = self.read("settings")
        try:
            own = rust_records.keys_in(before)
        except rust_records.RecordError:
            own = None  # it is none for the firmware either
        image = rust_records.settings_image(text, own or keys).ljust(part.size, b"\xff")
        try:
            self._put(part, image)
        except (BoardError, PortError) as problem:
            raise BoardError(f"{problem}. {self._restored(part, before)}") from problem
        return own is None and keys is not None

    def _put(self, part: Partition, data: bytes) -> None:
        self._chip.write([Part(part.offset, data, part.name)], lambda more: None)
        if self._chip.read(part.offset, part.size) != data:
            raise BoardError(f"{self.port}: the partition {part.name!r} does not hold what was sent")

    def _restored(self, part: Partition, before: bytes) -> str:
        try:
            self._put(part, before)
        except (BoardError, PortError):
            return "What settings it holds now is not known: plug it in again and run this again"
        return "It has the settings of before again; run this again"

    def restart(self) -> None:
        """Begin with what is in the flash."""
        self._chip.restart()


@contextmanager
def rust_board(port: str) -> Iterator[RustBoard]:
    """The board at a port, put into its download mode; PortError, BoardError, NotRustError."""
    with connect(port) as chip:
        try:
            yield RustBoard(port, chip)
        except BaseException:
            with suppress(BoardError, PortError):
                chip.restart()  # else it would stay as it is, and silent
            raise
