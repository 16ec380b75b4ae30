"""`minerva device flash`: images made here, checked, laid out and merged; what is written where.

No chip is at hand: esptool talks to a stand-in for a chip's ROM (fakes/rom.py), which keeps what is written.
What is decided is tested on a model of a flash, and images, tables and merged files are held against
esptool's own commands.
"""

from __future__ import annotations

import functools
import hashlib
import operator
import os
import pty
import struct
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva import manifest
from minerva.errors import UpdateError
from minerva_hub.errors import UserError
from minerva_tools.usb import firmware, flashing, partitions
from minerva_tools.usb.firmware import Firmware, ImageError, Part, check_image, chip_of
from minerva_tools.usb.partitions import Partition

from tests.fakes.rom import C3, DEFL_BEGIN, ERASE_ALL, ERASE_REGION, Rom
from tests.tools.usb_rig import trusting

Minerva = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
MB = 1 << 20
STOCK = (
    Partition("nvs", 1, 2, 0x9000, 0x6000),
    Partition("phy_init", 1, 1, 0xF000, 0x1000),
    Partition("factory", 0, 0, 0x10000, 0x1F0000),
    Partition("vfs", 1, 0x81, 0x200000, 0x200000),
)


def make_image(chip: str, size: int, *, flash_mb: int = 8) -> bytes:
    """An image as Espressif documents it: header, one segment of `size` bytes, checksum, SHA-256."""
    from esptool.targets import CHIP_DEFS

    number = CHIP_DEFS[chip].IMAGE_CHIP_ID
    head = struct.pack("<BBBBI", 0xE9, 1, 2, (flash_mb.bit_length() - 1) << 4 | 0xF, 0x40380000)
    head += struct.pack("<B3sHBHH4sB", 0xEE, b"", number, 0, 0, 0xFFFF, b"", 1)
    data = bytes(at * 7 & 0xFF for at in range(size // 4 * 4))
    raw = head + struct.pack("<II", 0x3FC90000, len(data)) + data
    raw += bytes(15 - len(raw) % 16) + bytes([functools.reduce(operator.xor, data, 0xEF)])
    return raw + hashlib.sha256(raw).digest()


def whole(chip: str = "esp32s3", *, flash_mb: int = 8, app: int = 300_000) -> bytes:
    """What MicroPython's site offers: bootloader, table, application in one file."""
    begin = 0x1000 if chip == "esp32" else 0
    data = make_image(chip, 8000, flash_mb=flash_mb).ljust(0x8000 - begin, b"\xff")
    data = (data + partitions.encode(STOCK)).ljust(0x10000 - begin, b"\xff")
    return data + make_image(chip, app, flash_mb=flash_mb)


class ModelChip:
    """A chip whose flash keeps what is written, erased to FF where that was asked for."""

    def __init__(self, name: str = "esp32s3", flash_mb: int = 8) -> None:
        self.name, self.mac, self.flash_bytes = name, "02:00:00:00:00:01", flash_mb * MB
        self.flash = bytearray(b"\x00" * self.flash_bytes)
        self.restarted = False

    def erase(self) -> None:
        self.flash[:] = b"\xff" * len(self.flash)

    def blank(self, offset: int, size: int) -> None:
        self.flash[offset : offset + size] = b"\xff" * size

    def write(self, parts: Sequence[Part], progress: Callable[[int], None]) -> None:
        for part in parts:
            self.flash[part.offset : part.offset + len(part.data)] = part.data
            progress(len(part.data))

    def restart(self) -> None:
        self.restarted = True


class Bar:
    def __init__(self) -> None:
        self.total = self.went = 0

    @contextmanager
    def __call__(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        self.total = total

        def more(count: int) -> None:
            self.went += count

        yield more


def esptool(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "esptool", *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("chip", ["esp32s3", "esp32c6", "esp32c3", "esp32"])
def test_an_image_is_whole_or_it_is_refused(chip: str) -> None:
    data = make_image(chip, 5000)
    assert chip_of(data, "x") == chip
    check_image(data, chip, "image")
    for at in (30, 2000, len(data) - 5):
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(ImageError, match="image"):
            check_image(bytes(damaged), chip, "image")
    for length in (0, 10, 24, 100, len(data) - 40):
        with pytest.raises(ImageError):
            check_image(data[:length], chip, "image")


def test_esptool_says_the_same_of_an_image(tmp_path: Path) -> None:
    """A damaged one it calls invalid, and ends well all the same: its words count."""
    data = bytearray(make_image("esp32s3", 5000))
    (tmp_path / "good.bin").write_bytes(data)
    data[2000] ^= 1
    (tmp_path / "bad.bin").write_bytes(data)
    good = esptool("--chip", "esp32s3", "image-info", str(tmp_path / "good.bin"))
    bad = esptool("--chip", "esp32s3", "image-info", str(tmp_path / "bad.bin"))
    assert "(valid)" in good and "invalid" not in good
    assert "invalid" in bad


def test_a_partition_table_is_read_as_it_was_written() -> None:
    raw = partitions.encode(STOCK)
    assert len(raw) == 0xC00 and partitions.decode(raw) == STOCK
    damaged = bytearray(raw)
    damaged[5] ^= 1
    with pytest.raises(UserError, match="MD5"):
        partitions.decode(bytes(damaged))
    with pytest.raises(UserError, match="no partition table"):
        partitions.decode(b"\xff" * 0xC00)
    text = (ROOT / "firmware_rs" / "esp32" / "partitions.csv").read_text()
    table = partitions.checked(partitions.from_csv(text), 4 * MB)
    assert {"otadata", "settings", "state", "ota_0", "ota_1"} <= {part.name for part in table}
    assert partitions.decode(partitions.encode(table)) == table
    # Two entries as ESP-IDF's gen_esp32part.py writes them.
    assert partitions.encode(table)[:32] == struct.pack(
        "<2sBBII16sI", b"\xaa\x50", 1, 0, 0x9000, 0x2000, b"otadata", 0
    )


@pytest.mark.parametrize(
    ("table", "flash_mb", "words"),
    [
        ([Partition("a", 1, 2, 0x9000, 0x2000), Partition("b", 1, 2, 0xA000, 0x1000)], 4, "overlaps"),
        ([Partition("a", 0, 0, 0x18000, 0x1000)], 4, "multiple of 0x10000"),
        ([Partition("a", 0, 0, 0x10000, 0x400000)], 4, "the flash has 0x400000"),
        ([Partition("x" * 17, 1, 2, 0x9000, 0x1000)], 4, "1 to 16 bytes"),
        ([Partition("early", 1, 2, 0x8000, 0x1000)], 4, "overlaps"),
    ],
)
def test_tables_that_would_not_work(table: list[Partition], flash_mb: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        partitions.checked(table, flash_mb * MB)


@pytest.mark.parametrize(
    ("flash_mb", "app"), [(4, 1_650_000), (8, 1_650_000), (16, 1_900_000), (8, 2_200_000)]
)
def test_two_slots_hold_the_application_and_leave_room(flash_mb: int, app: int) -> None:
    table = {part.name: part for part in partitions.two_slots(flash_mb * MB, app)}
    assert table["ota_0"].size == table["ota_1"].size >= app
    assert table["vfs"].end == flash_mb * MB and table["vfs"].size >= partitions.MIN_FILES


def test_two_slots_need_a_flash_that_holds_them() -> None:
    with pytest.raises(UserError, match="kB of 4 MB for files"):
        partitions.two_slots(4 * MB, 1_950_000)


def test_micropython_is_written_as_it_comes_and_files_stay(tmp_path: Path) -> None:
    (tmp_path / "mp.bin").write_bytes(whole())
    made = firmware.micropython(tmp_path / "mp.bin")
    assert (made.chip, made.flash_bytes, made.table) == ("esp32s3", 8 * MB, STOCK)
    chip, bar = ModelChip(), Bar()
    flashing.flash(chip, made, erase=False, bar=bar)
    assert chip.flash.startswith(whole()) and chip.restarted and bar.went == bar.total == len(whole())
    assert chip.flash[0x200000:0x400000] == bytes(0x200000)  # the file system


def test_micropython_with_two_slots(tmp_path: Path) -> None:
    (tmp_path / "mp.bin").write_bytes(whole())
    made = firmware.micropython(tmp_path / "mp.bin", two_slots=True)
    chip = ModelChip()
    flashing.flash(chip, made, erase=True, bar=Bar())
    table = {part.name: part for part in partitions.decode(bytes(chip.flash[0x8000:0x9000]))}
    check_image(bytes(chip.flash), "esp32s3", "bootloader")
    check_image(bytes(chip.flash[table["ota_0"].offset :]), "esp32s3", "application")
    data = table["otadata"]
    assert chip.flash[data.offset : data.end] == b"\xff" * data.size  # so the first slot starts


def test_the_rust_firmware_goes_behind_its_bootloader(tmp_path: Path) -> None:
    (tmp_path / "loader.bin").write_bytes(make_image("esp32c6", 9000, flash_mb=4))
    (tmp_path / "minerva.bin").write_bytes(make_image("esp32c6", 200_000, flash_mb=4))
    text = (ROOT / "firmware_rs" / "esp32" / "partitions.csv").read_text()
    made = firmware.rust(tmp_path / "minerva.bin", tmp_path / "loader.bin", text)
    chip = ModelChip("esp32c6", 4)
    flashing.flash(chip, made, erase=False, bar=Bar())
    assert chip.flash[0x10000:].startswith((tmp_path / "minerva.bin").read_bytes())
    assert chip.flash[0x9000:0xB000] == b"\xff" * 0x2000 and chip.flash[0xB000:0x10000] == bytes(0x5000)
    with pytest.raises(ImageError, match="is for esp32s3"):
        (tmp_path / "loader.bin").write_bytes(make_image("esp32s3", 9000))
        firmware.rust(tmp_path / "minerva.bin", tmp_path / "loader.bin", text)


def test_a_merged_file_is_what_esptool_merges(minerva: Minerva, tmp_path: Path) -> None:
    (tmp_path / "mp.bin").write_bytes(whole())
    code, _, err = minerva("device", "flash", "mp.bin", "--two-slots", "--out", "full.bin")
    assert code == 0, err
    made = firmware.micropython(tmp_path / "mp.bin", two_slots=True)
    arguments = []
    for number, part in enumerate(made.parts):
        (tmp_path / f"part{number}").write_bytes(part.data)
        arguments += [hex(part.offset), str(tmp_path / f"part{number}")]
    esptool("--chip", "esp32s3", "merge-bin", "-o", str(tmp_path / "merged.bin"), *arguments)
    assert (tmp_path / "full.bin").read_bytes() == (tmp_path / "merged.bin").read_bytes()


@pytest.mark.parametrize(
    ("chip", "words"),
    [
        (ModelChip("esp32c3"), "this is an esp32c3 (MAC 02:00:00:00:00:01), the image is for esp32s3"),
        (ModelChip("esp32s3", 4), "has 4 MB of flash, the image is for 8 MB"),
    ],
)
def test_another_chip_is_not_touched(tmp_path: Path, chip: ModelChip, words: str) -> None:
    (tmp_path / "mp.bin").write_bytes(whole())
    with pytest.raises(flashing.WrongChipError) as refused:
        flashing.flash(chip, firmware.micropython(tmp_path / "mp.bin"), erase=True, bar=Bar())
    assert words in str(refused.value) and "nothing was written" in str(refused.value)
    assert not any(chip.flash) and not chip.restarted


def test_files_that_are_no_firmware(minerva: Minerva, tmp_path: Path) -> None:
    damaged = bytearray(whole())
    damaged[0x10000 + 5000] ^= 1
    cases = {
        "text.bin": (b"hello", "must begin with the byte E9"),
        "app.bin": (make_image("esp32s3", 60_000), "not the .app-bin"),
        "damaged.bin": (bytes(damaged), "damaged: its"),
        "other.bin": (b"\xe9" + bytes(11) + b"\x77\x77" + bytes(20), "number 30583"),
    }
    for name, (data, words) in cases.items():
        (tmp_path / name).write_bytes(data)
        code, _, err = minerva("device", "flash", name, "--port", "/dev/ttyNONE7")
        assert code == 1 and words in err and name in err, err
    assert "cannot be read" in minerva("device", "flash", "none.bin", "--port", "/dev/ttyNONE7")[2]


def test_what_is_said_of_a_micropython_must_be_so(minerva: Minerva, tmp_path: Path) -> None:
    (tmp_path / "S3.bin").write_bytes(whole())
    given = ("device", "flash", "S3.bin", "--port", "/dev/ttyNONE7")
    code, _, err = minerva(*given, "--chip", "esp32c6")
    assert code == 1 and "S3.bin is for esp32s3, --chip says esp32c6" in err, err
    assert "there is no port" in minerva(*given, "--chip", "esp32s3")[2]
    assert "add --bootloader" in minerva(*given, "--partition-table", "t.csv")[2]


def test_ports_without_a_chip(minerva: Minerva, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mp.bin").write_bytes(whole())
    code, _, err = minerva("device", "flash", "mp.bin", "--port", "/dev/ttyNONE7")
    assert code == 1 and "there is no port /dev/ttyNONE7" in err
    code, _, err = minerva("device", "flash", "mp.bin", "--two-slots")
    assert code == 1 and "Add --erase" in err
    host, slave = pty.openpty()
    tty.setraw(slave)
    monkeypatch.setattr("esptool.cmds.DEFAULT_CONNECT_ATTEMPTS", 1)
    try:
        code, _, err = minerva("device", "flash", "mp.bin", "--port", os.ttyname(slave))
    finally:
        os.close(host)
        os.close(slave)
    assert code == 1 and "Hold the button BOOT" in err, err


def test_a_merged_firmware_has_its_parts() -> None:
    parts = (Part(0, b"\x01\x02", "a"), Part(8, b"\x03", "b"))
    assert Firmware("esp32s3", 4 * MB, (), parts).merged() == b"\x01\x02" + b"\xff" * 6 + b"\x03"


def test_an_image_for_new_boards_is_a_release_that_no_device_takes_as_an_update(
    minerva: Minerva, tmp_path: Path
) -> None:
    (tmp_path / "keys.json").write_bytes(trusting(Ed25519PrivateKey.generate()))
    (tmp_path / "mp.bin").write_bytes(whole())
    (tmp_path / "app.bin").write_bytes(make_image("esp32s3", 60_000))
    build = ("release", "build", "r", "--keyset", "keys.json", "--security-version", "1", "--image")
    code, _, err = minerva(*build, "mp.bin", "--variant", "micropython")
    assert code == 1 and "which no slot could start" in err  # an update would write it into one
    build = (*build[:-1], "--variant", "micropython", "--full", "--image")
    code, _, err = minerva(*build, "app.bin")
    assert code == 1 and "no partition table" in err
    code, _, err = minerva(*build, "mp.bin")
    assert code == 0, err
    made = manifest.parse((tmp_path / "r" / "manifest.json").read_bytes())
    assert (made.kind, made.abi) == ("image", "esp32s3-full")
    assert (tmp_path / "r" / "files.bin").read_bytes() == whole()
    with pytest.raises(UpdateError) as refused:
        manifest.check_for(
            made, variant=made.variant, board=made.boards[0], abi="esp32s3", security_version=0, utc_s=None
        )
    assert refused.value.code == "wrong_abi"


def test_esptool_writes_what_was_planned(minerva: Minerva, tmp_path: Path) -> None:
    (tmp_path / "mp.bin").write_bytes(whole())
    with Rom() as rom:
        code, out, err = minerva("device", "flash", "mp.bin", "--two-slots", "--erase", "--port", rom.port)
    assert (code, out) == (0, "") and "esp32s3, MAC 00:00:00:00:00:00, 8 MB of flash" in err, err
    assert "Written and compared" in err and ERASE_ALL in rom.said
    for part in firmware.micropython(tmp_path / "mp.bin", two_slots=True).parts:
        assert rom.flash[part.offset : part.offset + len(part.data)] == part.data
    assert rom.flash[0xD000:0xF000] == b"\xff" * 0x2000


def test_without_erase_the_files_stay(minerva: Minerva, tmp_path: Path) -> None:
    (tmp_path / "mp.bin").write_bytes(whole())
    with Rom() as rom:
        rom.flash[0x200000:0x200005] = b"files"
        assert minerva("device", "flash", "mp.bin", "--port", rom.port)[0] == 0
    assert rom.flash.startswith(whole()) and rom.flash[0x200000:0x200005] == b"files"
    assert ERASE_ALL not in rom.said


@pytest.mark.parametrize(
    ("rom", "words"),
    [
        (Rom(chip=C3), "this is an esp32c3"),
        (Rom(flash_mb=4), "this esp32s3 has 4 MB of flash, the image is for 8 MB"),
    ],
)
def test_esptool_writes_nothing_into_another_chip(
    minerva: Minerva, tmp_path: Path, rom: Rom, words: str
) -> None:
    (tmp_path / "mp.bin").write_bytes(whole())
    with rom:
        code, _, err = minerva("device", "flash", "mp.bin", "--erase", "--port", rom.port)
    assert code == 1 and words in err, err
    assert not {DEFL_BEGIN, ERASE_ALL, ERASE_REGION} & set(rom.said)


def test_a_flash_that_takes_other_bytes_is_found_out(minerva: Minerva, tmp_path: Path) -> None:
    (tmp_path / "mp.bin").write_bytes(whole())
    with Rom() as rom:
        rom.wrong = 1
        code, _, err = minerva("device", "flash", "mp.bin", "--port", rom.port)
    assert code == 1 and "MD5" in err and "--baud 115200" in err and "Written" not in err, err
