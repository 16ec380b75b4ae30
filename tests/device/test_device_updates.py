"""The whole application updates itself: an errand, the restart, the trial, the verdict and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from device_hub import DeviceHub, noise, talk, write_wav
from device_runs import interpreter_for
from minerva_tools.virtual import Interpreter, VirtualDevice
from minerva_tools.virtual_flash import Flash, trusting, virtual_release

from tests.fakes.ddi_server import TOKEN, DdiServer
from tests.fakes.ota_release import Release

pytestmark = [pytest.mark.mpy, pytest.mark.timeout(180)]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1")
SPEED = 30.0  # of the device's clock: half an hour of a trial in a minute


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "quiet.wav", noise(5, -70))


def release(folder: Path, version: str, changes: dict[str, bytes] | None = None, **more: Any) -> Release:
    """The application as it is, under another version."""
    made = virtual_release(folder / version, [KEY], version=version, changes=changes, **more)
    parts = (made.manifest.read_bytes(), made.signature.read_bytes(), made.bundle.read_bytes())
    return Release(*parts, files={})


def flash(folder: Path, **more: Any) -> Flash:
    made = virtual_release(folder / "first", [KEY], version="1.0.0", **more)
    return Flash(release=made, keyset=trusting([KEY]))


def device(hub: DeviceHub, server: DdiServer, wav: Path, folder: Path, interpreter: Interpreter, **more: Any):
    settings = hub.settings(token=TOKEN, ceiling="speech", update={"url": server.url})
    usual: dict[str, Any] = {"speed": SPEED, "full_scale_spl": 120, "loop": True}
    if "flash" not in more:
        more["flash"] = flash(folder)
    return VirtualDevice(settings, wav, interpreter=interpreter, **(usual | more))


def states(hub: DeviceHub) -> list[str]:
    """What the hub was told of the update, each state once."""
    told = [m["state"] for m in hub.of("update")]
    return [s for i, s in enumerate(told) if i == 0 or told[i - 1] != s]


async def test_a_release_is_installed_tried_and_kept(micropython, tmp_path: Path, wav: Path) -> None:
    async with DeviceHub(mode="speech") as hub, DdiServer() as server:
        hub.ack_health = True
        server.offer(release(tmp_path, "1.1.0"))
        async with device(hub, server, wav, tmp_path, micropython) as it:
            await hub.until(lambda: hub.hellos)
            await server.until(lambda: server.closed)
            assert server.closed == ("success", ["kept after its trial"])
            await hub.until(lambda: "kept" in states(hub))
            assert it.restarts == 1
    assert [(h["slot"], h["firmware"]["version"]) for h in hub.hellos] == [("a", "1.0.0"), ("b", "1.1.0")]
    assert server.sent < 20_000  # the files that did not change were there
    told = states(hub)
    assert told.index("downloading") < told.index("restarting") < told.index("trial") < told.index("kept")
    assert {h["slot"] for h in hub.of("health")} == {"a", "b"}


async def test_a_release_that_says_nothing_of_its_health_is_rolled_back(i386, tmp_path, wav) -> None:
    from minerva_tools.virtual import device_folder

    source = (device_folder() / "minerva" / "reports.py").read_bytes()
    bad = source.replace(b"self._outbox.post(self._health(", b"(self._health(")
    assert bad != source
    async with DeviceHub(mode="speech") as hub, DdiServer() as server:
        hub.ack_health = True
        server.offer(release(tmp_path, "1.1.0", {"minerva/reports.py": bad}))
        async with device(hub, server, wav, tmp_path, i386, speed=90.0) as it:
            await server.until(lambda: server.closed, 120)
            await hub.until(lambda: "rolled_back" in states(hub))
            assert it.restarts == 2
    finished, details = server.closed
    assert finished == "failure" and "health" in details[0]
    assert [h["slot"] for h in hub.hellos][-1] == "a"


async def test_nothing_begins_while_somebody_speaks_and_a_muted_device_is_updated(i386, tmp_path) -> None:
    wav = write_wav(tmp_path / "talk.wav", talk(20))
    async with DeviceHub(mode="speech") as hub, DdiServer() as server:
        hub.ack_health = True
        server.sleep = "00:00:30"
        server.offer(release(tmp_path, "1.1.0"))
        async with device(hub, server, wav, tmp_path, i386) as it:
            await hub.until(lambda: hub.packets)
            polls = lambda: [r for r in server.requests if r.path.endswith("kitchen")]  # noqa: E731
            await server.until(polls)
            began = hub.packets[-1][5]
            await hub.until(lambda: hub.packets[-1][5] - began > 120_000)  # two minutes of the device's
            assert not server.feedback
            await it.press_button()
            await server.until(lambda: server.feedback)
            await it.wait_for("update: restarting")
            # On trial the test of the microphone waits for the end of the mute.
            await it.wait_for("boot: slot b on trial")
            await hub.until(lambda: hub.hellos[-1]["slot"] == "b")
            assert hub.hellos[-1]["mute"] == "button"
            assert server.closed is None
            await it.press_button()
            await server.until(lambda: server.closed)
    assert server.closed == ("success", ["kept after its trial"])


async def test_the_hubs_word_brings_an_errand_at_once(i386, tmp_path: Path, wav: Path) -> None:
    async with DeviceHub(mode="speech") as hub, DdiServer() as server:
        hub.ack_health = True
        server.sleep = "24:00:00"
        async with device(hub, server, wav, tmp_path, i386) as it:
            await server.until(lambda: server.attributes)
            await hub.until(lambda: states(hub)[-1:] == ["idle"])
            server.offer(release(tmp_path, "1.1.0"))
            await hub.say(type="update", action="check")
            await it.wait_for("boot: slot b on trial")


async def test_without_psram_the_link_is_closed_while_it_talks(tmp_path: Path, wav: Path) -> None:
    """192 kB of heap for what a board has too, compiled: microphone, link and updater.

    What stands for the hardware comes on top: compiled it takes 14.5 kB, and a little more as source.
    """
    whole = interpreter_for("micropython-i386")
    command = (whole.command[0], "-X", f"heapsize={192 + 16}k")
    small = Interpreter(name="micropython", title=whole.title, command=command)
    async with DeviceHub(mode="speech") as hub, DdiServer() as server:
        hub.ack_health = True
        alone: list[bool] = []

        def twist(request: Any, reply: Any) -> Any:
            alone.append(hub.ws is None or hub.ws.closed)
            return reply

        server.twist = twist
        server.sleep = "00:00:30"
        more: dict[str, Any] = {"flash": flash(tmp_path, march="x86"), "boot_ms": (1 << 30) - 30_000}
        async with device(hub, server, wav, tmp_path, small, **more) as it:
            polls = lambda: sum(r.method == "GET" and r.path.endswith("kitchen") for r in server.requests)  # noqa: E731
            await server.until(lambda: polls() >= 4, 90)  # errands come and go
            assert it.restarts == 0, list(it.log)
            server.offer(release(tmp_path, "1.1.0", march="x86"))
            await server.until(lambda: server.closed, 90)
            assert server.closed == ("success", ["kept after its trial"]), list(it.log)
            asked = polls()
            await server.until(lambda: polls() >= asked + 2, 90)
            log = list(it.log)
    assert alone and all(alone)
    assert not [line for line in log if "memory" in line or "Error" in line], log
    print("heap free with the link:", sorted({h["heap_free"] for h in hub.of("health")})[:3])
