"""The Rust firmware's images for chips: how they are built, what they take of flash and of memory.

python -m minerva_tools.images [CHIP...]
"""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from minerva_hub.errors import MinervaError, UserError

ROOT: Final = Path(__file__).resolve().parents[2]
CHIPS: Final = ("esp32c6", "esp32c3")  # those that are built without Espressif's compiler
SLOT_BYTES: Final = 0x180000  # ota_0 and ota_1 in firmware_rs/esp32/partitions.csv
SKIPPED: Final = 3  # build-images.sh's status when a compiler is not to be had

_IN_MEMORY = (".trap", ".vectors", ".rwtext", ".data", ".bss", ".noinit")
_ALLOCATED = 2
_OBJECT = 1


class ImagesUnavailableError(UserError):
    """The images cannot be built or measured here, and why."""


class ImageBuildError(MinervaError):
    """The firmware does not compile or link, or what came out is no image."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of flash and of memory.

    `flash` is the image with headers and hash; `static` is what the linker places, `heap` a part of it;
    `reclaimed` was the bootloader's and is heap too; `stack` is what is left for main's thread.
    """

    flash: int
    static: int
    heap: int
    reclaimed: int
    stack: int


@dataclass(frozen=True)
class Built:
    """ELF files by chip, and of the others the reasons why they were skipped."""

    images: dict[str, Path]
    skipped: tuple[str, ...]


class _Section(NamedTuple):
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int


def build(chips: Sequence[str] = CHIPS, *, root: Path = ROOT) -> Built:
    """Build and link; minutes the first time. ImageBuildError; ImagesUnavailableError: this is no clone."""
    script = root / "scripts" / "build-images.sh"
    if not script.is_file():
        raise ImagesUnavailableError(
            "images for chips are built from a clone of the project, and this is none"
        )
    done = subprocess.run(
        ["sh", str(script), *chips], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode not in (0, SKIPPED):
        raise ImageBuildError(done.stderr.strip()[-4000:] or f"build-images.sh ended with {done.returncode}")
    prefix = "build-images: "
    said = [line.removeprefix(prefix) for line in done.stderr.splitlines() if line.startswith(prefix)]
    lines = (line.split(" ", 1) for line in done.stdout.splitlines())
    return Built(
        images={chip: Path(path) for chip, path in lines},
        skipped=tuple(line for line in said if "SKIPPED" in line),
    )


def measure(chip: str, elf: Path) -> Sizes:
    """What an image takes. ImagesUnavailableError: no esptool; ImageBuildError: it is no image of `chip`."""
    data = elf.read_bytes()
    if not data.startswith(b"\x7fELF\x01\x01"):
        raise ImageBuildError(f"{elf} is no 32-bit little-endian ELF file")
    sections = list(_sections(data))
    sizes = {s.name: s.size for s in sections if s.flags & _ALLOCATED}
    in_memory = (name for name in sizes if name.startswith(_IN_MEMORY))
    heaps = [size for name, size in _objects(data, sections) if "HEAP" in name]
    return Sizes(
        flash=len(image_of(chip, elf)),
        static=sum(sizes[name] for name in in_memory),
        heap=max((size for size in heaps if size != sizes.get(".dram2_uninit")), default=0),
        reclaimed=sizes.get(".dram2_uninit", 0),
        stack=sizes.get(".stack", 0),
    )


def image_of(chip: str, elf: Path) -> bytes:
    """The application image that esptool makes of an ELF file; ImagesUnavailableError, ImageBuildError."""
    if importlib.util.find_spec("esptool") is None:
        raise ImagesUnavailableError(
            "esptool is not installed: it is one of the development tools (make test)"
        )
    with tempfile.TemporaryDirectory(prefix="minerva-image-") as folder:
        image = Path(folder) / "image.bin"
        command = [sys.executable, "-m", "esptool", "--chip", chip, "elf2image", "-o", str(image), str(elf)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0 or not image.is_file():
            raise ImageBuildError(
                f"{elf}: esptool makes no {chip} image: {(done.stderr or done.stdout)[-1000:]}"
            )
        return image.read_bytes()


def _sections(data: bytes) -> Iterator[_Section]:
    """The sections of a 32-bit little-endian ELF file."""
    (at,) = struct.unpack_from("<I", data, 32)
    each, count, names_index = struct.unpack_from("<HHH", data, 46)
    headers = [struct.unpack_from("<10I", data, at + i * each) for i in range(count)]
    names = headers[names_index][4]
    for name, kind, flags, _, offset, size, link, *_ in headers:
        yield _Section(_text(data, names + name), kind, flags, offset, size, link)


def _objects(data: bytes, sections: Sequence[_Section]) -> Iterator[tuple[str, int]]:
    """The names and sizes of variables."""
    for section in sections:
        if section.kind != 2:  # SHT_SYMTAB
            continue
        names = sections[section.link].offset
        table = data[section.offset : section.offset + section.size]
        for name, _, size, info, _, _ in struct.iter_unpack("<IIIBBH", table):
            if info & 0xF == _OBJECT:
                yield _text(data, names + name), size


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def main(chips: Sequence[str]) -> int:
    """Build, print what each takes; 1 when one does not fit its slot."""
    built = build(chips or CHIPS)
    for line in built.skipped:
        print(line)
    fits = True
    for chip, elf in built.images.items():
        sizes = measure(chip, elf)
        fits = fits and sizes.flash <= SLOT_BYTES
        print(
            f"{chip}: flash {sizes.flash:,} of {SLOT_BYTES:,} bytes ({sizes.flash / SLOT_BYTES:.0%}); "
            f"memory {sizes.static:,} with a heap of {sizes.heap:,}, {sizes.reclaimed:,} of the bootloader's "
            f"as heap, {sizes.stack:,} left for the stack"
        )
    return 0 if fits else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (UserError, MinervaError) as exc:
        sys.exit(f"images: {exc}")
