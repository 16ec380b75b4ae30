"""`minerva device`: what it prints works on a device, what it keeps is only a hash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from minerva import settings as device_settings
from minerva_hub.auth import is_authorised, names
from minerva_hub.errors import UserError
from minerva_hub.events import DeviceRecord
from minerva_hub.store import Store
from minerva_tools.pairing import device_id

Minerva = Callable[..., tuple[int, str, str]]


def registered(folder: Path) -> tuple[list[DeviceRecord], str]:
    async def read() -> tuple[list[DeviceRecord], str]:
        store = await Store.open(folder)
        found = await store.devices(), store.hub_id
        await store.close()
        return found

    return asyncio.run(read())


HERE = ("--server-tls-host", "192.168.1.5")
LOCAL = ("--url", "ws://127.0.0.1:8500/link")


def test_the_printed_settings_are_what_the_device_reads(minerva: Minerva, tmp_path: Path) -> None:
    wishes = ("Küche 2", "--room", "  The  Kitchen ", *HERE, "--server-tls-port", "8500")
    code, out, err = minerva("device", "add", *wishes)
    assert code == 0 and "kuche-2" in err and "The Kitchen" in err
    (tmp_path / "settings.json").write_text(out)
    read = device_settings.load(str(tmp_path / "settings.json"))
    [record], hub_id = registered(tmp_path / "store")
    assert (read.device, read.url, read.server_name) == (
        "kuche-2",
        "wss://192.168.1.5:8500/link",
        f"{hub_id}.minerva",
    )
    assert read.ca == minerva("identity", "show", "--ca")[1]
    update = json.loads(out)["update"]
    assert update == {"url": "https://192.168.1.5:8500/default/controller/v1/kuche-2"}
    assert (read.update.token, read.update.server_name) == (read.token, read.server_name)
    assert (record.id, record.room) == ("kuche-2", "The Kitchen")
    assert is_authorised(record, read.token) and read.token not in str(record)
    assert len(read.token) == 43 and read.token not in err


def test_the_address_is_this_machines(minerva: Minerva, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "lan_addresses", lambda: ("fd00::7", "10.0.0.7"))
    assert json.loads(minerva("device", "add", "attic")[1])["url"] == "wss://[fd00::7]:8443/link"
    monkeypatch.setattr(names, "lan_addresses", lambda: ())
    code, out, err = minerva("device", "add", "cellar")
    assert (code, out) == (1, "") and "wss://ADDRESS:8443/link" in err and "ws://127.0.0.1:PORT/link" in err


def test_a_device_on_this_machine_may_go_without_tls(minerva: Minerva) -> None:
    read = device_settings.parse(minerva("device", "add", "kitchen", *LOCAL)[1])
    assert (read.url, read.ca, read.update) == (LOCAL[1], "", None)


def test_the_token_is_nowhere_in_the_store(minerva: Minerva, tmp_path: Path) -> None:
    token = json.loads(minerva("device", "add", "kitchen", *HERE)[1])["token"]
    for path in filter(Path.is_file, (tmp_path / "store").rglob("*")):
        assert token.encode() not in path.read_bytes()


def test_a_name_is_taken_once(minerva: Minerva, tmp_path: Path) -> None:
    assert minerva("device", "add", "kitchen", *HERE)[0] == 0
    before = registered(tmp_path / "store")
    code, out, err = minerva("device", "add", "Kitchen", *HERE)
    assert (code, out) == (1, "") and "'kitchen' is registered already" in err
    assert registered(tmp_path / "store") == before


def test_list_and_remove(minerva: Minerva) -> None:
    assert "No devices yet" in minerva("device", "list")[1]
    minerva("device", "add", "kitchen", "--room", "[red]Kitchen", *HERE)
    minerva("device", "add", "attic", *HERE)
    out = minerva("device", "list")[1]
    assert out.index("attic") < out.index("kitchen")
    assert [(d["id"], d["room"]) for d in json.loads(minerva("device", "list", "--json")[1])] == [
        ("attic", "attic"),
        ("kitchen", "[red]Kitchen"),
    ]
    assert minerva("device", "remove", "Kitchen")[0] == 0
    code, _, err = minerva("device", "remove", "kitchen")
    assert code == 1 and "no device 'kitchen'" in err
    assert "kitchen" not in minerva("device", "list")[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Kitchen", "kitchen"), (" Büro 2. Stock ", "buro-2-stock"), ("a--b", "a-b"), ("x" * 32, "x" * 32)],
)
def test_names_become_ids(name: str, expected: str) -> None:
    assert device_id(name) == expected


@pytest.mark.parametrize("name", ["", "  ", "厨房", "!!!", "x" * 33])
def test_names_that_cannot(name: str) -> None:
    with pytest.raises(UserError, match=r"no letter from a to z|33 characters; 32 are allowed"):
        device_id(name)


@pytest.mark.parametrize("room", ["", "x" * 65, "a\x07b"])
def test_rooms_that_cannot(minerva: Minerva, room: str) -> None:
    code, out, err = minerva("device", "add", "kitchen", "--room", room, *HERE)
    assert (code, out) == (1, "") and "1 to 64 printable characters" in err


@pytest.mark.parametrize("off", [("--server-tls-port", "0"), ("--no-server-tls",)])
def test_a_hub_that_no_device_can_reach(minerva: Minerva, tmp_path: Path, off: tuple[str, ...]) -> None:
    code, out, err = minerva("device", "add", "kitchen", *HERE, *off)
    assert (code, out) == (1, "") and "server.tls" in err and "--url" in err
    assert not (tmp_path / "store").exists()
    given = minerva("device", "add", "kitchen", *off, *LOCAL)
    assert json.loads(given[1])["url"] == LOCAL[1]


def test_another_address_of_the_hub_has_the_hubs_own_authority(minerva: Minerva) -> None:
    read = device_settings.parse(minerva("device", "add", "kitchen", "--url", "wss://hub.local/link")[1])
    assert read.ca == minerva("identity", "show", "--ca")[1]


def test_a_proxy_takes_the_authority_to_trust(minerva: Minerva, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    trust = ("--url", "wss://hub.local/link", "--ca", "ca.pem")
    own = device_settings.parse(minerva("device", "add", "kitchen", *trust)[1])
    _, hub_id = registered(tmp_path / "store")
    assert (own.url, own.server_name) == ("wss://hub.local/link", f"{hub_id}.minerva")
    assert own.ca == (tmp_path / "ca.pem").read_text()
    _, out, _ = minerva("device", "add", "attic", *trust, "--server-name", "hub.local")
    proxied = device_settings.parse(out)
    assert proxied.server_name == "hub.local"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--board", "nonsense"], ["'nonsense'", "devkitc1_inmp441, virtual, xiao_s3_inmp441"]),
        (["--board", "../evil"], ["board is '../evil'", "a module in boards/"]),
        (["--board", "__init__"], ["'__init__'", "devkitc1_inmp441"]),
        (["--url", "http://x"], ["url is 'http://x'", "wss:// or ws://"]),
        (["--url", ""], ["url is ''", "wss:// or ws://"]),
        (["--url", "ws://192.168.1.5:8484/link"], ["url is 'ws://192.168.1.5:8484/link'", "beyond loopback"]),
        (["--server-name", "hub.local"], ["--ca and --server-name are for a --url wss://"]),
        (["--url", "wss://hub.local/link", "--ca", "none.pem"], ["--ca none.pem", "cannot be read"]),
    ],
)
def test_settings_that_no_device_can_use_register_nothing(
    minerva: Minerva, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    code, out, err = minerva("device", "add", "kitchen", *HERE, *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert all(word in err for word in words), err
    assert not (tmp_path / "store").exists()
