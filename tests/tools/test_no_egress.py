"""Nothing goes out but downloads of models that the owner starts: one client, which only they reach."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np

HUB = Path(__file__).parents[2] / "hub" / "minerva_hub"
DOWNLOAD = "minerva_hub.download"
STARTED_BY = {"app.py", "web/faces.py", "web/server.py"}  # hand it to the routes of the owner's buttons
CLIENTS = (
    "aiohttp.client",
    "urllib.request",
    "http.client",
    "requests",
    "httpx",
    "huggingface_hub",
    "ftplib",
    "smtplib",
)
CALLS = {
    "ClientSession",
    "TCPConnector",
    "open_connection",
    "create_connection",
    "create_datagram_endpoint",
    "urlopen",
    "snapshot_download",
    "download_model",
}

WATCHED = """
import sys
went = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        went.append(f"{event} {args[1:] if event.startswith('socket.c') else args}")
sys.addaudithook(watch)
sys.argv = ["minerva", *sys.argv[1:]]
from minerva_tools.cli import main
try:
    main()
finally:
    print("went:", went, file=sys.stderr)
"""


def imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def test_the_only_client_is_the_downloads() -> None:
    found: dict[str, set[str]] = {}
    for path in HUB.rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        names += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        clients = {name for name in imports(tree) if name.startswith(CLIENTS)} | (CALLS & set(names))
        if clients:
            found[str(path.relative_to(HUB))] = clients
    assert found == {"download/fetch.py": {"ClientSession"}}


def test_only_the_owners_buttons_start_a_download() -> None:
    """No engine, no stage and nothing that the hub does by itself knows the client."""
    knowing = {
        str(path.relative_to(HUB))
        for path in HUB.rglob("*.py")
        if path.parent.name != "download"
        and any(name.startswith(DOWNLOAD) for name in imports(ast.parse(path.read_text())))
    }
    assert knowing == STARTED_BY


def test_writing_down_a_file_asks_nobody(tmp_path: Path, speech: np.ndarray) -> None:
    with wave.open(str(tmp_path / "said.wav"), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(speech.tobytes())
    home = tmp_path / "home"
    home.mkdir()
    # Only this: libraries keep still about their use where they see that tests run.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, "transcribe", str(tmp_path / "said.wav")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=120,
    )
    assert "Speaker A: " in done.stdout
    assert done.stderr.strip().splitlines()[-1] == "went: []"
    # Native code is not seen by the watch above. onnxruntime keeps what it will report, and an id of its own
    # making, in the home before it sends anything.
    assert list(home.rglob("*")) == []
