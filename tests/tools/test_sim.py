"""minerva-sim: what it is given, hubs that are none, its button and its end, and words at a real hub."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from minerva import wire
from minerva_hub.app import serve
from minerva_tools import demo
from minerva_tools.demo import write_wav
from minerva_tools.sim import ROOT, SimUnavailableError, sim_program
from minerva_tools.virtual import Interpreter, VirtualDevice, VirtualDeviceError, choose_interpreter

from tests.device.device_hub import DeviceHub, noise, talk
from tests.system.rig import device_settings, hub_config, kitchen_wav, register, until

Settings = dict[str, object]
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SETTINGS: Settings = {
    "version": 1,
    "board": "virtual",
    "device": "kitchen",
    "url": "ws://127.0.0.1:9/link",
    "token": "t",
}


@pytest.fixture(scope="module")
def sim() -> Interpreter:
    try:
        return choose_interpreter("rust")
    except VirtualDeviceError as reason:
        pytest.skip(f"{reason}: minerva-sim is NOT tested")


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "quiet.wav"
    write_wav(path, noise(5, -60))
    return path


def refusal(sim: Interpreter, *arguments: str, cwd: Path) -> str:
    """What minerva-sim says when it refuses to start; standard input never ends it first."""
    read, write = os.pipe()
    try:
        done = subprocess.run(
            [*sim.command, *arguments], cwd=cwd, stdin=read, capture_output=True, text=True, timeout=30
        )
    finally:
        os.close(read)
        os.close(write)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    return done.stderr


# --- what it is given ---------------------------------------------------------------------------------------


def recording(
    path: Path, *, channels: int = 1, rate: int = 16_000, width: int = 2, samples: int = 1000
) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setframerate(rate)
        out.setsampwidth(width)
        out.writeframes(bytes(channels * width * samples))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"channels": 2}, "2 channels, 16000 Hz, 16 bits; wanted 1, 16000, 16"),
        ({"rate": 44_100}, "1 channels, 44100 Hz, 16 bits; wanted 1, 16000, 16"),
        ({"width": 1}, "1 channels, 16000 Hz, 8 bits; wanted 1, 16000, 16"),
        ({"width": 4}, "1 channels, 16000 Hz, 32 bits; wanted 1, 16000, 16"),
        ({"samples": 0}, "0 samples; wanted 1 to"),
    ],
)
def test_a_recording_of_another_format_is_refused(
    sim: Interpreter, tmp_path: Path, how: dict[str, int], said: str
) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    recording(tmp_path / "other.wav", **how)
    problem = refusal(sim, "--settings=settings.json", "--wav=other.wav", cwd=tmp_path)
    assert f"other.wav: {said}" in problem


def test_a_file_that_is_no_recording_is_refused(sim: Interpreter, tmp_path: Path, wav: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    whole = wav.read_bytes()
    floats = bytearray(whole)
    floats[20] = 3  # WAVE_FORMAT_IEEE_FLOAT
    files = {
        "text": b"not a recording at all",
        "empty": b"",
        "head": whole[:30],
        "cut": whole[: len(whole) // 2],
        "floats": bytes(floats),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert f"minerva-sim: {name}: " in refusal(
            sim, "--settings=settings.json", "--wav", name, cwd=tmp_path
        )
    assert "none.wav: " in refusal(sim, "--settings=settings.json", "--wav=none.wav", cwd=tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"board": "devkitc1_inmp441"}, "board is 'devkitc1_inmp441'; minerva-sim is the board 'virtual'"),
        ({"url": "ws://10.0.0.1/link"}, "wss:// beyond loopback"),
        (
            {"url": "wss://hub/link", "ca": "-----BEGIN CERTIFICATE-----", "server_name": "h"},
            "ca is not a PEM certificate",
        ),
        ({"gain_db": 49}, "gain_db is 49"),
        ({"colour": "red"}, "unknown key"),
    ],
)
def test_wrong_settings_are_refused(
    sim: Interpreter, tmp_path: Path, wav: Path, change: Settings, said: str
) -> None:
    text = json.dumps({**SETTINGS, **change})
    (tmp_path / "settings.json").write_text(text)
    assert said in refusal(sim, "--settings=settings.json", f"--wav={wav}", cwd=tmp_path)
    (tmp_path / "fleet.jsonl").write_text(f"{json.dumps(SETTINGS)}\n\n{text}\n")
    problem = refusal(sim, "--fleet=fleet.jsonl", f"--wav={wav}", cwd=tmp_path)
    assert "fleet.jsonl, line 3: " in problem
    assert said in problem


def test_fleets_are_bounded_and_files_are_there(sim: Interpreter, tmp_path: Path, wav: Path) -> None:
    fleet = tmp_path / "fleet.jsonl"
    line = json.dumps(SETTINGS) + "\n"
    for text, said in [
        ("", "0 devices; wanted 1 to 1000"),
        (line * 1001, "1001 devices; wanted 1 to 1000"),
        (line * 2, f"device {SETTINGS['device']} stands in it twice"),
        (line + "\n" * 8_193_000, "more than 8193000 bytes"),
    ]:
        fleet.write_text(text)
        assert said in refusal(sim, "--fleet=fleet.jsonl", f"--wav={wav}", cwd=tmp_path)
    assert "none: cannot be read" in refusal(sim, "--settings=none", f"--wav={wav}", cwd=tmp_path)
    (tmp_path / "long").write_text(" " * 10_000)
    assert "8192" in refusal(sim, "--settings=long", f"--wav={wav}", cwd=tmp_path)
    assert "--speed is 0" in refusal(sim, "--speed=0", cwd=tmp_path)


# --- hubs that are none -------------------------------------------------------------------------------------


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes after the first byte."""
    await reader.read(1)


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listens, and never answers."""
    await reader.read()


def says(data: bytes) -> Answer:
    """Answers the request with that."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        await reader.read()

    return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (closes, "the hub closed the connection"),
        (says_nothing, "no handshake within 15 s"),
        (says(b"HTTP/1.1 404 Not Found\r\n\r\n"), "not a Minerva hub: it answers 'HTTP/1.1 404 Not Found'"),
        (says(b"\x00\xff" * 2000), "answer to the WebSocket request exceeds 2048 bytes"),
        (says(b"SSH-2.0\r\n\r\n"), "not a Minerva hub: it answers 'SSH-2.0'"),
        (says(b"HTTP/1.1 101 x\r\nsec-websocket-accept: x\r\n\r\n"), "wrong Sec-WebSocket-Accept"),
    ],
)
async def test_something_else_at_the_address(
    sim: Interpreter, tmp_path: Path, wav: Path, answer: Answer, said: str
) -> None:
    """It is said, and tried again until a hub is there."""
    tries = 0

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        try:
            await answer(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = {**SETTINGS, "url": f"ws://127.0.0.1:{port}/link"}
    async with VirtualDevice(settings, wav, interpreter=sim, speed=20, loop=True) as device:
        await device.wait_for(said)
        await until(lambda: tries >= 2, "a second try")
        server.close()
        await server.wait_closed()
        hub = await DeviceHub().start(port)
        try:
            await device.wait_for("hub: welcome")
        finally:
            await hub.stop()


async def test_a_hub_that_is_not_there_yet(sim: Interpreter, wav: Path) -> None:
    async with DeviceHub() as hub:
        await hub.stop()
        async with VirtualDevice(hub.settings(), wav, interpreter=sim, speed=10, loop=True) as device:
            said = f"link: nobody listens (127.0.0.1 port {hub.port})"
            await device.wait_for(said)
            await hub.start(hub.port)
            await device.wait_for("hub: welcome")
            assert [line for line in device.log if "nobody listens" in line] == [said]


async def test_it_says_what_it_is(sim: Interpreter, wav: Path) -> None:
    async with DeviceHub() as hub, VirtualDevice(hub.settings(), wav, interpreter=sim, boot_ms=1 << 33):
        await hub.until(lambda: hub.hellos)
    hello = hub.hellos[0]
    assert hello["firmware"] == {"name": "minerva", "version": "0.1.0", "variant": "rust", "board": "virtual"}
    assert hello["kinds"] == ["ima_adpcm", "pcm_s16le", "logmel_u8"]
    assert hello["modes"] == list(wire.MODES)
    assert 1 << 33 <= hello["time_ms"] < (1 << 33) + 60_000


# --- what can be done to it ---------------------------------------------------------------------------------


async def test_the_button_is_remembered(sim: Interpreter, tmp_path: Path, wav: Path) -> None:
    folder = tmp_path / "flash"
    folder.mkdir()
    async with DeviceHub() as hub:
        settings = hub.settings()
        async with VirtualDevice(settings, wav, interpreter=sim, folder=folder, loop=True) as device:
            await hub.until(lambda: hub.packet_count)
            await device.press_button()
            await device.wait_for("virtual board: I2S off")
            await hub.until(lambda: hub.of("mute"))
        assert device.returncode == 0
        assert json.loads((folder / "state.json").read_text()) == {"muted_at_button": True}
        before = hub.packet_count
        async with VirtualDevice(settings, wav, interpreter=sim, folder=folder, loop=True) as device:
            await hub.until(lambda: len(hub.hellos) == 2)
            await device.wait_for("welcome")
            await asyncio.sleep(0.3)
            assert hub.hellos[1]["mute"] == "button"
            assert hub.packet_count == before


async def test_a_recording_ends_in_silence_unless_it_is_looped(sim: Interpreter, tmp_path: Path) -> None:
    write_wav(tmp_path / "short.wav", talk(1))
    async with DeviceHub() as hub:
        hub.keep_packets = False
        for loop in (True, False):
            async with VirtualDevice(
                hub.settings(), tmp_path / "short.wav", interpreter=sim, speed=10, loop=loop
            ) as device:
                before = hub.packet_count
                await hub.until(lambda before=before: hub.packet_count > before + 60)  # 3.6 s of its time
                over = [line for line in device.log if "the recording is over" in line]
                assert over == ([] if loop else ["virtual board: the recording is over"])


def test_it_ends_with_its_input_and_its_reader(sim: Interpreter, tmp_path: Path, wav: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    command = [*sim.command, "--settings=settings.json", f"--wav={wav}"]
    for words in ("", "quit\n", "what\nquit\n"):
        done = subprocess.run(command, cwd=tmp_path, input=words, capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stderr) == (0, "")
        assert ('"what" is not one of quit' in done.stdout) == ("what" in words)
    # Nobody reads its log: that is an end, not a crash.
    read, write = os.pipe()
    os.close(read)
    unread = subprocess.run(
        command, cwd=tmp_path, input=b"what\nwhat\n", stdout=write, stderr=subprocess.PIPE, timeout=30
    )
    os.close(write)
    assert (unread.returncode, unread.stderr) == (0, b"")


class ManyHub(DeviceHub):
    """Answers whoever asks, not the newest connection."""

    async def _on_text(self, ws: web.WebSocketResponse, message: Settings) -> None:
        self.ws = ws
        await super()._on_text(ws, message)


async def test_a_fleet_is_many_devices(sim: Interpreter, tmp_path: Path) -> None:
    """Each has its own link, its own place in the recording, and its name before its lines."""
    write_wav(tmp_path / "noise.wav", noise(5, -45))
    async with ManyHub() as hub:
        settings = {**SETTINGS, "url": hub.url, "ceiling": "full"}
        lines = [json.dumps({**settings, "device": f"d{n}"}) for n in range(5)]
        (tmp_path / "fleet.jsonl").write_text("\n".join(lines))
        process = await asyncio.create_subprocess_exec(
            *sim.command,
            *("--fleet=fleet.jsonl", "--wav=noise.wav", "--loop", "--spread", "--lossless"),
            cwd=tmp_path,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        try:
            await hub.until(lambda: len(hub.hellos) == 5 and hub.packet_count >= 50)
            process.stdin.write(b"press\n")
            await hub.until(lambda: len(hub.of("mute")) == 5)
        finally:
            process.stdin.close()
        assert process.stdout is not None
        said = (await process.stdout.read()).decode().splitlines()
        assert await process.wait() == 0
    assert {hello["device"] for hello in hub.hellos} == {f"d{n}" for n in range(5)}
    assert len({hello["boot_id"] for hello in hub.hellos}) == 5
    assert len({bytes(packet[6]) for packet in hub.packets if packet[4] == 0}) == 5
    for n in range(5):
        assert f"d{n}: virtual board: I2S off" in said
        assert f"d{n}: mute: button" in said
        assert json.loads((tmp_path / f"state-d{n}.json").read_text()) == {"muted_at_button": True}


# --- words --------------------------------------------------------------------------------------------------


async def test_speech_becomes_words_at_a_real_hub(sim: Interpreter, tmp_path: Path) -> None:
    async with serve(hub_config(tmp_path)) as (hub, address):
        await register(hub.store, "kitchen")
        await hub.fleet.refresh()
        wav = kitchen_wav(tmp_path / "kitchen.wav", 0.0, 9.0)
        async with VirtualDevice(device_settings(address), wav, interpreter=sim) as device:
            await device.wait_for("the recording is over", timeout_s=60)
            await until(lambda: not hub.pipeline.busy, "all to be written down", 60)
        said = " ".join(u.text for u in await hub.store.utterances())
        assert hub.health().drops.keys() <= {"partials"}  # a busy computer's; no sound is lost with them
        assert sum(d.gaps for d in hub.fleet.devices()) == 0
    assert "good morning" in said
    assert "coffee" in said


# --- how it comes to be there -------------------------------------------------------------------------------


def test_without_cargo_it_is_said_and_not_an_error(tmp_path: Path) -> None:
    for folder in ("scripts", "firmware_rs"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "scripts" / "build-sim.sh", tmp_path / "scripts")
    script = tmp_path / "scripts" / "build-sim.sh"
    said = {}
    for name in ("no clone", "no cargo", "old cargo"):
        cargo = tmp_path / "cargo"
        if name == "old cargo":
            cargo.write_text("#!/bin/sh\necho cargo 1.9.9\n")
            cargo.chmod(0o755)
        done = subprocess.run(
            ["sh", str(script)],
            env={**os.environ, "CARGO": str(cargo)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode, done.stdout) == (3, ""), done.stderr
        said[name] = done.stderr
        (tmp_path / "firmware_rs" / "Cargo.toml").touch()
    assert "from a clone" in said["no clone"]
    assert "no cargo" in said["no cargo"]
    assert "cargo 1.9.9 is too old: Rust 1.95" in said["old cargo"]


def test_where_it_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINERVA_SIM", raising=False)
    with pytest.raises(SimUnavailableError, match="a clone of the project"):
        sim_program(root=tmp_path)
    monkeypatch.setenv("MINERVA_SIM", str(tmp_path / "none"))
    with pytest.raises(SimUnavailableError, match="which is no program"):
        sim_program()
    said: list[str] = []
    runs = demo.what_runs(("Kitchen", "Study"), said.append)
    assert "rust" not in {interpreter.name for interpreter in runs.values()}
    assert said[0].startswith(
        "No room has a device of the Rust firmware: no minerva-sim here: MINERVA_SIM is "
    )
    assert [line.partition(":")[0] for line in said[1:]] == ["Kitchen", "Study"]


def test_one_room_of_the_demo_is_the_rust_firmwares(sim: Interpreter) -> None:
    said: list[str] = []
    runs = demo.what_runs(("Kitchen", "Living Room"), said.append)
    assert [runs[room].name == "rust" for room in runs] == [False, True]
    assert said[-1] == "Living Room: minerva-sim (Rust)"
    assert demo.what_runs(("Kitchen",), said.append)["Kitchen"].name != "rust"
