"""`minerva rollout` and `minerva group` against a real hub, with a device that asks it over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from minerva_hub.app import serve
from minerva_hub.config import HubConfig, ServerConfig, StoreConfig
from minerva_hub.events import EngineInfo
from minerva_hub.transcribe import Hypothesis, Transcript
from minerva_tools.commands.rollout import _canary, _steps
from minerva_tools.rollouts.asking import chosen

from tests.fakes.ota_release import OWNER, keyset, make_release
from tests.tools.conftest import Minerva

ROOMS = ("attic", "cellar", "kitchen", "study")


class Silent:
    """An engine that is never asked."""

    info = EngineInfo(stage="transcribe", name="silent", state="ready", reason="test")

    def open(self) -> Silent:
        return self

    def transcribe(self, pcm: Any) -> Transcript:
        return Transcript("", (), "en")

    def hypothesis(self, pcm: Any) -> Hypothesis:
        return Hypothesis(())

    def close(self) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A hub in a thread of its own, which the commands find by $MINERVA_HUB."""
    started: Future[str] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        config = HubConfig(server=ServerConfig(port=0, tls=False), store=StoreConfig(path=tmp_path / "store"))
        try:
            async with serve(config, engine=Silent) as (_, where):
                started.set_result(where)
                await stop.wait()
        except BaseException as problem:
            if not started.done():
                started.set_exception(problem)
            raise

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        where = started.result(60)
        monkeypatch.setenv("MINERVA_HUB", where)
        yield where
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


class Device:
    """What a device asks and says, one request after the other."""

    def __init__(self, hub: str, id_: str, token: str) -> None:
        self._root, self._token = f"{hub}/default/controller/v1/{id_}", token

    def ask(self, url: str, body: object = None) -> Any:
        request = urllib.request.Request(
            url or self._root,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"TargetToken {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def links(self) -> dict[str, Any]:
        return dict(self.ask("")["_links"])

    def update(self, finished: str) -> None:
        base = self.links()["deploymentBase"]["href"]
        self.ask(base)
        self.ask(f"{base}/feedback", {"status": {"execution": "closed", "result": {"finished": finished}}})


@pytest.fixture
def devices(address: str, minerva: Minerva) -> dict[str, Device]:
    """Four registered devices that the running hub knows."""
    found = {}
    for room in ROOMS:
        code, out, err = minerva("device", "add", room, "--url", "ws://127.0.0.1:1/link")
        assert code == 0, err
        found[room] = Device(address, room, json.loads(out)["token"])
    until(lambda: len(rest(address, "/api/devices")["items"]) == len(ROOMS))
    return found


def rest(address: str, path: str) -> Any:
    with urllib.request.urlopen(address + path, timeout=20) as answer:
        return json.loads(answer.read())


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it did not come about within 30 s"
        time.sleep(0.05)


@pytest.fixture
def published(address: str, minerva: Minerva, tmp_path: Path) -> str:
    """A release on the hub: its number."""
    folder = tmp_path / "release"
    folder.mkdir()
    for name, data in make_release({"minerva/app.py": b"pass\n"}).artifacts().items():
        (folder / name).write_bytes(data)
    (tmp_path / "keys.json").write_bytes(keyset(OWNER))
    assert minerva("release", "trust", str(tmp_path / "keys.json"))[0] == 0
    code, out, err = minerva("release", "publish", str(folder))
    assert code == 0, err
    return out.strip()


def test_a_rollout_from_its_beginning_to_its_end(
    minerva: Minerva, devices: dict[str, Device], published: str
) -> None:
    assert minerva("group", "set", "lab", "attic", "cellar")[:2] == (0, "lab: attic, cellar\n")
    code, out, err = minerva("rollout", "start", "0.2.0", "--canary", "lab", "--steps", "75,100")
    assert code == 0, err
    assert out == ("rollout 1: 0.2.0 to all devices, running, stage 1 of 3: 2 waiting, 2 offered\n")
    code, out, _ = minerva("rollout", "pause", "1")
    assert code == 0 and "paused (the owner paused it)" in out
    assert "deploymentBase" not in devices["attic"].links()
    assert "running" in minerva("rollout", "resume", "1")[1]
    for room in ("attic", "cellar"):
        devices[room].update("success")
    waiting = [room for room in ("kitchen", "study") if "deploymentBase" in devices[room].links()]
    assert len(waiting) == 1
    devices[waiting[0]].update("success")
    (last,) = {"kitchen", "study"} - set(waiting)
    devices[last].update("success")
    code, out, _ = minerva("rollout", "watch", "1")
    assert code == 0 and "finished, stage 3 of 3: 4 updated" in out
    code, out, _ = minerva("rollout", "show", "1")
    assert code == 0 and [room for room in ROOMS if room in out] == list(ROOMS)
    shown = json.loads(minerva("rollout", "show", "1", "--json")[1])
    assert {one["state"] for one in shown["devices"]} == {"success"}
    assert json.loads(minerva("rollout", "list", "--json")[1])[0]["release"] == int(published)
    assert json.loads(minerva("group", "list", "--json")[1]) == [
        {"name": "lab", "devices": ["attic", "cellar"]}
    ]
    assert minerva("group", "remove", "lab")[0] == 0 and "No groups yet" in minerva("group", "list")[1]


def test_a_failing_release_stops_and_watch_says_so(
    minerva: Minerva, devices: dict[str, Device], published: str
) -> None:
    assert minerva("rollout", "start", published, "--device", "study", "--device", "attic")[0] == 0
    canary = next(room for room in ("study", "attic") if "deploymentBase" in devices[room].links())
    devices[canary].update("failure")
    code, out, _ = minerva("rollout", "watch", "1")
    assert code == 1 and "stopped (too many devices failed)" in out
    code, _, err = minerva("rollout", "stop", "1")
    assert code == 1 and "rollout 1 is stopped" in err


def test_what_cannot_be(minerva: Minerva, devices: dict[str, Device], published: str) -> None:
    for arguments, says in [
        (("rollout", "start", "9.9.9"), "the hub has no release '9.9.9'; it has 1 (0.2.0)"),
        (("rollout", "start", published, "--group", "none"), "there is no group 'none'"),
        (("rollout", "start", published, "--device", "ghost"), "there is no device 'ghost'"),
        (("rollout", "start", published, "--canary", "nobody"), "there is no group 'nobody'"),
        (("rollout", "start", published, "--steps", "50"), "do not rise to 100"),
        (("rollout", "start", published, "--steps", "all"), "shares in percent"),
        (("rollout", "start", published, "--canary", "0"), "at least one device"),
        (("rollout", "show", "7"), "there is no rollout 7"),
        (("group", "set", "../x", "study"), "a-z, 0-9 and hyphens"),
    ]:
        code, out, err = minerva(*arguments)
        assert (code, out) == (1, "") and says in err, err
        assert err.count("\n") == 1


def test_no_hub_listens(minerva: Minerva) -> None:
    for arguments in (("rollout", "list"), ("group", "list")):
        code, out, err = minerva(*arguments, "--hub", "http://127.0.0.1:9")
        assert (code, out) == (1, "") and "is it running? minerva hub" in err


def test_options_as_the_plan_has_them() -> None:
    assert _canary("3") == {"canary_count": 3}
    assert _canary("25%") == {"canary_percent": 25}
    assert _canary("lab") == {"canary_group": "lab"}
    assert _steps("25, 50%,100") == [25, 50, 100]
    with pytest.raises(Exception, match="has no release '1'; it has none yet"):
        chosen((), "1")
