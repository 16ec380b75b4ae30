"""A virtual device that boots from slots, as a board does, and leaves a release that does not start."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from device_hub import noise, write_wav
from device_runs import ON_DEVICE, interpreter_for
from minerva_tools.virtual import Interpreter, VirtualDevice, VirtualDeviceError, choose_interpreter
from minerva_tools.virtual_flash import Flash, bootslot, trusting, virtual_release

pytestmark = pytest.mark.mpy

SETTINGS = {"device": "kitchen", "url": "ws://127.0.0.1:9/link", "token": "t"}
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "quiet.wav", noise(5, -60))


@pytest.fixture(params=["micropython-native", "micropython-i386"])
def micropython(request: pytest.FixtureRequest) -> Interpreter:
    return interpreter_for(request.param)


@pytest.fixture
def flash(tmp_path: Path) -> Flash:
    return Flash(release=virtual_release(tmp_path / "one", [KEY], version="1.0.1"), keyset=trusting([KEY]))


def install(interpreter: Interpreter, folder: Path, release: Path) -> str:
    done = subprocess.run(
        [*interpreter.command, str(ON_DEVICE / "install_release.py"), str(release)],
        env=interpreter.environment([folder / "a", folder]),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_it_boots_its_slot_and_leaves_a_release_that_does_not_start(
    micropython: Interpreter, flash: Flash, tmp_path: Path, wav: Path
) -> None:
    folder = tmp_path / "flash"
    folder.mkdir()
    async with VirtualDevice(SETTINGS, wav, interpreter=micropython, folder=folder, flash=flash) as device:
        await device.wait_for("boot: slot a")
        await device.wait_for("nobody listens")
    assert b'"1.0.1"' in (folder / "a/minerva/__init__.py").read_bytes()

    broken = b"raise ValueError('does not start')\n"
    release = virtual_release(tmp_path / "two", [KEY], version="1.0.2", changes={"minerva/app.py": broken})
    said = install(micropython, folder, release.folder)
    assert f"fetched {len(broken) + (folder / 'a/minerva/__init__.py').stat().st_size}" in said
    async with VirtualDevice(SETTINGS, wav, interpreter=micropython, folder=folder, flash=flash) as device:
        await device.wait_for("nobody listens", timeout_s=60)
        said = "\n".join(device.log)
        assert device.restarts == 3
    for turn in (1, 2, 3):
        assert f"boot: slot b on trial, turn {turn}\n" in said
    assert said.count("ValueError: does not start") == 3
    assert said.index("turn 3") < said.index("boot: slot a")
    record = bootslot().load(str(folder))[1]
    assert (record.active, record.turns, record.action) == (0, 3, 7)


async def test_no_whole_slot_waits_for_usb(flash: Flash, tmp_path: Path, wav: Path) -> None:
    micropython = interpreter_for("micropython-native")
    folder = tmp_path / "flash"
    folder.mkdir()
    flash.lay_out(folder)
    (folder / "a/minerva/app.py").write_text("print('changed')\n")
    async with VirtualDevice(SETTINGS, wav, interpreter=micropython, folder=folder, flash=flash) as device:
        await device.wait_for("slot a is passed over: minerva/app.py is not as its manifest says")
        await device.wait_for("no slot can be run")
        assert await device.wait() == 0
    assert "changed" not in device.log


async def test_only_micropython_has_slots(flash: Flash, wav: Path) -> None:
    device = VirtualDevice(SETTINGS, wav, interpreter=choose_interpreter("cpython"), flash=flash)
    with pytest.raises(VirtualDeviceError, match="needs MicroPython"):
        await device.start()
    await device.stop()
