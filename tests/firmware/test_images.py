"""The Rust firmware's images: they link, fit their slot and hold what a board needs; no skip is silent."""

from __future__ import annotations

import csv
import re
import struct
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva_tools import images
from minerva_tools.images import CHIPS, SLOT_BYTES, Built, ImageBuildError, build, measure
from minerva_tools.pairing import RUST_BOARDS
from minerva_tools.usb.rust_records import KEYS_AT, RecordError, keys_in, settings_image, settings_in

from tests.tools.usb_rig import trusting

ROOT = Path(__file__).resolve().parents[2]
ESP32 = ROOT / "firmware_rs" / "esp32"
FLASH_BYTES = 4 << 20
SECTOR = 0x1000
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def built() -> Built:
    """Both images, built once."""
    return build()


@pytest.mark.slow
@pytest.mark.parametrize("chip", CHIPS)
def test_an_image_links_and_fits_its_slot(built: Built, chip: str) -> None:
    reasons = [line for line in built.skipped if chip in line]
    if reasons:
        pytest.skip(reasons[0])
    sizes = measure(chip, built.images[chip])
    # Less would mean that the radio, TLS or the device was not linked at all.
    assert 600_000 < sizes.flash <= SLOT_BYTES
    assert sizes.stack >= 24 * 1024
    # Wi-Fi, TLS, the device's thread, its buffers and the smallest ring.
    assert sizes.heap + sizes.reclaimed >= (57 + 45 + 20 + 32 + 8) * 1024
    assert sizes.static > sizes.heap > 0


@pytest.mark.slow
@pytest.mark.parametrize("chip", CHIPS)
def test_an_image_says_what_it_is_not(built: Built, chip: str) -> None:
    if chip not in built.images:
        pytest.skip(next(line for line in built.skipped if chip in line))
    data = built.images[chip].read_bytes()
    assert b"EXPERIMENTAL: not yet run on hardware" in data
    assert b"nothing is sent without TLS" in data
    assert b"has no FPU: audio only" in data


def test_the_s3_is_skipped_visibly_without_its_toolchain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rustup = tmp_path / "rustup"
    rustup.write_text("#!/bin/sh\necho stable-x86_64-unknown-linux-gnu\n")
    rustup.chmod(0o755)
    cargo = tmp_path / "cargo"
    cargo.write_text("#!/bin/sh\nexit 1\n")
    cargo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    got = build(["esp32s3"])
    assert got.images == {}
    assert got.skipped == (
        "esp32s3 SKIPPED: needs Espressif's toolchain: cargo install espup && espup install",
    )


def test_a_firmware_that_does_not_compile_is_no_skip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rustup = tmp_path / "rustup"
    rustup.write_text("#!/bin/sh\necho esp\n")
    rustup.chmod(0o755)
    cargo = tmp_path / "cargo"
    cargo.write_text("#!/bin/sh\necho 'error: cannot find it' >&2\nexit 101\n")
    cargo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("ESP_EXPORT", str(tmp_path / "none"))
    with pytest.raises(ImageBuildError, match="cannot find it"):
        build(["esp32s3"])


def test_what_is_no_image_is_said(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no image")
    with pytest.raises(ImageBuildError, match="no 32-bit little-endian ELF"):
        measure("esp32c6", text)


@pytest.mark.parametrize(("arguments", "status"), [(["esp32"], 2), ([], 3)])
def test_the_script_says_what_it_cannot(tmp_path: Path, arguments: list[str], status: int) -> None:
    script = ROOT / "scripts" / "build-images.sh"
    environment = {"PATH": "/usr/bin:/bin", "CARGO": "no-such-cargo" if status == 3 else "true"}
    done = subprocess.run(["sh", script, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == status
    assert ("SKIPPED: no cargo here" if status == 3 else "none of esp32c6, esp32c3, esp32s3") in done.stderr


def partitions() -> list[dict[str, str]]:
    """The rows of partitions.csv by their names."""
    names = ["name", "type", "subtype", "offset", "size"]
    lines = [x for x in (ESP32 / "partitions.csv").read_text().splitlines() if not x.startswith("#")]
    return [dict(zip(names, map(str.strip, row), strict=True)) for row in csv.reader(lines)]


def test_the_partitions_have_two_slots_and_do_not_overlap() -> None:
    rows = partitions()
    end = 0x9000  # the table itself stands before
    for row in rows:
        offset, size = int(row["offset"], 0), int(row["size"], 0)
        assert offset >= end, row
        assert offset % (0x10000 if row["type"] == "app" else SECTOR) == 0, row
        assert size % SECTOR == 0, row
        end = offset + size
    assert end <= FLASH_BYTES
    by_name = {row["name"]: row for row in rows}
    for slot in ("ota_0", "ota_1"):
        assert int(by_name[slot]["size"], 0) == SLOT_BYTES
    assert int(by_name["otadata"]["size"], 0) == 2 * SECTOR
    assert int(by_name["state"]["size"], 0) == 2 * SECTOR  # one for each copy


def test_boards_have_the_pins_of_the_micropython_application() -> None:
    table = (ESP32 / "board" / "src" / "boards.rs").read_text()
    for module in sorted((ROOT / "device" / "boards").glob("*_inmp441.py")):
        wanted: dict[str, object] = {}
        exec(module.read_text(), wanted)
        entry = re.search(rf'name: "{wanted["NAME"]}".*?button: \d+', table, re.DOTALL)
        assert entry, f"{module.stem} is not in boards.rs"
        found = {k: int(v) for k, v in re.findall(r"\b(sck|ws|sd|pin|button): (\d+)", entry[0])}
        microphone, light = wanted["MIC"], wanted["LED"]
        assert isinstance(microphone, dict) and isinstance(light, dict)
        expected = {k: microphone[k] for k in ("sck", "ws", "sd")}
        assert found == {**expected, "pin": light["pin"], "button": wanted["BUTTON"]}
        assert wanted["NAME"] in RUST_BOARDS["esp32s3"]
        assert ("Light::Pixel" in entry[0]) == (light["kind"] == "ws2812")
        if light["kind"] == "plain":
            assert f"lit_high: {'true' if light['on'] else 'false'}" in entry[0]


def test_the_boards_of_the_tools_are_those_of_the_firmware() -> None:
    table = (ESP32 / "board" / "src" / "boards.rs").read_text()
    found = re.findall(r'name: "(\w+)",\s+chip: Chip::(\w+)', table)
    assert [(name, chip) for chip, names in RUST_BOARDS.items() for name in names] == [
        (name, chip.lower()) for name, chip in found
    ]


GOOD = b"""{"version": 1, "device": "kitchen", "board": "devkitc6_inmp441", "token": "t",
 "url": "ws://127.0.0.1/link", "wifi": {"ssid": "home", "password": "secret-1"}}"""


def test_settings_become_the_record_that_the_firmware_reads() -> None:
    code = (ESP32 / "board" / "src" / "records.rs").read_text()
    keys = trusting(Ed25519PrivateKey.generate())
    record = settings_image(GOOD, keys)
    magic, length, _ = struct.unpack_from("<4sII", record)
    assert (magic, length, record[12 : 12 + length]) == (b"MNVS", len(GOOD), GOOD)
    assert (settings_in(record), keys_in(record)) == (GOOD, keys)
    assert int(re.search(r"KEYS_AT: u32 = (\d+);", code)[1]) == KEYS_AT  # type: ignore[index]
    assert record[KEYS_AT:] == b"MNVK" + struct.pack("<II", len(keys), crc32(keys)) + keys
    # The vector in records.rs, byte for byte.
    vector = re.search(r'\*b"MNVS(.*?)"', code.split("mod tests")[1])
    assert vector
    assert bytes.fromhex(vector[1].replace("\\x", "")) == struct.pack("<II", 2, crc32(b"{}"))


def test_a_record_that_is_not_whole_is_none() -> None:
    record = settings_image(GOOD, trusting(Ed25519PrivateKey.generate()))
    assert settings_in(b"\xff" * 12288) is None and keys_in(b"\xff" * 12288) is None
    for cut in (13, 12 + len(GOOD) - 1):
        with pytest.raises(RecordError, match="damaged"):
            settings_in(record[:cut].ljust(12288, b"\xff"))
    for at in (4, 7, 8, 100, KEYS_AT + 4, KEYS_AT + 50):
        changed = bytearray(record)
        changed[at] ^= 0x40
        with pytest.raises(RecordError, match="damaged"):
            (keys_in if at >= KEYS_AT else settings_in)(bytes(changed))
    with pytest.raises(RecordError, match="something else"):
        settings_in(bytes(12288))


def test_settings_that_a_device_would_refuse_are_not_written(tmp_path: Path) -> None:
    source, out = tmp_path / "settings.json", tmp_path / "settings.bin"
    script = [sys.executable, str(ROOT / "scripts" / "settings_image.py")]
    source.write_bytes(GOOD.replace(b"kitchen", b"Kitchen"))
    done = subprocess.run([*script, str(source), str(out)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "device is 'Kitchen'" in done.stderr
    assert not out.exists()
    source.write_bytes(GOOD)
    assert subprocess.run([*script, str(source), str(out)]).returncode == 0
    room = next(int(row["size"], 0) for row in partitions() if row["name"] == "settings")
    assert out.stat().st_size <= room
    assert room >= 8192 + 12
    assert images.SLOT_BYTES == 3 << 19
