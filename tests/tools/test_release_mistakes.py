"""`minerva release` says what would make a release that no device takes, or call one good that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from minerva import manifest
from minerva_tools.commands.hub_options import address
from minerva_tools.release import keys
from test_release_command import CREATED, people, run
from test_usb_flash import make_image

__all__ = ["people"]
BUILD = ("build", "r", "--keyset", "keys.json", "--security-version", 3, "--created", CREATED)


@pytest.fixture
def ceremony(tmp_path: Path, people: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Two of three must sign; an image of a chip lies beside the keys."""
    monkeypatch.chdir(tmp_path)
    run("keyset", "new", "anna.pub", "ben.pub", "cleo.pub", "--threshold", 2)
    (tmp_path / "c6.bin").write_bytes(make_image("esp32c6", 60_000))
    return people


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--full",), "--full says what --image FILE is"),
        (("--chip", "esp32c6"), "--chip says what --image FILE is"),
        (("--variant", "rust"), "--variant says what --image FILE is"),
        (("--source", "--march", "xtensawin"), "give one of them"),
        (("--image", "c6.bin"), "--variant rust or --variant micropython"),
        (("--image", "c6.bin", "--variant", "rust"), "say for which boards this image for an esp32c6 is"),
        (("--image", "c6.bin", "--variant", "micropython"), "say for which boards"),
        (("--image", "c6.bin", "--variant", "rust", "--source"), "--image FILE is taken as it is"),
        (
            ("--image", "c6.bin", "--variant", "rust", "--board", "devkitc1_inmp441"),
            "--board devkitc1_inmp441 has an esp32s3; the image is for an esp32c6",
        ),
    ],
)
def test_options_that_would_be_passed_over_or_fit_no_device(
    ceremony: dict[str, str], words: tuple[str, ...], said: str
) -> None:
    assert said in run(*BUILD, *words, code=1)[1]
    assert not Path("r").exists()


def test_an_image_of_a_board_that_is_not_known_here_is_its_owners_word(ceremony: dict[str, str]) -> None:
    run(*BUILD, "--image", "c6.bin", "--variant", "rust", "--board", "my_own_board")
    assert manifest.parse(Path("r/manifest.json").read_bytes()).boards == ["my_own_board"]


def test_fewer_signers_than_must_sign(ceremony: dict[str, str]) -> None:
    said = run(*BUILD, "--signer", ceremony["anna"], code=1)[1]
    assert "--signer names 1 of the keys; 2 must sign" in said
    run(*BUILD, "--source", "--signer", ceremony["anna"], "--signer", ceremony["ben"])


def test_a_rotation_keeps_the_threshold_unless_another_is_said(ceremony: dict[str, str]) -> None:
    run("keyset", "rotate", "keys.json", "anna.pub", "ben.pub", "--out", "k2.json", "--rotation", "t2.json")
    assert keys.load_keyset(Path("k2.json")).threshold == 2
    one = ("anna.pub", "--out", "k3.json", "--rotation", "t3.json")
    assert "a threshold of 2 with 1 keys" in run("keyset", "rotate", "keys.json", *one, code=1)[1]
    run("keyset", "rotate", "keys.json", *one, "--threshold", 1)
    assert keys.load_keyset(Path("k3.json")).threshold == 1


def test_a_rotation_that_the_new_keys_have_not_signed_is_not_built_with(ceremony: dict[str, str]) -> None:
    run("keyset", "rotate", "keys.json", "anna.pub", "ben.pub", "--out", "k2.json", "--rotation", "t2.json")
    build = ("build", "r", "--keyset", "k2.json", "--source", "--rotation", "t2.json",
             "--security-version", 3)  # fmt: skip
    for who, missing in (("anna", 2), ("ben", 1)):
        assert f"t2.json: {missing} more of the new key set must sign it" in run(*build, code=1)[1]
        run("sign", "t2.json", "--key", f"{who}.pem", "--passphrase-file", "pass")
    run(*build)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--security-version", 4), "lower_security_version"),
        (("--at", CREATED + 366 * 86_400), "expired"),
        (("--at", CREATED + 364 * 86_400, "--security-version", 3), ""),
        (("--no-clock",), ""),
        (("--variant", "rust"), "of a device: say its --board too"),
        (("--abi", "source"), "of a device: say its --board too"),
        (("--board", "devkitc1_inmp441", "--variant", "rust"), "wrong_variant"),
    ],
)
def test_verify_checks_what_was_said(ceremony: dict[str, str], words: tuple[object, ...], code: str) -> None:
    run(*BUILD, "--source")
    for who in ("anna", "ben"):
        run("sign", "r", "--key", f"{who}.pem", "--passphrase-file", "pass")
    out, said = run("verify", "r", "--keyset", "keys.json", *words, code=1 if code else 0)
    assert code in said and ("is good" in out) == (not code)


def test_the_hub_is_looked_for_where_its_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert address(None, None, None).url == "http://127.0.0.1:8484"
    Path("minerva.toml").write_text("[server]\nport = 9\n")
    assert address(None, None, None).url == "http://127.0.0.1:9"
    monkeypatch.setenv("MINERVA_SERVER_PORT", "7")
    assert address(None, None, None).url == "http://127.0.0.1:7"
    assert address("http://127.0.0.1:11", None, None).url == "http://127.0.0.1:11"
