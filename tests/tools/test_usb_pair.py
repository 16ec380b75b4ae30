"""`minerva device pair`: the settings it writes bring the device to its hub, over TLS."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minerva import settings as device_settings
from minerva_hub.app import serve
from minerva_hub.auth import is_authorised
from minerva_hub.config import HubConfig
from minerva_hub.config.settings import ServerConfig, StoreConfig
from minerva_hub.events import DeviceRecord
from minerva_hub.store import Store
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


def pair(minerva: Minerva, port: str, *more: str) -> tuple[int, str]:
    given = ("--port", port, "--board", "virtual", "--host", "127.0.0.1", *more)
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
        assert code == 1 and "registered already" in err
        assert device_settings.load(str(board.flash / "settings.json")).token == first
    with plug(tmp_path / "flash", MINERVA_FLASH_FAULT="settings.json:full") as board:
        assert pair(minerva, board.port, "--again")[0] == 1
        assert is_authorised(record_of(tmp_path / "store", "kitchen"), first)
    with plug(tmp_path / "flash") as board:
        assert pair(minerva, board.port, "--again")[0] == 0
        now = device_settings.load(str(board.flash / "settings.json")).token
    record = record_of(tmp_path / "store", "kitchen")
    assert record is not None and record.room == "Attic"
    assert is_authorised(record, now) and not is_authorised(record, first)


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
        (["--board", "nonsense", "--wifi", "x", "--wifi-password-file", "w"], ["'nonsense'"]),
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
