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
    RUST_BOARDS,
    Wifi,
    hub_port,
    identity_of,
    micropython_boards,
    open_store,
    paired_settings,
    register,
    settings_text,
    unregister,
)
from minerva_tools.usb.board import Board, BoardError
from minerva_tools.usb.rust_board import RustBoard

if TYPE_CHECKING:
    from minerva_hub.config import HubConfig
    from minerva_hub.events import DeviceRecord

SETTINGS: Final = "settings.json"


class Target(Protocol):
    """Where settings are written to. `boards` are those that it can be, the likeliest first."""

    boards: tuple[str, ...]

    def write_settings(self, text: bytes, keys: str | None) -> bool:
        """Write settings.json, and `keys` where no key set is trusted yet; whether it trusts those now.

        Raises when the settings do not stand there afterwards.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the owner says about a device; `again` gives one that is registered a new token and settings.

    `board` None: the likeliest.
    """

    device: str
    room: str
    host: str
    board: str | None = None
    ceiling: str = "speech"
    wifi: Wifi | None = None
    again: bool = False


class OnBoard:
    """A MicroPython device at its prompt."""

    def __init__(self, board: Board) -> None:
        self.boards = micropython_boards()
        self._board = board

    def write_settings(self, text: bytes, keys: str | None) -> bool:
        """Write and read back; BoardError. The settings come last: they alone make it the hub's."""
        trusts = keys is not None and self._write_keys(keys)
        self._board.write(SETTINGS, text)
        there = self._board.named([SETTINGS]).get(SETTINGS)
        if there != (len(text), hashlib.sha256(text).hexdigest()):
            raise BoardError(f"{self._board.port}: settings.json is not what was sent; run this again")
        return trusts

    def _write_keys(self, keys: str) -> bool:
        """Trust a key set; False: there is one, or nothing that could use it."""
        facts = self._board.facts
        if facts.keys is not None or "bootslot.py" not in facts.root:
            return False
        self._board.run(f"_m_keys({keys.encode()!r})")
        return True


class OnChip:
    """A board with the Rust firmware, in its download mode."""

    def __init__(self, board: RustBoard) -> None:
        self.boards = RUST_BOARDS.get(board.name, ())
        self._board = board

    def write_settings(self, text: bytes, keys: str | None) -> bool:
        """Write both at once and read them back; BoardError."""
        return self._board.write_settings(text, None if keys is None else keys.encode())


def target_of(device: Board | RustBoard) -> Target:
    """Where the settings of a device are written to."""
    return OnChip(device) if isinstance(device, RustBoard) else OnBoard(device)


def pair(config: HubConfig, wishes: Wishes, target: Target) -> bool:
    """Register a device and give it its settings; all or nothing. Whether it trusts the hub's key set since.

    UserError, and what `target` raises.
    """
    port = hub_port(config)
    identity = identity_of(config)
    board = wishes.board or next(iter(target.boards), "")

    def text(token: str) -> bytes:
        return settings_text(
            paired_settings(
                identity,
                device=wishes.device,
                board=board,
                host=wishes.host,
                port=port,
                token=token,
                ceiling=wishes.ceiling,
                wifi=wishes.wifi,
            ),
            target.boards,
        )

    text(NO_TOKEN)  # what no device could use is said before anything is registered
    keys = trusted_keys(config)
    before = asyncio.run(_known(config, wishes.device)) if wishes.again else None
    if before is None:
        token, _ = asyncio.run(register(config, wishes.device, wishes.room))
    else:
        token = asyncio.run(_renew(config, wishes.device))
    try:
        return target.write_settings(text(token), keys)
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
