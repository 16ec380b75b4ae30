"""Fixtures for the tools' tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from minerva_tools import cli

Minerva = Callable[..., tuple[int, str, str]]


@pytest.fixture
def minerva(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Minerva:
    """Run the `minerva` command in an empty folder, in this process: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.setenv("MINERVA_STORE_PATH", str(tmp_path / "store"))
    monkeypatch.setenv("MINERVA_MODELS_PATH", str(tmp_path / "models"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["minerva", *arguments])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else 1
        out, err = capsys.readouterr()
        return code, out, err

    return run
