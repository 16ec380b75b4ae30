"""What a device on USB says of itself, for people and programs; secrets are left out."""

from __future__ import annotations

import json
from typing import Any

from minerva import keyset, manifest
from minerva.errors import SettingsError, UpdateError
from minerva.settings import parse

from minerva_tools.usb.board import Board

_SECRET = ("token", "password")
_TRIAL = ("no", "from the next start on", "yes")


def gather(board: Board) -> dict[str, Any]:
    """Chip, MicroPython, slots and their releases, keys, settings: JSON values only."""
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
        "keys": _keys(facts.keys),
        "settings": _settings(board.read("settings.json")),
    }


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


def _keys(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = keyset.parse(text.encode())
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
