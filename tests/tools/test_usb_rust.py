"""Boards with the Rust firmware by USB: flashed, paired, shown; against a stand-in for a chip's ROM."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva import settings as device_settings
from minerva_hub.auth import is_authorised
from minerva_hub.events import DeviceRecord
from minerva_hub.store import Store
from minerva_tools.usb import board, finding, partitions, rust_records
from minerva_tools.usb.board import BoardError, NoPromptError
from minerva_tools.usb.flashing import NoChipError
from minerva_tools.usb.partitions import Partition
from minerva_tools.usb.rust_board import NotRustError

from tests.fakes.rom import C6, DEFL_BEGIN, S3, Rom
from tests.tools.test_usb_flash import STOCK, make_image
from tests.tools.usb_rig import trusting

Minerva = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
TABLE = partitions.from_csv((ROOT / "firmware_rs" / "esp32" / "partitions.csv").read_text())
# As an owner may lay it out: what counts is the board's own table.
MOVED = (
    *(part for part in TABLE if part.name not in ("settings", "state")),
    Partition("state", 1, 6, 0x3F0000, 0x2000),
    Partition("settings", 1, 6, 0x3F8000, 0x4000),
)


def without(name: str) -> tuple[Partition, ...]:
    return tuple(part for part in TABLE if part.name != name)


def changed(name: str, **values: int) -> tuple[Partition, ...]:
    return tuple(
        Partition(**{**vars(part), **values}) if part.name == name else part  # type: ignore[arg-type]
        for part in TABLE
    )


def flashed(table: tuple[Partition, ...] = TABLE, chip: int = C6) -> Rom:
    rom = Rom(chip, flash_mb=4)
    rom.flash[:] = b"\xff" * len(rom.flash)
    rom.flash[0x8000:0x8C00] = partitions.encode(table)
    return rom


def part_of(rom: Rom, name: str, table: tuple[Partition, ...] = TABLE) -> bytes:
    part = next(part for part in table if part.name == name)
    return bytes(rom.flash[part.offset : part.end])


def stored(folder: Path, keys: bytes | None = None) -> DeviceRecord | None:
    """The kitchen as the hub has it; before that, what the hub is to trust."""

    async def ask() -> DeviceRecord | None:
        store = await Store.open(folder)
        if keys is not None:
            await store.updates.set_key_set(1, keys.decode())
        found = await store.device("kitchen")
        await store.close()
        return found

    return asyncio.run(ask())


def do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the prompt of a MicroPython, which is asked for first."""
    monkeypatch.setattr(finding, "FIRST_S", (0.1,))
    monkeypatch.setattr(board, "BYTE_S", 0.1)


@pytest.fixture
def pair(minerva: Minerva, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """`minerva device pair Kitchen`."""
    do_not_wait(monkeypatch)
    (tmp_path / "word").write_text("s3cret word\n")

    def run(rom: Rom, *more: str) -> tuple[int, str]:
        given = ("--port", rom.port, "--host", "10.0.0.2", "--wifi", "home", "--wifi-password-file", "word")
        code, out, err = minerva("device", "pair", "Kitchen", *given, *more)
        assert out == "" and "s3cret" not in err
        return code, err

    return run


Pair = Callable[..., tuple[int, str]]


def test_one_command_finds_out_and_pairs(pair: Pair, tmp_path: Path) -> None:
    ours = trusting(Ed25519PrivateKey.generate())
    stored(tmp_path / "store", ours)
    with flashed(MOVED) as rom:
        before = bytes(rom.flash)
        code, err = pair(rom, "--ceiling", "events")
    assert code == 0 and "is paired" in err and "trusts the releases" in err, err
    raw = part_of(rom, "settings", MOVED)
    text = rust_records.settings_in(raw)
    assert text is not None and rust_records.keys_in(raw) == ours
    found = device_settings.parse(text.decode())
    assert (found.device, found.board, found.ceiling) == ("kitchen", "devkitc6_inmp441", "events")
    assert found.url == "wss://10.0.0.2:8443/link" and found.wifi == {
        "ssid": "home",
        "password": "s3cret word",
    }
    record = stored(tmp_path / "store")
    assert record is not None and is_authorised(record, found.token)
    # Nothing else was touched, and behind the two records the partition is as if erased.
    assert rom.flash[:0x3F8000] == before[:0x3F8000] and rom.flash[0x3FC000:] == before[0x3FC000:]
    assert raw.rstrip(b"\xff").endswith(ours)


def test_keys_that_are_there_stay_and_again_voids_the_old_token(pair: Pair, tmp_path: Path) -> None:
    ours, theirs = (trusting(Ed25519PrivateKey.generate()) for _ in range(2))
    stored(tmp_path / "store", ours)
    with flashed(chip=S3) as rom:
        code, err = pair(rom, "--firmware", "rust")
        assert code == 1 and "--board" in err and "xiao_s3_inmp441, xiao_s3_sense" in err, err
        assert stored(tmp_path / "store") is None
        assert pair(rom, "--firmware", "rust", "--board", "devkitc1_inmp441", "--ceiling", "events")[0] == 0
        first = device_settings.parse((rust_records.settings_in(part_of(rom, "settings")) or b"").decode())
        assert first.board == "devkitc1_inmp441"
        by_hand = {**json.loads(rust_records.settings_in(part_of(rom, "settings")) or b""), "gain_db": 12}
        image = rust_records.settings_image(json.dumps(by_hand).encode(), theirs)
        rom.flash[0xB000 : 0xB000 + len(image)] = image
        code, err = pair(rom, "--firmware", "rust", "--again", "--board", "xiao_s3_sense")
    assert code == 0 and "trusts" not in err and "ceiling is" not in err, err
    now = device_settings.parse((rust_records.settings_in(part_of(rom, "settings")) or b"").decode())
    assert rust_records.keys_in(part_of(rom, "settings")) == theirs and now.board == "xiao_s3_sense"
    assert (now.ceiling, now.gain_db) == ("events", 12)
    record = stored(tmp_path / "store")
    assert record is not None
    assert is_authorised(record, now.token) and not is_authorised(record, first.token)


def damaged() -> Rom:
    rom = flashed()
    rom.flash[0x8004] ^= 1
    return rom


@pytest.mark.parametrize(
    ("rom", "words"),
    [
        (
            Rom(C6, flash_mb=4),
            ["there is no partition table", "minerva device flash IMAGE --bootloader FILE"],
        ),
        (damaged(), ["its MD5 is wrong"]),
        (flashed(STOCK), ["no partition 'settings'", "nvs, phy_init, factory, vfs", "--erase"]),
        (flashed(without("update")), ["cannot use: no partition 'update'", "Nothing was written"]),
        (flashed(changed("settings", size=0x2000)), ["'settings' is no data partition of 11276 bytes"]),
        (flashed(changed("settings", type=0)), ["'settings' is no data partition"]),
        (flashed(changed("state", offset=0xC000)), ["partition 'state' at 0xc000", "overlaps"]),
        (flashed(changed("update", offset=0x400000)), ["the flash has 0x400000 bytes"]),
    ],
)
def test_another_table_is_told_and_nothing_is_written(
    pair: Pair, tmp_path: Path, rom: Rom, words: list[str]
) -> None:
    with rom:
        before = bytes(rom.flash)
        code, err = pair(rom, "--firmware", "rust")
    assert code == 1 and err.count("\n") == 1 and all(word in err for word in ["esp32c6", *words]), err
    assert rom.flash == before and DEFL_BEGIN not in rom.said
    assert not (tmp_path / "store").exists() or stored(tmp_path / "store") is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--board", "xiao_s3_sense"], ["no board 'xiao_s3_sense'", "allowed are devkitc6_inmp441"]),
        (["--ceiling", "everything"], ["ceiling is 'everything'"]),
        (["--firmware", "forth"], ["firmware is 'forth'", "auto, micropython, rust"]),
    ],
)
def test_wishes_that_cannot_be_register_nothing(
    pair: Pair, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    with flashed() as rom:
        code, err = pair(rom, "--firmware", "rust", *arguments)
    assert code == 1 and all(word in err for word in words), err
    assert DEFL_BEGIN not in rom.said
    assert not (tmp_path / "store").exists() or stored(tmp_path / "store") is None


@pytest.mark.parametrize(("wrong", "words"), [(1, "settings of before again"), (2, "is not known")])
def test_a_flash_that_takes_other_bytes_registers_nothing(
    pair: Pair, tmp_path: Path, wrong: int, words: str
) -> None:
    with flashed() as rom:
        rom.flash[0xB000:0xB004] = b"some"
        before = bytes(rom.flash)
        rom.wrong = wrong
        code, err = pair(rom, "--firmware", "rust")
    assert code == 1 and "MD5" in err and words in err, err
    assert (rom.flash == before) == (wrong == 1)
    assert stored(tmp_path / "store") is None


def test_a_plug_that_is_pulled_in_the_middle_registers_nothing_and_the_old_token_counts(
    pair: Pair, tmp_path: Path
) -> None:
    with flashed() as rom:
        assert pair(rom, "--firmware", "rust")[0] == 0
        settings = device_settings.parse((rust_records.settings_in(part_of(rom, "settings")) or b"").decode())
    with flashed() as other:
        other.flash[:] = rom.flash
        other.cut = 500
        code, err = pair(other, "--firmware", "rust", "--again")
    assert code == 1 and "run this again" in err and err.count("\n") == 1, err
    record = stored(tmp_path / "store")
    assert record is not None and is_authorised(record, settings.token)
    with pytest.raises(rust_records.RecordError, match="damaged"):
        rust_records.settings_in(part_of(other, "settings"))
    with flashed() as third:
        third.flash[:] = other.flash
        code, err = pair(third, "--firmware", "rust", "--again")
        assert code == 0 and "is not known" in err and "damaged" in err, err
    assert rust_records.settings_in(part_of(third, "settings")) is not None


def test_flashed_then_paired_then_shown(minerva: Minerva, pair: Pair, tmp_path: Path) -> None:
    app = bytearray(make_image("esp32c6", 20_000, flash_mb=4))
    (tmp_path / "loader.bin").write_bytes(make_image("esp32c6", 9000, flash_mb=4))
    (tmp_path / "minerva.bin").write_bytes(app)
    ours = trusting(Ed25519PrivateKey.generate())
    stored(tmp_path / "store", ours)
    with Rom(C6, flash_mb=4) as rom:
        rom.flash[0x310000:0x316000] = b"\x55" * 0x6000
        flash = ("device", "flash", "minerva.bin", "--bootloader", "loader.bin", "--port", rom.port)
        code, _, err = minerva(*flash)
        assert code == 0 and "Next: minerva device pair" in err, err
        # No slot that updates had filled comes back; keys that a release brought stay.
        assert part_of(rom, "update") == b"\xff" * 0x4000 + b"\x55" * 0x2000
        assert pair(rom, "--firmware", "rust")[0] == 0
        code, out, err = minerva("device", "info", "--firmware", "rust", "--json", "--port", rom.port)
    assert code == 0, err
    shown = json.loads(out)
    assert (shown["firmware"], shown["machine"], shown["flash"]) == ("rust", "esp32c6", {"bytes": 4 << 20})
    assert shown["partitions"]["settings"] == "0xb000, 12 kB" and len(shown["keys"]["keys"]) == 1
    assert shown["settings"]["device"] == "kitchen" and shown["settings"]["token"] == "(set)"
    assert shown["settings"]["wifi"] == {"ssid": "home", "password": "(set)"} and "s3cret" not in out
    assert (shown["otadata"], shown["record"], shown["release"]) == ({"starts": "a"}, None, None)


def vector(section: str, name: str) -> dict:
    vectors = json.loads((ROOT / "tests" / "vectors" / "ota.json").read_text())
    return next(vector for vector in vectors[section] if vector["name"] == name)


def updated() -> Rom:
    """A board that runs b on trial, with a key set that a release brought."""
    rom = flashed()
    app = bytearray(rom.flash[0x190000:0x190200])
    app[0] = 0xE9
    app[32:36] = struct.pack("<I", 0xABCD5432)  # ESP-IDF's esp_app_desc_t
    app[48:80] = b"0.3.0".ljust(32, b"\0")
    app[80:112] = b"minerva-esp32".ljust(32, b"\0")
    rom.flash[0x190000:0x190200] = app
    # The checksum of number 1 as ESP-IDF documents it; that of 2 from its routine.
    rom.flash[0x9000:0x9020] = bytes.fromhex("01000000" + "ff" * 20 + "02000000" + "9a984347")
    rom.flash[0xA000:0xA020] = struct.pack("<I20sII", 2, b"\xff" * 20, 1, crc32(b"\2\0\0\0", 0xFFFFFFFF))

    def put(sector: int, raw: bytes) -> None:
        at = 0x310000 + sector * 0x1000
        rom.flash[at : at + len(raw)] = raw

    put(0, bytes.fromhex(vector("records", "by hand")["copies"][0]))
    put(1, b"damaged")
    # As crates/ota writes them, which its own test compares.
    lines = (ROOT / "firmware_rs" / "crates" / "ota" / "tests" / "stored.hex").read_text().splitlines()
    stored = {name: bytes.fromhex(text) for name, text in (line.split() for line in lines)}
    older = b"MNVR" + struct.pack("<I", 1) + bytes(80)
    put(2, older + struct.pack("<I", crc32(older)))
    put(3, stored["release"])
    put(4, stored["keys"])
    rom.flash[0xB000:0xB00C] = b"MNVS\2\0\0\0\0\0\0\0"
    return rom


def test_what_updates_left_is_shown(minerva: Minerva, monkeypatch: pytest.MonkeyPatch) -> None:
    do_not_wait(monkeypatch)
    with updated() as rom:
        code, out, err = minerva("device", "info", "--port", rom.port)
    assert code == 0, err
    shown = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (shown["slots.a"], shown["slots.b.version"]) == ("-", "0.3.0")
    entries = [shown[f"otadata.{name}"] for name in ("starts", "number_1", "number_2")]
    assert entries == ["b", "slot a, valid", "slot b, on trial"]
    assert (shown["record.active"], shown["record.on_trial"], shown["record.security_floor"]) == (
        "b",
        "yes",
        "3",
    )
    release = [shown[f"release.{name}"] for name in ("slot", "whole", "have", "bytes", "security_version")]
    assert release == ["b", "False", "8192", "75003", "7"]
    assert (shown["rotated_keys.version"], shown["rotated_keys.threshold"], shown["keys"]) == ("2", "2", "-")
    assert shown["rotated_keys.keys"].count(",") == 1
    assert "damaged" in shown["settings.problem"] and "record.dev" not in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["deploy", "--allow-dev"], "minerva device flash IMAGE"),
        (["shell"], "minerva device logs"),
    ],
)
def test_what_only_micropython_has_says_what_to_do_instead(
    minerva: Minerva, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    do_not_wait(monkeypatch)
    with flashed() as rom:
        code, out, err = minerva("device", *arguments, "--port", rom.port)
    assert (code, out) == (1, "") and "runs the Rust firmware" in err and words in err, err


@pytest.mark.parametrize(
    "problem", [NoChipError("no chip"), NotRustError("another table"), BoardError("else")]
)
def test_a_micropython_that_is_slow_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, problem: BoardError
) -> None:
    """Only a table of the Rust firmware that is wrong ends the search."""
    asked: list[object] = []

    class Slow:
        def __init__(self, port: str, *, patience_s: object = None) -> None:
            self._slow = patience_s == finding.FIRST_S

        def __enter__(self) -> str:
            asked.append(self._slow)
            if self._slow:
                raise NoPromptError("none")
            return "the board"

        def __exit__(self, *_: object) -> None:
            asked.append("left")

    def no_rust(port: str) -> Iterator[None]:
        raise problem

    monkeypatch.setattr(finding, "Board", Slow)
    monkeypatch.setattr(finding, "rust_board", no_rust)
    if type(problem) is BoardError:
        with pytest.raises(BoardError, match="else"), finding.device("port"):
            pass
        assert asked == [True]
    else:
        with finding.device("port") as found:
            assert found == "the board"
        assert asked == [True, False, "left"]
        monkeypatch.setattr(finding, "LATER_S", finding.FIRST_S)
        with pytest.raises(BoardError, match=f"none. The chip itself: {problem}"), finding.device("port"):
            pass
