"""What a device on USB says of itself, for people and programs; secrets are left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from minerva import keyset, manifest
from minerva.errors import SettingsError, UpdateError
from minerva.settings import parse

from minerva_tools.usb import rust_records
from minerva_tools.usb.board import Board
from minerva_tools.usb.rust_board import RustBoard
from minerva_tools.virtual_flash import bootslot

_SECRET = ("token", "password")
_TRIAL = ("no", "from the next start on", "yes")
_SLOTS: Final = {"a": "ota_0", "b": "ota_1"}


def shown(device: Board | RustBoard) -> dict[str, Any]:
    """What there is to know, as JSON values only."""
    return _of_rust(device) if isinstance(device, RustBoard) else _of_micropython(device)


def _of_micropython(board: Board) -> dict[str, Any]:
    """Chip, MicroPython, slots and their releases, keys, settings."""
    facts = board.facts
    mac = ":".join(facts.id[i : i + 2] for i in range(0, len(facts.id), 2)) if len(facts.id) == 12 else ""
    return {
        "port": board.port,
        "machine": facts.machine,
        "mac": mac,
        "micropython": facts.version,
        "abi": facts.abi or "source",
        "flash": {"bytes": facts.flash_bytes, "free_bytes": facts.free_bytes},
        "slot": facts.running,
        "record": _record(facts.record, lost=facts.lost),
        "slots": {slot: _release(board.read(f"{slot}/manifest.json")) for slot in ("a", "b", "dev")},
        "keys": _keys(None if facts.keys is None else facts.keys.encode()),
        "settings": _settings(board.read("settings.json")),
    }


def _of_rust(board: RustBoard) -> dict[str, Any]:
    """Chip, partitions, slots and which of them starts, keys, settings."""
    settings, update = board.read("settings"), board.read("update", rust_records.MIN_UPDATE)
    entries = rust_records.chosen(board.read("otadata"))
    return {
        "port": board.port,
        "machine": board.name,
        "mac": board.mac,
        "firmware": "rust",
        "flash": {"bytes": board.flash_bytes},
        "partitions": {part.name: f"{part.offset:#x}, {part.size >> 10} kB" for part in board.table.values()},
        "slots": {
            slot: rust_records.described(board.read(name, rust_records.DESCRIBED))
            for slot, name in _SLOTS.items()
        },
        "otadata": {
            "starts": rust_records.starting(entries),
            **{f"number_{entry.sequence}": f"slot {entry.slot}, {entry.state}" for entry in entries},
        },
        "record": _rust_record(rust_records.boot_record(update)),
        "release": rust_records.release(update),
        "keys": _of_record(rust_records.keys_in, settings, _keys),
        "rotated_keys": _keys(rust_records.rotated_keys(update)),
        "settings": _of_record(rust_records.settings_in, settings, _settings),
    }


def _of_record(
    read: Callable[[bytes], bytes | None], raw: bytes, show: Callable[[bytes | None], dict[str, Any] | None]
) -> dict[str, Any] | None:
    try:
        return show(read(raw))
    except rust_records.RecordError as problem:
        return {"problem": str(problem)}


def _rust_record(raw: bytes | None) -> dict[str, Any] | None:
    if raw is None:
        return None
    boot = bootslot()
    found = boot.unpack(raw)
    if found is None:
        return {"problem": "the boot record is of another version"}
    shown = _record(
        {**vars(found), "active": boot.SLOTS[found.active], "previous": boot.SLOTS[found.previous]},
        lost=False,
    )
    return {name: value for name, value in (shown or {}).items() if name != "dev"}


def _record(record: dict[str, Any] | None, *, lost: bool) -> dict[str, Any] | None:
    if record is None:
        return {"lost": True} if lost else None
    return {
        "active": record["active"],
        "previous": record["previous"],
        "on_trial": _TRIAL[record["trial"]],
        "turns": record["turns"],
        "dev": ("never allowed", "allowed", "forbidden for good", "forbidden for good")[record["flags"] & 3],
        "security_floor": record["floor"],
    }


def _release(text: bytes | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = manifest.parse(text)
    except UpdateError as problem:
        return {"problem": str(problem)}
    return {
        "name": found.name,
        "version": found.version,
        "security_version": found.security_version,
        "abi": found.abi,
        "files": len(found.files),
    }


def _keys(text: bytes | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = keyset.parse(text)
    except UpdateError as problem:
        return {"problem": str(problem)}
    return {
        "version": found.version,
        "threshold": found.threshold,
        "keys": [keyset.key_id(one) for one in found.keys],
    }


def _settings(text: bytes | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        parse(text.decode())
        shown: dict[str, Any] = _without_secrets(json.loads(text))
    except (SettingsError, ValueError) as problem:
        return {"problem": str(problem)}
    return shown


def _without_secrets(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(inside, name) for name, inside in value.items()}
    if key in _SECRET:
        return "(set)" if value else ""
    if key == "ca":
        return "(a certificate)" if value else ""
    return value


def lines(found: dict[str, Any], prefix: str = "") -> list[str]:
    """The same for people: a line for each value, nested names joined by dots."""
    out = []
    for key, value in found.items():
        if isinstance(value, dict):
            out += lines(value, f"{prefix}{key}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else value
            out.append(f"{prefix + key:28} {'-' if text in (None, '') else text}")
    return out
