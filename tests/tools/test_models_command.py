"""`minerva models`: list, pull, verify and remove, from a server on this machine."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from minerva_hub.models import listing

from tests.fakes.file_server import FileServer, file_server
from tests.fakes.model_list import listed, table

Minerva = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A file server in a thread of its own: the command runs an event loop in this one."""
    ready, stop = threading.Event(), threading.Event()
    box: list[FileServer] = []

    async def serve() -> None:
        async with file_server() as running:
            box.append(running)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield box[0]
    stop.set()
    thread.join()


@pytest.fixture
def models(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of one model that can be pulled, and the real one that cannot."""
    text = table("net", f"{server.url}/r", 'name = "net.tflite"')
    both = (*listing.read(text), listing.find_model("pyannote-community-1"))
    monkeypatch.setattr(listing, "catalogue", lambda: both)


def state(minerva: Minerva) -> dict[str, str]:
    return {one["name"]: one["state"] for one in json.loads(minerva("models", "list", "--json")[1])}


@pytest.mark.usefixtures("models")
def test_a_models_life(minerva: Minerva, server: FileServer, tmp_path: Path) -> None:
    server.put("/r/resolve/main/net.tflite", b"network")
    assert state(minerva) == {"net": "absent", "pyannote-community-1": "absent"}
    code, _, err = minerva("models", "pull", "net")
    assert code == 0
    assert f"net: MIT, about 1 MB from {server.url}/r" in err
    assert "upstream states no hash for 1 of 1 files, so theirs are recorded" in err
    assert (tmp_path / "models" / "net" / "net.tflite").read_bytes() == b"network"
    asked = len(server.asked)
    code, out, _ = minerva("models", "list")
    assert code == 0 and "sounds" in out and "yes" in out
    assert minerva("models", "verify") == (0, "", "net: good\n")
    assert len(server.asked) == asked  # all of this is offline

    (tmp_path / "models" / "net" / "net.tflite").write_bytes(b"NETWORK")
    wrong = "net: net.tflite has another hash than was recorded\n"
    assert minerva("models", "verify", "net") == (1, "", wrong)
    assert state(minerva)["net"] == "damaged"
    assert minerva("models", "pull", "net")[0] == 0
    assert state(minerva)["net"] == "ready"
    assert minerva("models", "remove", "net") == (0, "", "net: removed\n")
    assert minerva("models", "remove", "net", "--forget") == (0, "", "net: was not here\n")
    assert "there are no models in" in minerva("models", "verify")[2]


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("pull", "nett"), "there is no model 'nett' (did you mean net?); `minerva models list` shows them"),
        (("pull", "net", "pyannote-community-1"), "asks for an account and your consent to its conditions"),
        (("pull", "net"), "127.0.0.1 has no /r/resolve/main/net.tflite any more (HTTP 404)"),
        (("verify", "net"), "the model net is not on this disk: minerva models pull net"),
        (("remove", "nett"), "did you mean net?"),
    ],
)
def test_what_cannot_be_done_is_one_line(minerva: Minerva, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = minerva("models", *arguments)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("minerva: ") and says in err


def test_offline_a_pull_is_one_clear_sentence(minerva: Minerva, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, table("net", "https://127.0.0.1:1/r", 'name = "net.tflite"'))
    code, _, err = minerva("models", "pull", "net")
    assert code == 1
    assert err.splitlines()[-1] == "minerva: 127.0.0.1 cannot be reached; is this computer on the internet?"
