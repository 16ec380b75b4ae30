"""The wheel has in it what an installed demo needs; an editable installation would hide what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from minerva_hub.models import shipped

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "device/minerva": "minerva",
    "hub/minerva_hub": "minerva_hub",
    "tools/minerva_tools": "minerva_tools",
    "device/boards": "minerva_tools/device/boards",
}


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel that is built of a copy of the sources."""
    copy = tmp_path_factory.mktemp("sources")
    ignored = shutil.ignore_patterns("__pycache__", "typings", "*.egg-info")
    for folder in ("device", "hub", "tools", "models"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for file in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy)
    wheel = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*wheel, "--wheel-dir", copy / "out", copy], check=True, timeout=120)
    (path,) = (copy / "out").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize(("folder", "place"), PACKAGES.items())
def test_every_file_is_in_the_wheel(contents: set[str], folder: str, place: str) -> None:
    files = [
        path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert files
    assert [str(p) for p in files if f"{place}/{p.relative_to(ROOT / folder)}" not in contents] == []


def test_the_device_application_is_in_it_whole(contents: set[str]) -> None:
    into = "minerva_tools/device/"
    files = {str(p.relative_to(ROOT / "device")) for p in (ROOT / "device" / "minerva").rglob("*.py")}
    assert {into + file for file in files | {"boot.py", "main.py"}} <= contents


def test_the_list_of_models_is_in_it_and_where_the_hub_looks(contents: set[str]) -> None:
    assert "minerva_hub/models/shipped/models.toml" in contents
    assert shipped("models.toml") == ROOT / "models" / "models.toml"  # in a clone, the one that is edited
    assert {f"minerva_hub/models/shipped/{p.name}" for p in (ROOT / "models").glob("*.tflite")} <= contents
