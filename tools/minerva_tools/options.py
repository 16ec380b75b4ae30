"""Command-line options made from the settings' structs, so that no command repeats them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from minerva_hub.config.fields import Setting, settings
from minerva_hub.config.loader import REMOVED, Loaded, find_file, load

_Command = Callable[..., None]
_Option = inspect.Parameter.KEYWORD_ONLY


def with_settings(*sections: str) -> Callable[[_Command], _Command]:
    """Give a command an option for each setting of `sections` (none: all), and --config.

    The command's own parameter `loaded` gets the settings of file, environment and these options.
    """
    removed = {key.replace(".", "_"): key for key in REMOVED}  # told what to do instead, in no help
    chosen = {_parameter(s): s for s in settings().values() if not sections or s.section in sections}

    def decorate(command: _Command) -> _Command:
        own = inspect.signature(command, eval_str=True)

        def run(*args: Any, **given: Any) -> None:
            path: Path | None = given.pop("config_file")
            flags = {setting.key: given.pop(name) for name, setting in chosen.items()}
            flags |= {key: given.pop(name) or None for name, key in removed.items()}
            loaded = load(path or find_file(os.environ), os.environ, flags)
            command(*args, **given, loaded=loaded)

        parameters = [p for p in own.parameters.values() if p.name != "loaded"]
        parameters += [_config_file(), *(_option(name, setting) for name, setting in chosen.items())]
        parameters += [_gone(name) for name in removed]
        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def _parameter(setting: Setting) -> str:
    return f"{setting.section}_{setting.name}"


def _config_file() -> inspect.Parameter:
    text = "Settings file; else MINERVA_CONFIG, ./minerva.toml or ~/.config/minerva/minerva.toml."
    option = typer.Option("--config", help=text, metavar="FILE", show_default=False)
    return inspect.Parameter("config_file", _Option, default=None, annotation=Annotated[Path | None, option])


def _option(name: str, setting: Setting) -> inspect.Parameter:
    """Values stay text here: the loader reads and checks them, as it does for the other sources."""
    names, default = setting.option, str(setting.default)
    if setting.is_flag:
        names, default = f"{names}/--no-{names[2:]}", default.lower()
    option = typer.Option(
        names,
        metavar=None if setting.is_flag else _metavar(setting),
        help=f"{setting.help[:1].upper()}{setting.help[1:]}.",
        show_default=default,
        rich_help_panel=f"Settings: {setting.section}",
    )
    kind = bool | None if setting.is_flag else str | None
    return inspect.Parameter(name, _Option, default=None, annotation=Annotated[kind, option])


def _gone(name: str) -> inspect.Parameter:
    option = typer.Option(f"--{name.replace('_', '-')}", hidden=True)
    return inspect.Parameter(name, _Option, default=False, annotation=Annotated[bool, option])


def _metavar(setting: Setting) -> str:
    if '"' in setting.allowed:
        return "|".join(setting.allowed.split('"')[1::2])
    return {"a whole": "INT", "a number": "NUMBER", "a path": "FOLDER"}.get(
        " ".join(setting.allowed.split()[:2]), "TEXT"
    )


__all__ = ["Loaded", "with_settings"]
