"""`minerva device flash`: MicroPython or the Rust firmware onto a chip by USB."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from minerva_hub.errors import UserError

from minerva_tools.commands.device_usb import PortOption, port_of


def flash(
    image: Annotated[
        Path,
        typer.Argument(
            help="MicroPython's .bin for the board (ESP32_GENERIC_S3); with --bootloader Rust's image.",
            show_default=False,
        ),
    ],
    port: PortOption = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Erase everything first: application, settings, keys.")
    ] = False,
    two_slots: Annotated[
        bool,
        typer.Option("--two-slots", help="Partitions for updates of the whole MicroPython; needs --erase."),
    ] = False,
    bootloader: Annotated[
        Path | None,
        typer.Option(
            help="ESP-IDF bootloader with rollback: IMAGE is the Rust firmware.", show_default=False
        ),
    ] = None,
    chip: Annotated[
        str | None,
        typer.Option(
            help="The chip that IMAGE is for, as esp32c6; an ELF file does not say.", show_default=False
        ),
    ] = None,
    partition_table: Annotated[
        Path | None,
        typer.Option(help="The Rust firmware's partitions (CSV); else the project's.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write one file instead, for minerva release build --full.", show_default=False),
    ] = None,
    baud: Annotated[int, typer.Option(help="Speed of the port, in bits per second.")] = 460_800,
) -> None:
    """Write a firmware: checks the file, the chip and its flash, writes, compares, restarts."""
    from minerva_tools.usb import firmware, flashing
    from minerva_tools.usb.progress import bar

    if two_slots and bootloader is not None:
        raise UserError("--two-slots is for MicroPython; the Rust firmware has two slots always")
    if two_slots and not erase and out is None:
        raise UserError("--two-slots moves the file system: what is there is lost. Add --erase to say so")
    if bootloader is None and partition_table is not None:
        raise UserError("--partition-table is for the Rust firmware: add --bootloader FILE")
    if bootloader is None:
        found = firmware.micropython(image, two_slots=two_slots)
        if chip is not None and chip != found.chip:
            raise UserError(f"{image} is for {found.chip}, --chip says {chip}: nothing was written")
    else:
        found = firmware.rust(image, bootloader, _table(partition_table), chip)
    if out is not None:
        from minerva_tools.release.keys import write_new

        data = found.merged()
        write_new(out, data)
        print(
            f"{out}: {len(data)} bytes for {found.chip}, from {found.parts[0].offset:#x} on.", file=sys.stderr
        )
        return
    with flashing.connect(port_of(port), baud=baud) as there:
        print(f"{there.name}, MAC {there.mac}, {there.flash_bytes >> 20} MB of flash.", file=sys.stderr)
        flashing.flash(there, found, erase=erase, bar=bar)
    following = "minerva device pair" if bootloader else "minerva device deploy, minerva device pair"
    print(f"Written and compared; it restarts. Next: {following}", file=sys.stderr)


def _table(path: Path | None) -> str:
    from minerva_tools.virtual import device_folder

    path = path or device_folder().parent / "firmware_rs" / "esp32" / "partitions.csv"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise UserError(
            f"{path}: cannot be read; name one with --partition-table ({problem.strerror})"
        ) from problem
