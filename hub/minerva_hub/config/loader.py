"""Fills the settings: minerva.toml, over it the environment, over that the command's flags.

Whatever does not fit is a ConfigError that names its source, the key, the value and what is allowed.
"""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from minerva_hub.config.addresses import allowed_networks
from minerva_hub.config.fields import PREFIX, Setting, sections, settings
from minerva_hub.config.languages import check_language, language_list, vocabulary_by_language
from minerva_hub.config.settings import CfVoiceConfig, HubConfig
from minerva_hub.errors import ConfigError

FILE_NAME = "minerva.toml"
FILE_VARIABLE = "MINERVA_CONFIG"
# Settings of earlier versions, and what to do instead.
REMOVED: Mapping[str, str] = MappingProxyType(
    {
        "server.insecure_lan": "the network is served by TLS now (server.tls, on unless switched off), plain "
        "HTTP on loopback only; take this key out, and server.host unless it is a loopback address"
    }
)
MAX_FILE_BYTES = 1 << 20  # a settings file has some 4 kB; this is another file


@dataclass(frozen=True)
class Loaded:
    """The settings, and for each key that is not at its default where it came from."""

    config: HubConfig
    origins: Mapping[str, str]


def load_config(path: Path | None, env: Mapping[str, str], flags: Mapping[str, Any]) -> HubConfig:
    """Settings from a file (None: none), variables MINERVA_SECTION_FIELD, and flags.

    `flags` maps "section.field" to a value, None meaning that it was not given. Raises ConfigError.
    """
    return load(path, env, flags).config


def load(path: Path | None, env: Mapping[str, str], flags: Mapping[str, Any]) -> Loaded:
    """As load_config, with the origin of each value."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}

    def take(setting: Setting, value: Any, origin: str, folder: Path | None, *, from_text: bool) -> None:
        try:
            values[setting.key] = setting.convert(value, folder=folder, from_text=from_text)
        except ValueError as exc:
            raise ConfigError(f"{origin} = {value!r}: {exc}") from exc
        origins[setting.key] = origin

    for setting, value in _from_file(path) if path else ():
        take(setting, value, f"{path}: {setting.key}", path.parent if path else None, from_text=False)
    for setting, value in _from_environment(env):
        take(setting, value, setting.variable, None, from_text=True)
    for setting, value in _from_flags(flags):
        take(setting, value, setting.option, None, from_text=True)

    parts: dict[str, dict[str, Any]] = {name: {} for name in sections()}
    for key, value in values.items():
        parts[settings()[key].section][settings()[key].name] = value
    filled: dict[str, Any] = {name: struct(**parts[name]) for name, struct in sections().items()}
    config = HubConfig(**filled)
    _check(config, origins)
    return Loaded(config, origins)


def find_file(env: Mapping[str, str]) -> Path | None:
    """Where none was named: MINERVA_CONFIG's, ./minerva.toml, or ~/.config/minerva/minerva.toml."""
    if env.get(FILE_VARIABLE):
        return Path(env[FILE_VARIABLE]).expanduser()
    home = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    candidates = (Path(FILE_NAME), home / "minerva" / FILE_NAME)
    return next((path for path in candidates if path.is_file()), None)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_file(path: Path) -> Iterable[tuple[Setting, Any]]:
    for section, table in _read(path).items():
        if section not in sections():
            raise ConfigError(
                f"{path}: unknown section [{section}]{_meant(section, sections())}; "
                f"there are {', '.join(f'[{name}]' for name in sections())}"
            )
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {section} = {table!r}: allowed is a section, [{section}]")
        for name, value in table.items():
            setting = settings().get(f"{section}.{name}")
            if f"{section}.{name}" in REMOVED:
                raise ConfigError(f"{path}: {section}.{name} is gone: {REMOVED[f'{section}.{name}']}")
            if setting is None:
                known = [s.name for s in settings().values() if s.section == section]
                raise ConfigError(
                    f"{path}: unknown key {section}.{name}{_meant(name, known)}; "
                    f"[{section}] has {', '.join(known)}"
                )
            yield setting, value


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise ConfigError(f"{path} has more than {MAX_FILE_BYTES} bytes: that is no settings file")
        return tomllib.loads(raw.decode())
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not UTF-8 text: {exc.reason} at byte {exc.start}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: not TOML: {exc}") from exc


def _from_environment(env: Mapping[str, str]) -> Iterable[tuple[Setting, str]]:
    known = {setting.variable: setting for setting in settings().values()}
    removed = {f"{PREFIX}{key.replace('.', '_')}".upper(): text for key, text in REMOVED.items()}
    mine = tuple(f"{PREFIX}{section}_".upper() for section in sections())
    for name, value in env.items():
        if name in known:
            yield known[name], value
        elif name in removed:
            raise ConfigError(f"variable {name} is gone: {removed[name]}")
        elif name.startswith(PREFIX) and name != FILE_VARIABLE:
            meant = _meant(name, known, cutoff=0.85)  # other programs may have a MINERVA_ of their own
            if meant or name.startswith(mine):
                raise ConfigError(f"unknown variable {name}{meant}; `minerva config` lists the settings")


def _from_flags(flags: Mapping[str, Any]) -> Iterable[tuple[Setting, Any]]:
    for key, value in flags.items():
        if key in REMOVED and value is None:
            continue
        if key in REMOVED:
            raise ConfigError(f"--{key.replace('.', '-').replace('_', '-')} is gone: {REMOVED[key]}")
        if key not in settings():
            raise ConfigError(f"unknown setting {key}{_meant(key, settings())}")
        if value is not None:
            yield settings()[key], value


def _meant(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f" (did you mean {close[0]}?)" if close else ""


_WORDS: dict[str, Callable[[str], object]] = {
    "language": lambda code: code == "auto" or check_language(code),
    "languages": language_list,
    "vocabulary": vocabulary_by_language,
}


def _check(config: HubConfig, origins: Mapping[str, str]) -> None:
    """The rules that join two settings."""
    server, segment, words = config.server, config.segment, config.transcribe
    if not is_loopback(server.host):
        raise ConfigError(
            f"{origins['server.host']} = {server.host!r}: allowed is a loopback address, as plain HTTP is "
            "for this machine only. The network is served by TLS: server.tls, server.tls_host and _port"
        )
    if segment.release > segment.threshold:
        origin = origins.get("segment.release") or origins["segment.threshold"]
        raise ConfigError(
            f"{origin}: segment.release ({segment.release:g}) is above segment.threshold "
            f"({segment.threshold:g}): speech would end before it began"
        )
    if words.pace_min_s > words.pace_max_s:
        origin = origins.get("transcribe.pace_min_s") or origins["transcribe.pace_max_s"]
        raise ConfigError(
            f"{origin}: transcribe.pace_min_s ({words.pace_min_s:g}) is above transcribe.pace_max_s "
            f"({words.pace_max_s:g})"
        )
    if words.languages.strip() and words.language != "auto":
        raise ConfigError(
            f"{origins['transcribe.languages']} = {words.languages!r}: it chooses among several, but "
            f"transcribe.language is {words.language!r}; set that to auto, or take this key out"
        )
    for key, check in _WORDS.items():
        value = getattr(words, key)
        try:
            check(value)
        except ValueError as problem:
            raise ConfigError(f"{origins[f'transcribe.{key}']} = {value!r}: {problem}") from None
    _check_cf_voice(config.cf_voice, origins)


def _check_cf_voice(voice: CfVoiceConfig, origins: Mapping[str, str]) -> None:
    try:
        allowed = allowed_networks(voice.allow)
    except ValueError as problem:
        raise ConfigError(f"{origins['cf_voice.allow']}: {problem}") from None
    try:
        loopback = ipaddress.ip_address(voice.host).is_loopback
    except ValueError:
        raise ConfigError(
            f"{origins['cf_voice.host']} = {voice.host!r}: allowed is an address, as 127.0.0.1 or 192.168.1.5"
        ) from None
    if not loopback and not allowed:
        raise ConfigError(
            f"{origins['cf_voice.host']} = {voice.host!r}: this port knows no password, so beyond "
            "loopback it needs a list of who may come in: cf_voice.allow, as 192.168.1.20 192.168.1.0/24"
        )
