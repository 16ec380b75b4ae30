"""Settings written as a documented minerva.toml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from minerva_hub.config.fields import sections, settings
from minerva_hub.config.settings import HubConfig

_NONE: Mapping[str, str] = MappingProxyType({})


def to_toml(config: HubConfig | None = None, origins: Mapping[str, str] = _NONE) -> str:
    """`config` (None: the defaults) as minerva.toml, each key with help, bounds, and its origin if any."""
    lines = [
        "# Minerva's settings. A key that is missing has the value shown here. An environment variable such",
        "# as MINERVA_SERVER_PORT overrides this file, a flag such as --server-port overrides both.",
    ]
    config = config or HubConfig()
    for name, struct in sections().items():
        summary = (struct.__doc__ or "").strip().partition(": ")[2]
        lines += ["", f"# {summary[:1].upper()}{summary[1:]}", f"[{name}]"]
        for setting in (s for s in settings().values() if s.section == name):
            lines.append(f"# {setting.help}: {setting.allowed}")
            if setting.key in origins:
                lines.append(f"# set by {origins[setting.key]}")
            lines.append(f"{setting.name} = {_literal(getattr(getattr(config, name), setting.name))}")
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    """A TOML literal: TOML's booleans, numbers and basic strings are JSON's."""
    if isinstance(value, Path):
        home = Path.home()
        value = f"~/{value.relative_to(home)}" if value.is_relative_to(home) else str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
