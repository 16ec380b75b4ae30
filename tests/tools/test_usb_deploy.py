"""`minerva device deploy` and `info`: mpremote against a real MicroPython behind a pseudo terminal."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva_tools.usb.deploying import space_needed
from minerva_tools.virtual_flash import bootslot, virtual_release

from tests.fakes.usb_board import UsbBoard
from tests.tools.usb_rig import PARAMS, copied, plug, trusting

Minerva = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.mpy


def deploy(minerva: Minerva, board: UsbBoard, *more: str) -> tuple[int, str]:
    code, out, err = minerva("device", "deploy", "--port", board.port, *more)
    assert out == ""
    return code, err


def wait_until(board: UsbBoard, text: bytes, after: int = 0) -> None:
    until = time.monotonic() + 30
    while text not in board.said[after:]:
        assert time.monotonic() < until, bytes(board.said[-2000:])
        time.sleep(0.02)


def slot_is_whole(flash: Path, slot: str) -> bool:
    module = bootslot()
    _, record = module.load(str(flash))
    number = module.SLOTS.index(slot)
    why, _ = module.finish(module.checking(str(flash / slot), record.hashes[number]))
    return record.active == number and not why


@pytest.mark.parametrize("arch", PARAMS)
def test_the_second_deployment_copies_only_what_changed(minerva: Minerva, tmp_path: Path, arch: str) -> None:
    with plug(tmp_path / "flash", arch) as board:
        code, err = deploy(minerva, board, "--board", "virtual", "--allow-dev")
        assert code == 0, err
        number, of, removed = copied(err)
        assert (number, removed) == (of, 0)
        assert slot_is_whole(board.flash, "dev")
        wait_until(board, b"boot: slot dev")
        assert board.starts == 2  # when it was plugged in, and at the end
        code, err = deploy(minerva, board, "--board", "virtual")  # allowed once is enough
        assert code == 0 and copied(err) == (0, of, 0)
        changed = board.flash / "dev" / "minerva" / "ring.mpy"
        changed.write_bytes(changed.read_bytes() + b"x")
        (board.flash / "dev" / "asyncio.py").write_text("print('not of this application')\n")
        code, err = deploy(minerva, board, "--board", "virtual")
        assert code == 0 and copied(err) == (2, of, 1)  # the manifest is written anew with it
        assert slot_is_whole(board.flash, "dev")


def test_source_replaces_what_was_compiled(minerva: Minerva, tmp_path: Path) -> None:
    with plug(tmp_path / "flash") as board:
        assert deploy(minerva, board, "--board", "virtual", "--allow-dev")[0] == 0
        code, err = deploy(minerva, board, "--board", "virtual", "--source")
        assert code == 0 and "(source)" in err
        here = board.flash / "dev"
        assert not list(here.rglob("*.mpy")) and (here / "minerva" / "app.py").is_file()


@pytest.mark.parametrize("share", [0.1, 0.6, 0.97])
def test_a_deployment_that_is_cut_goes_on_the_next_time(
    minerva: Minerva, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr("minerva_tools.usb.board.BYTE_S", 1.0)
    monkeypatch.setattr("minerva_tools.usb.board.ANSWER_S", 3.0)
    with plug(tmp_path / "whole") as board:
        assert deploy(minerva, board, "--board", "virtual", "--source", "--allow-dev")[0] == 0
        sent = board.taken
        whole = copied(deploy(minerva, board, "--board", "virtual", "--source")[1])[1]
    with plug(tmp_path / "flash") as board:
        board.cut_after = int(sent * share)
        code, err = deploy(minerva, board, "--board", "virtual", "--source", "--allow-dev")
        assert code == 1 and "again" in err, err
        code, err = deploy(minerva, board, "--board", "virtual", "--source", "--allow-dev")
        assert code == 0, err
        number, of, _ = copied(err)
        assert of == whole and (number < of)
        assert slot_is_whole(board.flash, "dev")


@pytest.mark.parametrize(
    ("fault", "words"),
    [("wrong", ["does not hold what was sent", "dev/minerva/gate.mpy"]), ("full", ["flash is full"])],
)
def test_a_flash_that_takes_no_bytes_or_wrong_ones(
    minerva: Minerva, tmp_path: Path, fault: str, words: list[str]
) -> None:
    with plug(tmp_path / "flash", MINERVA_FLASH_FAULT=f"dev/minerva/gate.mpy:{fault}") as board:
        code, err = deploy(minerva, board, "--board", "virtual", "--allow-dev")
        assert code == 1 and all(word in err for word in words), err
        assert err.splitlines()[-1].startswith("minerva: ")
        assert not (board.flash / "dev" / "manifest.json").exists()
        assert not (board.flash / "boot.0").exists()  # nothing of it is ever run
    with plug(tmp_path / "flash") as board:
        code, err = deploy(minerva, board, "--board", "virtual", "--allow-dev")
        assert code == 0 and slot_is_whole(board.flash, "dev")


def test_unsigned_code_takes_the_owners_word_once_and_ends_for_good(minerva: Minerva, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    release = virtual_release(tmp_path / "release", [key], version="1.2.3", security_version=7)
    (tmp_path / "keys.json").write_bytes(trusting(key))
    signed = ("--release", str(release.folder), "--keys", "keys.json")
    with plug(tmp_path / "flash") as board:
        code, err = deploy(minerva, board, "--board", "virtual")
        assert code == 1 and "--allow-dev" in err
        assert list(board.flash.iterdir()) == []
        code, err = deploy(minerva, board, "--forbid-dev")
        assert code == 1 and "no signed release" in err
        assert deploy(minerva, board, "--board", "virtual", "--allow-dev")[0] == 0
        assert deploy(minerva, board, *signed, "--forbid-dev")[0] == 0
        assert slot_is_whole(board.flash, "a") and not (board.flash / "dev").exists()
        code, err = deploy(minerva, board, "--board", "virtual", "--allow-dev")
        assert code == 1 and "forbidden for good" in err


def test_a_signed_release_goes_beside_the_one_that_runs(minerva: Minerva, tmp_path: Path) -> None:
    key, stranger = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    (tmp_path / "keys.json").write_bytes(trusting(key))
    with plug(tmp_path / "flash") as board:
        for version, security, slot in (("1.0.0", 3, "a"), ("1.1.0", 4, "b"), ("1.2.0", 4, "a")):
            release = virtual_release(tmp_path / version, [key], version=version, security_version=security)
            code, err = deploy(minerva, board, "--release", str(release.folder), "--keys", "keys.json")
            assert code == 0 and f"Slot {slot} (source)" in err, err
            assert slot_is_whole(board.flash, slot)
            module = bootslot()
            _, record = module.load(str(board.flash))
            assert (record.floor, record.trial) == (security, 0)
            assert module.copies_of_keys(str(board.flash)).read() == trusting(key)
        refused = {
            "its security version is 3; here it is 4": virtual_release(
                tmp_path / "old", [key], version="0.9", security_version=3
            ),
            "whom nobody here knows": virtual_release(
                tmp_path / "foreign", [stranger], version="2.0", security_version=9
            ),
        }
        before = {path: path.read_bytes() for path in board.flash.rglob("*") if path.is_file()}
        for words, release in refused.items():
            code, err = deploy(minerva, board, "--release", str(release.folder), "--keys", "keys.json")
            assert code == 1 and words in err, err
        assert {path: path.read_bytes() for path in board.flash.rglob("*") if path.is_file()} == before


def test_info_says_what_runs_and_no_secret(minerva: Minerva, tmp_path: Path) -> None:
    settings = {
        "version": 1,
        "device": "kitchen",
        "board": "virtual",
        "url": "ws://127.0.0.1:1/link",
        "token": "s3cret-token",
        "wifi": {"ssid": "home", "password": "s3cret-word"},
    }
    with plug(tmp_path / "flash") as board:
        (board.flash / "settings.json").write_text(json.dumps(settings))
        assert deploy(minerva, board, "--allow-dev")[0] == 0  # the board is that of its settings
        manifest = (board.flash / "dev" / "manifest.json").read_bytes()
        assert json.loads(manifest)["boards"] == ["virtual"]
        code, out, _ = minerva("device", "info", "--port", board.port, "--json")
        found = json.loads(out)
        assert code == 0 and "s3cret" not in out
        assert (found["slot"], found["record"]["dev"]) == ("dev", "allowed")
        assert found["slots"]["dev"]["files"] == len(json.loads(manifest)["files"])
        assert found["settings"]["device"] == "kitchen" and found["settings"]["wifi"]["ssid"] == "home"
        code, out, _ = minerva("device", "info", "--port", board.port)
        assert code == 0 and "settings.wifi.password" in out and "s3cret" not in out
        assert hashlib.sha256(manifest).digest() in bootslot().load(str(board.flash))[1].hashes


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--keys", "keys.json"], "--keys keys.json is for a signed release: add --release FOLDER"),
        (["--keys", "keys.json", "--forbid-dev"], "--keys keys.json"),
        (["--forbid-dev", "--source"], "--forbid-dev installs nothing"),
        (["--forbid-dev", "--board", "virtual"], "--forbid-dev installs nothing"),
    ],
)
def test_options_without_effect_are_refused(minerva: Minerva, given: list[str], words: str) -> None:
    code, _, err = minerva("device", "deploy", "--port", "/dev/ttyNONE7", *given)
    assert code == 1 and words in err, err


def test_what_must_be_free() -> None:
    wanted = {"a": b"", "b": b"", "c": b""}
    assert space_needed({}, {}, wanted) == 32_768
    assert space_needed({"a": 5000, "b": 1}, {}, wanted) == 32_768 + 8192 + 4096 + 8192
    assert space_needed({"a": 5000}, {"a": 4097, "gone": 4096}, wanted) == 32_768 + 8192
