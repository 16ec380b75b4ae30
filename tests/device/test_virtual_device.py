"""The virtual board keeps the hardware's rules, and its process never outlives who started it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from device_hub import noise, write_wav
from device_runs import ON_DEVICE, run_script
from minerva_tools import virtual
from minerva_tools.virtual import (
    Interpreter,
    VirtualDevice,
    VirtualDeviceError,
    choose_interpreter,
    device_folder,
)

SETTINGS = {"device": "kitchen", "url": "ws://127.0.0.1:9/link", "token": "t"}

PARENT = """
import asyncio, sys
from pathlib import Path
from minerva_tools.virtual import VirtualDevice
async def main():
    device = VirtualDevice({settings!r}, Path({wav!r}))
    await device.start()
    await device.wait_for("nobody listens")
    print(device.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""

NOT_FED = """
import machine, time
dog = machine.WDT(timeout=50)
dog.feed()
time.sleep(0.2)
dog.feed()
print("fed too late, and nothing happened")
"""


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "quiet.wav", noise(5, -60))


async def test_it_ends_when_its_parent_is_killed(wav: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT.format(settings=SETTINGS, wav=str(wav)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 30))
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").is_file() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the device outlived its parent")


async def test_ctrl_c_is_for_who_started_it(interpreter: Interpreter, wav: Path) -> None:
    async with VirtualDevice(SETTINGS, wav, interpreter=interpreter) as device:
        await device.wait_for("nobody listens")
        assert device.pid is not None
        # Not in the group that a terminal interrupts, nor in its session.
        assert os.getpgid(device.pid) == device.pid == os.getsid(device.pid)
    assert device.returncode == 0
    assert not [line for line in device.log if "Traceback" in line or "KeyboardInterrupt" in line]


@pytest.mark.timeout(150)
async def test_ctrl_c_ends_the_demo_without_a_traceback(tmp_path: Path) -> None:
    demo = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("minerva")),
        "demo",
        cwd=tmp_path,
        env={**os.environ, "MINERVA_SERVER_PORT": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert demo.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(120):
            while b"and watch" not in said:
                line = await demo.stdout.readline()
                assert line, said.decode()
                said += line
            os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
            said += await demo.stdout.read()
            await demo.wait()
    finally:
        if demo.returncode is None:
            os.killpg(demo.pid, signal.SIGKILL)
            await demo.wait()
    assert demo.returncode == 0, said.decode()
    assert b"Traceback" not in said and b"KeyboardInterrupt" not in said, said.decode()


def test_what_was_heard_before_a_mute_does_not_leave_after_it(
    interpreter: Interpreter, tmp_path: Path, wav: Path
) -> None:
    chosen = {"version": 1, "board": "virtual", "ceiling": "events", **SETTINGS}
    for mute in ("hub", "mode", "button"):
        folder = tmp_path / mute
        folder.mkdir()
        (folder / "settings.json").write_text(json.dumps(chosen))
        script = ON_DEVICE / "mute_outbox.py"
        said = run_script(interpreter, script, mute, cwd=folder, MINERVA_MIC_WAV=str(wav))
        assert "not told" in said


def test_a_welcome_alone_makes_no_pause_short_again(
    interpreter: Interpreter, tmp_path: Path, wav: Path
) -> None:
    chosen = {"version": 1, "board": "virtual", **SETTINGS}
    (tmp_path / "settings.json").write_text(json.dumps(chosen))
    script = ON_DEVICE / "reconnect.py"
    said = run_script(interpreter, script, cwd=tmp_path, MINERVA_SPEED="1000", MINERVA_MIC_WAV=str(wav))
    assert "not enough" in said


async def test_a_watchdog_that_is_not_fed_resets(interpreter: Interpreter, tmp_path: Path) -> None:
    script = tmp_path / "not_fed.py"
    script.write_text(NOT_FED)
    process = await asyncio.create_subprocess_exec(
        *interpreter.command,
        str(script),
        env={
            **os.environ,
            **interpreter.environment([device_folder() / "boards" / "virtual_hw", device_folder()]),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 42
    assert b"watchdog" in said
    assert b"nothing happened" not in said


async def test_a_wav_that_is_not_there_ends_it_with_a_reason(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    async with VirtualDevice(SETTINGS, tmp_path / "none.wav", interpreter=interpreter) as device:
        await device.wait_for("none.wav" if interpreter.name == "cpython" else "ENOENT")


async def test_commands_to_a_device_that_is_off(wav: Path) -> None:
    device = VirtualDevice(SETTINGS, wav)
    with pytest.raises(VirtualDeviceError, match="it is off"):
        await device.press_button()
    await device.stop()


def test_no_micropython_is_said_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "find_micropython", lambda arch="native": None)
    with pytest.raises(VirtualDeviceError, match=r"get-micropython\.sh"):
        choose_interpreter("micropython")
    assert "no MicroPython here" in choose_interpreter("auto").title


def test_something_else_named_micropython_is_not_taken(tmp_path: Path) -> None:
    for script in ("#!/bin/sh\necho hello\n", "#!/bin/sh\nexit 1\n"):
        fake = tmp_path / "micropython"
        fake.write_text(script)
        fake.chmod(0o755)
        assert virtual._version(fake) is None
