"""`minerva device pair`: the settings it writes bring the device to its hub, over TLS."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva import settings as device_settings
from minerva_hub.app import serve
from minerva_hub.auth import is_authorised
from minerva_hub.config import HubConfig
from minerva_hub.config.settings import ServerConfig, StoreConfig
from minerva_hub.events import DeviceRecord
from minerva_hub.store import Store
from minerva_tools.commands import device_pair
from minerva_tools.conversation import Sound
from minerva_tools.demo import write_wav
from minerva_tools.virtual_flash import bootslot

from tests.tools.test_usb_deploy import deploy
from tests.tools.usb_rig import plug, trusting

Minerva = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.mpy


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def record_of(folder: Path, device: str) -> DeviceRecord | None:
    async def read() -> DeviceRecord | None:
        store = await Store.open(folder)
        found = await store.device(device)
        await store.close()
        return found

    return asyncio.run(read())


def pair(minerva: Minerva, port: str, *more: str, board: str | None = "virtual") -> tuple[int, str]:
    given = ("--port", port, "--host", "127.0.0.1", *(("--board", board) if board else ()), *more)
    code, out, err = minerva("device", "pair", "Kitchen", *given)
    assert out == ""
    return code, err


def test_a_paired_device_links_to_its_hub_over_tls(minerva: Minerva, tmp_path: Path, speech: Sound) -> None:
    port = free_port()
    write_wav(tmp_path / "room.wav", speech)
    with plug(tmp_path / "flash", MINERVA_MIC_WAV=str(tmp_path / "room.wav"), MINERVA_MIC_LOOP="1") as board:
        assert deploy(minerva, board, "--board", "virtual", "--allow-dev")[0] == 0
        code, err = pair(minerva, board.port, "--server-tls-port", str(port), "--room", "The Kitchen")
        assert code == 0 and "'The Kitchen'" in err, err
        text = (board.flash / "settings.json").read_text()
        found = device_settings.parse(text)
        assert found.token not in err
        config = HubConfig(
            server=ServerConfig(port=0, tls_host="127.0.0.1", tls_port=port),
            store=StoreConfig(path=tmp_path / "store"),
        )

        async def linked() -> str:
            async with serve(config) as (hub, _), asyncio.timeout(60):
                assert found.ca == hub.identity.ca_pem
                while not (states := [s for s in hub.fleet.devices() if s.online]):
                    await asyncio.sleep(0.05)
                return states[0].id

        assert asyncio.run(linked()) == "kitchen"


def test_the_settings_are_the_hubs_and_the_owners(minerva: Minerva, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("s3cret word\n")
    with plug(tmp_path / "flash") as board:
        code, err = pair(
            minerva, board.port, "--wifi", "home", "--wifi-password-file", "word", "--ceiling", "features"
        )
        assert code == 0 and "s3cret" not in err, err
        found = device_settings.load(str(board.flash / "settings.json"))
    record = record_of(tmp_path / "store", "kitchen")
    assert is_authorised(record, found.token)
    assert (found.url, found.ceiling) == ("wss://127.0.0.1:8443/link", "features")
    assert found.wifi == {"ssid": "home", "password": "s3cret word"}
    assert found.server_name.endswith(".minerva") and "BEGIN CERTIFICATE" in found.ca
    update = found.update
    assert update is not None and (update.token, update.ca) == (found.token, found.ca)
    assert (update.scheme, update.port, update.path) == ("https", 8443, "/default/controller/v1/kitchen")
    assert oct(os.stat(tmp_path / "store" / "identity").st_mode & 0o777) == "0o700"


@pytest.mark.parametrize("how", ["full", "wrong"])
def test_settings_that_cannot_be_written_register_nothing(minerva: Minerva, tmp_path: Path, how: str) -> None:
    with plug(tmp_path / "flash", MINERVA_FLASH_FAULT=f"settings.json:{how}") as board:
        (board.flash / "settings.json").write_text("what was there")
        code, err = pair(minerva, board.port)
        assert code == 1 and err.count("\n") == 1, err
        assert record_of(tmp_path / "store", "kitchen") is None
        assert (board.flash / "settings.json").read_text() == "what was there"


def test_pairing_again_voids_the_old_token_or_changes_nothing(minerva: Minerva, tmp_path: Path) -> None:
    with plug(tmp_path / "flash") as board:
        assert pair(minerva, board.port, "--room", "Attic")[0] == 0
        first = device_settings.load(str(board.flash / "settings.json")).token
        code, err = pair(minerva, board.port)
        assert code == 1 and "registered already" in err and "minerva device pair kitchen --again" in err
        assert device_settings.load(str(board.flash / "settings.json")).token == first
    with plug(tmp_path / "flash", MINERVA_FLASH_FAULT="settings.json:full") as board:
        assert pair(minerva, board.port, "--again", "--room", "Cellar")[0] == 1
        record = record_of(tmp_path / "store", "kitchen")
        assert is_authorised(record, first) and record is not None and record.room == "Attic"
    with plug(tmp_path / "flash") as board:
        assert pair(minerva, board.port, "--again")[0] == 0
        now = device_settings.load(str(board.flash / "settings.json")).token
    record = record_of(tmp_path / "store", "kitchen")
    assert record is not None and record.room == "Attic"
    assert is_authorised(record, now) and not is_authorised(record, first)


BY_HAND = {
    "version": 1,
    "device": "kitchen",
    "board": "xiao_s3_inmp441",
    "url": "wss://10.9.8.7:8443/link",
    "server_name": "old.minerva",
    "ca": "-----BEGIN CERTIFICATE-----",
    "token": "old",
    "ceiling": "events",
    "gain_db": 12,
    "ring_bytes": 65536,
    "wifi": {"ssid": "home", "password": "s3cret"},
    "update": {"url": "https://10.9.8.7:8443/x"},
}


def application(flash: Path, folder: str, *boards: str) -> None:
    """Of an application, what says which boards it has."""
    (flash / folder / "boards").mkdir(parents=True)
    for name in ("__init__", *boards):
        (flash / folder / "boards" / f"{name}.mpy").write_bytes(b"")


def test_pairing_again_keeps_what_it_does_not_renew(minerva: Minerva, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("new word\n")
    with plug(tmp_path / "flash") as board:
        application(board.flash, "", "virtual", "xiao_s3_inmp441", "devkitc1_inmp441")
        settings = board.flash / "settings.json"

        def again(*more: str) -> tuple[dict[str, Any], str]:
            code, err = pair(minerva, board.port, "--again", *more, board=None)
            assert code == 0 and "new word" not in err and "s3cret" not in err, err
            return json.loads(settings.read_text()), err

        assert pair(minerva, board.port, "--room", "The Kitchen")[0] == 0
        settings.write_text(json.dumps(BY_HAND))
        now, err = again()
        renewed = {"url", "server_name", "ca", "token", "update"}
        assert {key for key in BY_HAND if now[key] != BY_HAND[key]} == renewed and set(now) == set(BY_HAND)
        assert now["update"] == {"url": "https://127.0.0.1:8443/default/controller/v1/kitchen"}
        assert "'The Kitchen'" in err and "sends events at most" in err and "ceiling is" not in err

        now, err = again("--wifi", "attic", "--wifi-password-file", "word", "--ceiling", "speech")
        assert now["wifi"] == {"ssid": "attic", "password": "new word"} and now["gain_db"] == 12
        assert "The privacy ceiling is raised, from events to speech." in err

        now, err = again("--room", "Attic", "--ceiling", "mute", "--board", "devkitc1_inmp441")
        assert "The privacy ceiling is lowered, from speech to mute." in err and "'Attic'" in err
        assert "Its board is devkitc1_inmp441 now, it was xiao_s3_inmp441." in err
        assert "Attic" in minerva("device", "list")[1]


@pytest.mark.parametrize(
    ("text", "words"), [(None, "it has no settings.json"), ('{"version": 7}', "settings.json")]
)
def test_pairing_again_without_settings_says_that_the_defaults_are_taken(
    minerva: Minerva, tmp_path: Path, text: str | None, words: str
) -> None:
    with plug(tmp_path / "flash") as board:
        if text is not None:
            (board.flash / "settings.json").write_text(text)
        code, err = pair(minerva, board.port, "--again")
        assert code == 0 and "is not known" in err and words in err, err
        assert "the privacy ceiling is speech, the default" in err and "'Kitchen'" in err


def test_another_hubs_device_keeps_no_ceiling_without_again_but_it_is_told(
    minerva: Minerva, tmp_path: Path
) -> None:
    with plug(tmp_path / "flash") as board:
        (board.flash / "settings.json").write_text(json.dumps(BY_HAND))
        code, err = pair(minerva, board.port)
        assert code == 0 and "raised, from events to speech" in err, err
        assert "gain_db" not in (board.flash / "settings.json").read_text()


@pytest.mark.parametrize(
    ("there", "said", "taken", "words"),
    [
        ({"": ["xiao_s3_inmp441", "virtual"]}, None, "xiao_s3_inmp441", []),
        ({"dev": ["xiao_s3_inmp441"]}, None, "xiao_s3_inmp441", []),
        ({"dev": ["xiao_s3_inmp441"]}, "devkitc1_inmp441", None, ["slot dev", "are xiao_s3_inmp441"]),
        (
            {"": ["devkitc1_inmp441"], "dev": ["xiao_s3_inmp441"]},
            "xiao_s3_inmp441",
            None,
            ["the root folder"],
        ),
        ({"": ["a", "b", "virtual"]}, None, None, ["say which board it is with --board", "a, b, virtual"]),
        ({}, None, None, ["--board", "none yet", "devkitc1_inmp441, virtual, xiao_s3_inmp441"]),
    ],
)
def test_the_board_is_one_that_the_application_there_has(
    minerva: Minerva,
    tmp_path: Path,
    there: dict[str, list[str]],
    said: str | None,
    taken: str | None,
    words: list[str],
) -> None:
    (tmp_path / "word").write_text("word\n")
    with plug(tmp_path / "flash") as board:
        for folder, names in there.items():
            application(board.flash, folder, *names)
        wifi = ("--wifi", "home", "--wifi-password-file", "word")
        code, err = pair(minerva, board.port, *wifi, board=said)
        assert code == (taken is None) and all(word in err for word in words), err
        if taken is not None:
            assert device_settings.load(str(board.flash / "settings.json")).board == taken
            return
        assert not (board.flash / "settings.json").exists() and not (tmp_path / "store").exists()


def test_of_several_boards_somebody_at_the_terminal_picks_one(
    minerva: Minerva, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def picked(lines: list[str], question: str) -> int:
        asked.append(lines)
        return 1

    monkeypatch.setattr(device_pair, "at_terminal", lambda: True)
    monkeypatch.setattr(device_pair, "picked", picked)
    (tmp_path / "word").write_text("word\n")
    with plug(tmp_path / "flash") as board:
        application(board.flash, "", "devkitc1_inmp441", "virtual", "xiao_s3_inmp441")
        code, err = pair(minerva, board.port, "--wifi", "x", "--wifi-password-file", "word", board=None)
        assert code == 0 and asked == [["devkitc1_inmp441", "xiao_s3_inmp441"]], err
        assert device_settings.load(str(board.flash / "settings.json")).board == "xiao_s3_inmp441"


def test_a_device_without_keys_gets_those_that_the_hub_trusts(minerva: Minerva, tmp_path: Path) -> None:
    ours, theirs = trusting(Ed25519PrivateKey.generate()), trusting(Ed25519PrivateKey.generate())

    async def trust() -> None:
        store = await Store.open(tmp_path / "store")
        await store.updates.set_key_set(1, ours.decode())
        await store.close()

    asyncio.run(trust())
    with plug(tmp_path / "flash") as board:
        assert deploy(minerva, board, "--board", "virtual", "--allow-dev")[0] == 0
        assert "trusts the releases" in pair(minerva, board.port)[1]
        copies = bootslot().copies_of_keys(str(board.flash))
        assert copies.read() == ours
        copies.write(theirs)
        code, err = pair(minerva, board.port, "--again")
        assert code == 0, err
        assert bootslot().copies_of_keys(str(board.flash)).read() == theirs  # what it trusts stays


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ceiling", "everything"], ["ceiling is 'everything'", "mute, events, features"]),
        (["--server-tls-port", "0"], ["server.tls_port is 0"]),
        (["--no-server-tls"], ["server.tls is off"]),
        (["--host", "a b"], ["url is 'wss://a b:8443/link'"]),
        (["--board", "nonsense", "--wifi", "x", "--wifi-password-file", "w"], ["'nonsense'", "none yet"]),
        (["--board", "devkitc1_inmp441"], ["--wifi NAME"]),
    ],
)
def test_wishes_that_cannot_be_register_nothing(
    minerva: Minerva, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "w").write_text("word\n")
    with plug(tmp_path / "flash") as board:
        code, err = pair(minerva, board.port, *arguments)
        assert code == 1 and all(word in err for word in words), err
        assert not (board.flash / "settings.json").exists()
    assert (
        not (tmp_path / "store" / "minerva.sqlite").exists()
        or record_of(tmp_path / "store", "kitchen") is None
    )
