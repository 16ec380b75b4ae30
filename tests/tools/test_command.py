"""The `minerva` command's frame: options from the settings, errors in one line, a quick start."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import minerva_hub.app
import pytest
import typer
from minerva_hub.config import HubConfig, load_config
from minerva_hub.config.fields import settings
from minerva_hub.errors import StoreFullError
from minerva_tools import cli
from rich.text import Text

Minerva = Callable[..., tuple[int, str, str]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[HubConfig]:
    """The settings with which `minerva hub` would have started the hub."""
    configs: list[HubConfig] = []
    monkeypatch.setattr(minerva_hub.app, "run", configs.append)
    return configs


def test_version(minerva: Minerva) -> None:
    assert minerva("--version") == (0, f"minerva {version('minerva-hub')}\n", "")


@pytest.mark.parametrize("command", ["hub", "demo", "device", "transcribe", "bench", "config"])
def test_every_command_explains_itself(minerva: Minerva, command: str) -> None:
    code, out, _ = minerva(command, "--help")
    assert code == 0 and f"minerva {command}" in out


def commands(command: Any, path: str = "minerva") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, f"{path} {name}")


def test_no_help_loses_what_stands_in_brackets() -> None:
    """Help is read as rich's markup, which eats `[server]` as a style unless the bracket is escaped."""
    found = list(commands(typer.main.get_command(cli.app)))
    assert "minerva device add" in dict(found)
    for path, command in found:
        for text in (command.help, *(getattr(parameter, "help", None) for parameter in command.params)):
            written = (text or "").replace("\\[", "[")
            assert Text.from_markup(text or "").plain == written, f"{path}: {text}"


@pytest.mark.parametrize("seed", ["-3", "many"])
def test_a_seed_that_cannot_be_is_refused_by_the_option(minerva: Minerva, tmp_path: Path, seed: str) -> None:
    (tmp_path / "script.txt").write_text("A: Good morning.\n")
    code, _, err = minerva("demo", "--once", "--script", "script.txt", "--seed", seed)
    assert code == 2 and "'--seed'" in err
    render = [sys.executable, "-m", "minerva_tools.render", "--script", "script.txt", "--out", "out"]
    done = subprocess.run([*render, "--seed", seed], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "'--seed'" in done.stderr and "Traceback" not in done.stderr


def test_help_does_not_load_the_hub() -> None:
    code = (
        "import sys\nsys.argv = ['minerva', '--help']\nfrom minerva_tools import cli\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "slow = {'numpy', 'aiohttp', 'av', 'onnxruntime', 'sqlite3', 'minerva_hub.app'} & set(sys.modules)\n"
        "sys.exit(', '.join(slow) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_hub_takes_every_setting_as_an_option(minerva: Minerva, started: list[HubConfig]) -> None:
    flags: list[str] = []
    for setting in settings().values():
        if setting.is_flag:
            flags.append(setting.option if setting.default else f"--no-{setting.option[2:]}")
        else:
            flags += [setting.option, str(setting.default)]
    assert minerva("hub", *flags)[0] == 0
    assert started == [load_config(None, {}, {})]


def test_a_settings_file_is_found_and_overridden(
    minerva: Minerva, started: list[HubConfig], tmp_path: Path
) -> None:
    (tmp_path / "minerva.toml").write_text("[server]\nport = 1111\n")
    (tmp_path / "other.toml").write_text("[server]\nport = 2222\n")
    for arguments in ([], ["--config", "other.toml"], ["--config", "other.toml", "--server-port", "3333"]):
        assert minerva("hub", *arguments)[0] == 0
    assert [config.server.port for config in started] == [1111, 2222, 3333]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--server-port", "eighty"], ["--server-port = 'eighty'", "a whole number from 0 to 65535"]),
        (["--config", "none.toml"], ["none.toml: cannot be read"]),
        (["--server-host", "0.0.0.0"], ["--server-host = '0.0.0.0'", "loopback"]),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(
    minerva: Minerva, started: list[HubConfig], arguments: list[str], words: list[str]
) -> None:
    code, out, err = minerva("hub", *arguments)
    assert (code, out, started) == (2, "", [])
    assert err.startswith("minerva: ") and err.count("\n") == 1
    assert all(word in err for word in words), err


def test_an_error_of_minervas_own_is_one_line_and_exit_1(
    minerva: Minerva, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(config: HubConfig) -> None:
        raise StoreFullError("the disk is full")

    monkeypatch.setattr(minerva_hub.app, "run", full)
    assert minerva("hub") == (1, "", "minerva: the disk is full\n")


def test_any_other_error_is_not_hidden(minerva: Minerva, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: HubConfig) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(minerva_hub.app, "run", broken)
    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        minerva("hub")


def test_config_prints_what_is_in_force_and_why(minerva: Minerva, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINERVA_TRANSCRIBE_BEAM", "5")
    code, out, _ = minerva("config", "--server-port", "99")
    document: dict[str, Any] = tomllib.loads(out)
    assert code == 0
    assert (document["server"]["port"], document["transcribe"]["beam"]) == (99, 5)
    assert "# set by MINERVA_TRANSCRIBE_BEAM\nbeam = 5\n" in out
    assert "# set by --server-port\nport = 99\n" in out
