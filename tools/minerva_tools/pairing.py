"""Registering devices with the hub, and the settings.json that makes a device the hub's."""

from __future__ import annotations

import asyncio
import json
import re
import time
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from minerva_hub.errors import UserError

if TYPE_CHECKING:
    from minerva_hub.auth import Identity
    from minerva_hub.config import HubConfig
    from minerva_hub.events import DeviceRecord
    from minerva_hub.store import Store

MAX_ID: Final = 32  # as in docs/protocol.md
MAX_ROOM: Final = 64  # a column of the page
NO_TOKEN: Final = "not given yet"  # noqa: S105 - stands where a token will be
BOARD: Final = "devkitc1_inmp441"
# What the Rust firmware knows (firmware_rs/esp32/board/src/boards.rs), by chips, the likeliest first.
RUST_BOARDS: Final[Mapping[str, tuple[str, ...]]] = {
    "esp32s3": (BOARD, "xiao_s3_inmp441", "xiao_s3_sense"),
    "esp32c6": ("devkitc6_inmp441",),
    "esp32c3": ("devkitc3_inmp441",),
}


@dataclass(frozen=True, kw_only=True)
class Wifi:
    """The network that a device joins."""

    ssid: str
    password: str


class Pinned(Protocol):
    """What a device knows its hub by: an Identity has it."""

    server_name: str
    ca_pem: str


@dataclass
class AnyHub:
    """Stands for the hub's identity while all else is checked, so that a wrong wish makes no database."""

    server_name: str = "hub.minerva"
    ca_pem: str = "-----BEGIN CERTIFICATE-----"


def device_id(name: str) -> str:
    """The id of a device called `name`: a to z, 0 to 9 and hyphens; UserError when nothing usable is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not slug:
        raise UserError(f"the name {name!r} has no letter from a to z and no digit; give one that has")
    if len(slug) > MAX_ID:
        raise UserError(f"the name {name!r} makes an id of {len(slug)} characters; {MAX_ID} are allowed")
    return slug


def room_of(text: str) -> str:
    """A room's name without needless blanks; UserError."""
    place = " ".join(text.split())
    if not place or len(place) > MAX_ROOM or not place.isprintable():
        raise UserError(f"the room {text!r} is not 1 to {MAX_ROOM} printable characters")
    return place


def hub_port(config: HubConfig) -> int:
    """The port that devices link to; UserError where they cannot."""
    if not config.server.tls:
        raise UserError(
            "server.tls is off: this hub is not to be reached by devices; switch it on to pair one"
        )
    if config.server.tls_port == 0:
        raise UserError(
            "server.tls_port is 0, another one at each start; a device needs one that stays, as 8443"
        )
    return config.server.tls_port


def hub_hosts(config: HubConfig) -> tuple[str, ...]:
    """The addresses that devices find this hub at, the likeliest first; none without a network."""
    from minerva_hub.auth.names import lan_addresses

    host = config.server.tls_host
    return (host,) if host and host not in ("0.0.0.0", "::") else lan_addresses()  # noqa: S104 - compared


def identity_of(config: HubConfig) -> Identity:
    """The hub's identity, made where there is none yet. Blocks."""
    from minerva_hub.auth import Identity, own_names
    from minerva_hub.auth.identity import AUTHORITY, FOLDER

    async def hub_id() -> str:
        async with open_store(config) as store:
            return store.hub_id

    folder = config.store.path / FOLDER
    names = None if (folder / AUTHORITY).exists() else own_names(config.server.names)
    return Identity.open(folder, asyncio.run(hub_id()), names)


def paired_settings(
    identity: Pinned,
    *,
    device: str,
    board: str,
    host: str,
    port: int,
    token: str,
    ceiling: str = "speech",
    wifi: Wifi | None = None,
) -> dict[str, Any]:
    """The settings of a device whose hub, update server included, is at `host` and `port` with TLS."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    settings: dict[str, Any] = {
        "version": 1,
        "device": device,
        "board": board,
        "url": f"wss://{authority}/link",
        "server_name": identity.server_name,
        "ca": identity.ca_pem,
        "token": token,
        "ceiling": ceiling,
        "update": {"url": f"https://{authority}/default/controller/v1/{device}"},
    }
    if wifi is not None:
        settings["wifi"] = {"ssid": wifi.ssid, "password": wifi.password}
    return settings


def micropython_boards() -> tuple[str, ...]:
    """The boards that the MicroPython application knows, the likeliest first."""
    from minerva_tools.virtual import device_folder

    found = sorted(file.stem for file in (device_folder() / "boards").glob("[!_]*.py"))
    return tuple(sorted(found, key=lambda name: name != BOARD))


def all_boards() -> tuple[str, ...]:
    """Those of both firmwares."""
    others = [name for names in RUST_BOARDS.values() for name in names]
    return tuple(dict.fromkeys([*micropython_boards(), *others]))


def settings_text(settings: Mapping[str, Any], boards: Sequence[str] | None = None) -> bytes:
    """What stands in settings.json; UserError, in the device's own words, where no device could use it.

    `boards` are those that it may be; None: any of both firmwares.
    """
    from minerva.errors import SettingsError
    from minerva.settings import parse

    text = json.dumps(settings, indent=2)
    try:
        parse(text, "the device's settings")
    except SettingsError as problem:
        raise UserError(str(problem)) from problem
    allowed = all_boards() if boards is None else boards
    if settings["board"] not in allowed:
        raise UserError(
            f"there is no board {settings['board']!r} for it; allowed are {', '.join(allowed) or 'none'}"
        )
    return text.encode() + b"\n"


@asynccontextmanager
async def open_store(config: HubConfig) -> AsyncIterator[Store]:
    """The hub's database, also while the hub runs."""
    from minerva_hub.store import Store

    store = await Store.open(config.store.path)
    try:
        yield store
    finally:
        await store.close()


async def register(config: HubConfig, device: str, room: str) -> tuple[str, str]:
    """Register a device: (its token, the hub's id). UserError: it is registered."""
    from minerva_hub.auth import hash_token, new_token
    from minerva_hub.events import DeviceRecord

    token = new_token()
    record = DeviceRecord(
        id=device, room=room, token_hash=hash_token(token), created_ms=time.time_ns() // 1_000_000
    )
    async with open_store(config) as store:
        if await store.device(device) is not None:
            raise UserError(
                f"device {device!r} is registered already; pair it anew (minerva device pair {device} "
                f"--again), take another name, or remove it first (minerva device remove {device}). "
                "Anew or removed, its token is void"
            )
        await store.add_device(record)
        return token, store.hub_id


async def registered(config: HubConfig) -> list[DeviceRecord]:
    """All registered devices, by id."""
    async with open_store(config) as store:
        return await store.devices()


async def unregister(config: HubConfig, device: str) -> bool:
    """Remove a device; False: there was none."""
    async with open_store(config) as store:
        return await store.remove_device(device)
