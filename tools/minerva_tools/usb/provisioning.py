"""Pairing by USB: a device is registered with the hub, and its settings are written onto it.

What the hub registers counts once the device has its settings: when they cannot be written, it is undone.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from minerva_tools.pairing import (
    NO_TOKEN,
    Wifi,
    hub_port,
    identity_of,
    open_store,
    paired_settings,
    register,
    settings_text,
    unregister,
)
from minerva_tools.usb.board import Board, BoardError

if TYPE_CHECKING:
    from minerva_hub.config import HubConfig
    from minerva_hub.events import DeviceRecord

SETTINGS: Final = "settings.json"


class Target(Protocol):
    """Where settings are written to; raises when they do not stand there afterwards."""

    def write_settings(self, text: bytes) -> None:
        """Write settings.json whole or not at all."""
        ...


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the owner says about a device; `again` gives one that is registered a new token and settings."""

    device: str
    room: str
    board: str
    host: str
    ceiling: str = "speech"
    wifi: Wifi | None = None
    again: bool = False


class OnBoard:
    """A MicroPython device at its prompt."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def write_settings(self, text: bytes) -> None:
        """Write and read back; BoardError."""
        self._board.write(SETTINGS, text)
        there = self._board.named([SETTINGS]).get(SETTINGS)
        if there != (len(text), hashlib.sha256(text).hexdigest()):
            raise BoardError(f"{self._board.port}: settings.json is not what was sent; run this again")

    def write_keys(self, keys: str) -> bool:
        """Trust a key set where none is trusted yet; False: there is one, or nothing that could use it."""
        facts = self._board.facts
        if facts.keys is not None or "bootslot.py" not in facts.root:
            return False
        self._board.run(f"_m_keys({keys.encode()!r})")
        return True


def pair(config: HubConfig, wishes: Wishes, target: Target) -> None:
    """Register a device and give it its settings; all or nothing. UserError, and what `target` raises."""
    port = hub_port(config)
    identity = identity_of(config)

    def text(token: str) -> bytes:
        return settings_text(
            paired_settings(
                identity,
                device=wishes.device,
                board=wishes.board,
                host=wishes.host,
                port=port,
                token=token,
                ceiling=wishes.ceiling,
                wifi=wishes.wifi,
            )
        )

    text(NO_TOKEN)  # what no device could use is said before anything is registered
    before = asyncio.run(_known(config, wishes.device)) if wishes.again else None
    if before is None:
        token, _ = asyncio.run(register(config, wishes.device, wishes.room))
    else:
        token = asyncio.run(_renew(config, wishes.device))
    try:
        target.write_settings(text(token))
    except BaseException:
        asyncio.run(_undo(config, wishes.device, before))
        raise


def trusted_keys(config: HubConfig) -> str | None:
    """The text of the key set whose releases the hub keeps."""

    async def ask() -> str | None:
        async with open_store(config) as store:
            found = await store.updates.key_set()
            return None if found is None else found[0]

    return asyncio.run(ask())


async def _known(config: HubConfig, device: str) -> DeviceRecord | None:
    async with open_store(config) as store:
        return await store.device(device)


async def _renew(config: HubConfig, device: str) -> str:
    from minerva_hub.auth import hash_token, new_token

    token = new_token()
    async with open_store(config) as store:
        await store.set_token_hash(device, hash_token(token))
    return token


async def _undo(config: HubConfig, device: str, before: DeviceRecord | None) -> None:
    if before is None:
        await unregister(config, device)
        return
    async with open_store(config) as store:
        await store.set_token_hash(device, before.token_hash)
