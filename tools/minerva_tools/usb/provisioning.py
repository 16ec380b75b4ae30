"""Pairing by USB: a device is registered with the hub, and its settings are written onto it.

What the hub registers counts once the device has its settings: when they cannot be written, it is undone.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from minerva.errors import SettingsError
from minerva.settings import parse
from minerva.wire import MODES
from minerva_hub.errors import UserError

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
    room_of,
    settings_text,
    unregister,
)
from minerva_tools.usb import rust_records
from minerva_tools.usb.board import Board, BoardError
from minerva_tools.usb.rust_board import RustBoard

if TYPE_CHECKING:
    from minerva_hub.config import HubConfig
    from minerva_hub.events import DeviceRecord

SETTINGS: Final = "settings.json"
CEILING: Final = "speech"  # of a device whose settings and owner say nothing else
_VIRTUAL: Final = "virtual"


class Target(Protocol):
    """Where settings are written to. `boards` are those that it can be, `known_by` what knows them."""

    boards: tuple[str, ...]
    known_by: str

    def read_settings(self) -> bytes | None:
        """The settings.json that is there; None: there is none. UserError: it is damaged."""
        ...

    def write_settings(self, text: bytes, keys: str | None) -> bool:
        """Write settings.json, and `keys` where no key set is trusted yet; whether it trusts those now.

        Raises when the settings do not stand there afterwards.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the owner says about a device; `again` gives one that is registered a new token.

    None is what was not said. Then the room is the one that it has, else its name; ceiling and Wi-Fi are with
    `again` those of the settings that are there.
    """

    device: str
    name: str
    host: str
    board: str
    room: str | None = None
    ceiling: str | None = None
    wifi: Wifi | None = None
    again: bool = False


@dataclass(frozen=True)
class Before:
    """The settings that are on a device; without any that can be read, `problem` says why."""

    settings: dict[str, Any] | None
    problem: str = ""

    @property
    def ceiling(self) -> str | None:
        """The most that it may send; None: not known."""
        return None if self.settings is None else str(self.settings.get("ceiling", CEILING))

    @property
    def board(self) -> str | None:
        """The board that it says it is."""
        return None if self.settings is None else str(self.settings["board"])

    @property
    def wifi(self) -> Wifi | None:
        """The network that it joins."""
        found = None if self.settings is None else self.settings.get("wifi")
        return None if not found else Wifi(ssid=found["ssid"], password=found.get("password", ""))

    def unknown(self, ceiling: str | None) -> str:
        """What pairing again then takes, for the owner who said `ceiling` or nothing; empty: all is known."""
        if self.settings is not None:
            return ""
        return (
            f"What it was set to is not known ({self.problem}). What you do not say is the default, gain and "
            f"ring too; the privacy ceiling is {ceiling or CEILING}{'' if ceiling else ', the default'}."
        )


@dataclass(frozen=True, kw_only=True)
class Paired:
    """What became of a device; `trusts`: it trusts the hub's key set since. `notes` are for its owner."""

    room: str
    ceiling: str
    trusts: bool
    notes: tuple[str, ...]


class OnBoard:
    """A MicroPython device at its prompt."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.boards, self.known_by = self._application()

    def _application(self) -> tuple[tuple[str, ...], str]:
        """The boards of the application that runs there, else of one that is there, and where it is."""
        running = self._board.facts.running
        slots = ["" if running == "main" else running] if running else []
        for slot in dict.fromkeys([*slots, "", "dev"]):
            files = self._board.files(f"{slot}/boards" if slot else "boards")
            names = [path.rpartition(".")[0] for path in files if path.endswith((".py", ".mpy"))]
            found = sorted({name for name in names if "/" not in name and not name.startswith("_")})
            if found:
                return tuple(found), f"the application in {'slot ' + slot if slot else 'the root folder'}"
        return micropython_boards(), "the application to deploy (the device has none yet)"

    def read_settings(self) -> bytes | None:
        """settings.json."""
        return self._board.read(SETTINGS)

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
        self.known_by = f"the Rust firmware for {board.name}"
        self._board = board

    def read_settings(self) -> bytes | None:
        """What the partition `settings` holds; RecordError."""
        return rust_records.settings_in(self._board.read("settings"))

    def write_settings(self, text: bytes, keys: str | None) -> bool:
        """Write both at once and read them back; BoardError."""
        return self._board.write_settings(text, None if keys is None else keys.encode())


def target_of(device: Board | RustBoard) -> Target:
    """Where the settings of a device are written to."""
    return OnChip(device) if isinstance(device, RustBoard) else OnBoard(device)


def before(target: Target) -> Before:
    """The settings that are there now; what `target` raises for a device that does not answer."""
    try:
        text = target.read_settings()
        if text is None:
            return Before(None, "it has no settings.json")
        parse(text.decode(), "its settings.json")
    except (SettingsError, rust_records.RecordError) as problem:
        return Before(None, str(problem))
    except UnicodeDecodeError:
        return Before(None, "its settings.json is not UTF-8")
    return Before(json.loads(text))


def chosen_board(
    target: Target, said: str | None, kept: str | None, ask: Callable[[Sequence[str]], str] | None
) -> str:
    """The board that a device is: as said, as in the settings that are kept, the only one, as asked.

    UserError: what is there has no such board, or several and nobody to ask.
    """
    listed = ", ".join(target.boards) or "none"
    if said is not None:
        if said not in target.boards:
            raise UserError(f"there is no board {said!r} in {target.known_by}; allowed are {listed}")
        return said
    if kept in target.boards:
        return kept
    real = [name for name in target.boards if name != _VIRTUAL] or list(target.boards)
    if len(real) == 1:
        return real[0]
    if real and ask is not None:
        return ask(real)
    raise UserError(f"say which board it is with --board; {target.known_by} has {listed}")


def pair(config: HubConfig, wishes: Wishes, target: Target, there: Before) -> Paired:
    """Register a device and give it its settings; all or nothing. UserError, and what `target` raises.

    With `again` all that pairing does not renew stays as it is `there`: gain, ring, and what was not said.
    """
    port = hub_port(config)
    identity = identity_of(config)
    kept = there.settings if wishes.again and there.settings is not None else {}
    ceiling = wishes.ceiling or (there.ceiling if kept else None) or CEILING

    def text(token: str) -> bytes:
        renewed = paired_settings(
            identity,
            device=wishes.device,
            board=wishes.board,
            host=wishes.host,
            port=port,
            token=token,
            ceiling=ceiling,
            wifi=wishes.wifi,
        )
        return settings_text({**kept, **renewed}, target.boards)

    text(NO_TOKEN)  # what no device could use is said before anything is registered
    keys = trusted_keys(config)
    known = asyncio.run(_known(config, wishes.device)) if wishes.again else None
    room = wishes.room or (room_of(wishes.name) if known is None else known.room)
    if known is None:
        token, _ = asyncio.run(register(config, wishes.device, room))
    else:
        token = asyncio.run(_renew(config, wishes.device, room))
    try:
        trusts = target.write_settings(text(token), keys)
    except BaseException:
        asyncio.run(_undo(config, wishes.device, known))
        raise
    return Paired(room=room, ceiling=ceiling, trusts=trusts, notes=_notes(wishes, there, ceiling))


def _notes(wishes: Wishes, there: Before, ceiling: str) -> tuple[str, ...]:
    """What changed that its owner must hear of."""
    found = []
    if there.ceiling is not None and there.ceiling != ceiling:
        way = "raised" if MODES.index(ceiling) > MODES.index(there.ceiling) else "lowered"
        found.append(f"The privacy ceiling is {way}, from {there.ceiling} to {ceiling}.")
    if there.board is not None and there.board != wishes.board:
        found.append(f"Its board is {wishes.board} now, it was {there.board}.")
    return tuple(found)


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


async def _renew(config: HubConfig, device: str, room: str) -> str:
    from minerva_hub.auth import hash_token, new_token

    token = new_token()
    async with open_store(config) as store:
        await store.renew_device(device, hash_token(token), room)
    return token


async def _undo(config: HubConfig, device: str, known: DeviceRecord | None) -> None:
    if known is None:
        await unregister(config, device)
        return
    async with open_store(config) as store:
        await store.renew_device(device, known.token_hash, known.room)
