"""What the documents say is so: commands run as written, links lead somewhere, settings are all there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest
from minerva_hub.config import to_toml
from minerva_tools.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "firmware_rs/*.md", "models/**/*.md")
    for path in ROOT.glob(pattern)
)
PLAYED = 'make demo ARGS="--once --json"'
# They would run this very test, take minutes, or change the working tree: make says what it would do.
DRY = ("make test", "make lint", "make format", "make picture")


def commands(text: str) -> list[str]:
    """The lines of all blocks of shell commands."""
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


ALL = list(dict.fromkeys(commands(README) + commands(CONTRIBUTING)))


def test_make_bench_builds_the_module_that_it_measures() -> None:
    if shutil.which("make") is None:
        pytest.skip("no make here")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", "bench"], cwd=ROOT, env=kept, capture_output=True, text=True, timeout=60, check=True
    )
    assert -1 < done.stdout.find("build-native.sh") < done.stdout.find("minerva bench")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A newcomer's: a home of their own, and nothing of the `make` that may have started the tests."""
    if Path(sys.prefix) != ROOT / ".venv":
        pytest.skip("not run in the .venv that make makes: the commands in the documents are NOT run")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "MFLAGS", "MINERVA_"))
    }
    return kept | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def run(command: str, environment: dict[str, str], timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


@pytest.mark.parametrize("command", [c for c in ALL if c not in ("make demo", PLAYED)])
def test_a_command_works_as_written(command: str, environment: dict[str, str]) -> None:
    if "make_demo_audio" in command and shutil.which("flite") is None:
        pytest.skip("flite is not installed")
    dry = command.startswith(DRY)
    done = run(command.replace("make ", "make -n ", 1) if dry else command, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() or "--check" in command


def test_the_commands_of_the_readme_follow_each_other(environment: dict[str, str]) -> None:
    added, listed = (command for command in commands(README) if "minerva device" in command)
    settings = json.loads(run(added, environment).stdout)
    assert settings["device"] == "kitchen" and settings["token"]
    assert "Kitchen" in run(listed, environment).stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_played_once_prints_one_json_object(environment: dict[str, str]) -> None:
    assert PLAYED in ALL
    done = run(PLAYED, environment, timeout_s=280)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {"utterances", "engines", "wer", "der"} <= set(result)
    pairs = {(said["device"], said["speaker"]) for said in result["utterances"]}
    assert {device for device, _ in pairs} == {"kitchen", "study"}
    assert {"text", "speaker", "device", "start_s", "end_s"} <= set(result["utterances"][0])


@pytest.mark.slow
def test_the_demo_prints_an_address_and_ends_with_ctrl_c(environment: dict[str, str]) -> None:
    assert "make demo" in ALL
    process = subprocess.Popen(
        ["make", "demo"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        address = next(
            found[1] for line in process.stdout if (found := re.match(r"Open (http://\S+) and watch", line))
        )
        with urllib.request.urlopen(address, timeout=10) as page:
            assert b"<title>" in page.read()
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    with pytest.raises(OSError):
        urllib.request.urlopen(address, timeout=2)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://")):
            assert (path.parent / target.partition("#")[0]).exists(), f"{path.name}: {target}"


def test_every_file_that_the_documents_name_exists() -> None:
    tops = [entry.name for entry in ROOT.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    pattern = re.compile(rf"`((?:{'|'.join(tops)})/[\w./-]*\w\.(?:py|sh|md|toml|json|png))`")
    named = {(path.name, name) for path in DOCUMENTS for name in pattern.findall(path.read_text())}
    assert named
    assert [found for found in sorted(named) if not (ROOT / found[1]).exists()] == []


def test_every_test_that_the_documents_name_exists() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for path in DOCUMENTS:
        for name in re.findall(r"`(test_\w+)`", path.read_text()):
            assert f"def {name}(" in code, f"{path.name}: {name}"


def test_the_map_has_every_folder() -> None:
    section = README.partition("## The folders")[2].partition("\n[")[0]
    shown = re.findall(r"^\| `([^`]+)/` \|", section, re.MULTILINE)
    try:
        files = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a clone: its folders are not known")
    assert shown == sorted({file.partition("/")[0] for file in files if "/" in file})


def test_the_settings_are_those_there_are() -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    there_are = tomllib.loads(to_toml())
    assert tomllib.loads(shown) == there_are
    assert re.findall(r"^\w+", shown, re.MULTILINE) == [key for part in there_are.values() for key in part]


def test_the_commands_are_those_there_are() -> None:
    shown = re.findall(r"^\| `minerva (\w+)", README, re.MULTILINE)
    names = [command.name for command in app.registered_commands] + [g.name for g in app.registered_groups]
    assert sorted(shown) == sorted(str(name) for name in names)


def test_the_picture_is_small() -> None:
    picture = (ROOT / "docs" / "images" / "live.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) < 300_000


def test_decisions_are_numbered_and_have_all_parts() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(len(records)))
    for path in records[1:]:
        parts = re.findall(r"^## (.*)$", path.read_text(), re.MULTILINE)
        assert parts == ["Context", "Decision", "Evidence", "Consequences"], path.name
        assert path.read_text().startswith(f"# {path.name[:4]}: ")
