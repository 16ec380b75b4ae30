"""The settings' fields as data: key, type, bounds, default and help, read from the structs of settings.py."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from minerva_hub.config.settings import HubConfig

PREFIX = "MINERVA_"


@dataclass(frozen=True)
class Setting:
    """One key of minerva.toml; `allowed` says in words which values it takes."""

    section: str
    name: str
    type: Any
    default: Any
    help: str
    allowed: str
    is_flag: bool

    @property
    def key(self) -> str:
        """As in messages: server.port."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """As in the environment: MINERVA_SERVER_PORT."""
        return f"{PREFIX}{self.section}_{self.name}".upper()

    @property
    def option(self) -> str:
        """As on the command line: --server-port."""
        return "--" + f"{self.section}-{self.name}".replace("_", "-")

    def convert(self, value: Any, *, folder: Path | None = None, from_text: bool = False) -> Any:
        """The value in the field's type; ValueError when it is not allowed.

        `from_text` reads numbers and booleans from strings; a relative path counts from `folder`.
        """
        try:
            converted = msgspec.convert(value, self.type, strict=not from_text, dec_hook=_path)
        except msgspec.ValidationError as exc:
            raise ValueError(f"allowed is {self.allowed}") from exc
        if isinstance(converted, float) and not math.isfinite(converted):  # bounds let NaN through
            raise ValueError(f"allowed is {self.allowed}")
        if isinstance(converted, Path):
            return (folder or Path()) / converted.expanduser()
        return converted


@cache
def settings() -> dict[str, Setting]:
    """All settings by key, in the structs' order."""
    return {setting.key: setting for setting in _settings()}


@cache
def sections() -> dict[str, type[msgspec.Struct]]:
    """The sections' structs by name."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(HubConfig)}


def _settings() -> Iterator[Setting]:
    for section, struct in sections().items():
        for field in msgspec.structs.fields(struct):
            info = inspect.type_info(field.type)
            schema: dict[str, Any] = {}
            if isinstance(info, inspect.Metadata):
                schema, info = info.extra_json_schema or {}, info.type
            factory = field.default_factory
            yield Setting(
                section=section,
                name=field.encode_name,
                type=field.type,
                default=field.default if factory is msgspec.NODEFAULT else factory(),
                help=schema.get("description", ""),
                allowed=_allowed(info),
                is_flag=isinstance(info, inspect.BoolType),
            )


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, (str, Path)) and str(value) and "\0" not in str(value):
        return Path(value)
    raise ValueError(f"{value!r} is not a {kind.__name__}")


def _allowed(info: inspect.Type) -> str:
    match info:
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values):
            *most, last = (f'"{value}"' for value in values)
            return f"{', '.join(most)} or {last}" if most else last
        case inspect.IntType() | inspect.FloatType():
            kind = "a whole number" if isinstance(info, inspect.IntType) else "a number"
            bounds = [
                f"{word} {bound:g}" if isinstance(bound, float) else f"{word} {bound}"
                for word, bound in (
                    ("above", info.gt),
                    ("from", info.ge),
                    ("to", info.le),
                    ("below", info.lt),
                )
                if bound is not None
            ]
            return f"{kind} {' and '.join(bounds)}".replace(" and to ", " to ").rstrip()
        case inspect.StrType(min_length, max_length):
            return "text" if max_length is None else f"text of {min_length or 0} to {max_length} characters"
        case inspect.CustomType(kind) if kind is Path:
            return "a path"
    raise TypeError(f"a setting of type {info} has no description here")
