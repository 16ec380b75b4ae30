"""`minerva` as people run it: in a shell of its own, on real files, with what goes wrong there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import av
import jiwer
import numpy as np
import pytest
from minerva_tools.conversation import load_demo
from minerva_tools.demo import write_wav
from minerva_tools.virtual import VirtualDevice

from tests.system.rig import api, kitchen_wav

SPEECH_S = 9.0
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A stranger's: no settings, no models, nothing that colours or widens the output."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MINERVA_", "HF_"))}
    home = tmp_path / "home"
    home.mkdir()
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture
def minerva(tmp_path: Path, environment: dict[str, str]) -> Run:
    """`minerva ARGUMENTS…` in an empty folder."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "minerva_tools.cli", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90
        )

    return run


@asynccontextmanager
async def hub(
    tmp_path: Path, environment: dict[str, str], *arguments: str
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """`minerva hub` on a free port with its store in tmp_path/store: (address, process)."""
    port = free_port()
    with (tmp_path / "hub.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "minerva_tools.cli", "hub", f"--server-port={port}"),
            *("--store-path=store", "--server-tls-host=127.0.0.1", "--server-tls-port=0", *arguments),
            cwd=tmp_path,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            address = (await process.stdout.readline()).decode().strip()
            assert address.endswith(str(port)), (tmp_path / "hub.log").read_text()
        yield address, process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, (tmp_path / "hub.log").read_text()


def free_port() -> int:
    """One that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def one_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """It failed with one clear line and nothing on standard output."""
    assert (done.returncode, done.stdout) == (code, ""), done
    assert done.stderr.startswith("minerva: ") and done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


# --- transcribe -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same seconds of conversation as a WAV, as FLAC, and as stereo at 44.1 kHz."""
    folder = tmp_path_factory.mktemp("sounds")
    sound = load_demo().sound["Kitchen"][: int(SPEECH_S * 16000)]
    write_wav(folder / "wav.wav", sound)
    encode(folder / "flac.flac", "flac", sound[None], 16_000)
    at = np.arange(int(SPEECH_S * 44_100)) * 16_000 / 44_100
    resampled = np.interp(at, np.arange(len(sound)), sound).astype(np.int16)
    with wave.open(str(folder / "stereo.wav"), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(44_100)
        out.writeframes(np.repeat(resampled, 2).astype("<i2").tobytes())
    return folder


def encode(path: Path, codec: str, pcm: np.ndarray, rate: int) -> None:
    """int16 (1, n) into a file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = rate
        container.mux([*stream.encode(frame), *stream.encode(None)])


def test_the_same_words_from_every_kind_of_file(minerva: Run, sounds: Path) -> None:
    files = [sounds / name for name in ("wav.wav", "flac.flac", "stereo.wav")]
    done = minerva("transcribe", *files, "--format", "json", "--output", sounds / "out")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    # No model and no internet: the offline recogniser, and a line that says so.
    first, *written = done.stderr.splitlines()
    assert first == "pocketsphinx: No Whisper model on disk: offline recogniser, expect mistakes."
    said = {
        path.stem: " ".join(u["text"] for u in json.loads(path.read_text())["utterances"])
        for path in map(Path, written)
    }
    assert said["wav"] == said["flac"] and len(said["wav"].split()) >= 8
    assert jiwer.wer(said["wav"], said["stereo"]) <= 0.3


def test_files_that_cannot_be_read_are_one_line_each(minerva: Run, sounds: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "letter.wav").write_text("Dear microphone,\n" * 100)
    cases = {"none.wav": "no such file", "empty.wav": "is empty", "letter.wav": "not an audio file"}
    done = minerva("transcribe", *cases, "--format", "txt")
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert len(lines) == len(cases)
    for line, (name, words) in zip(lines, cases.items(), strict=True):
        assert line.startswith("minerva: ") and name in line and words in line.lower(), line


def test_what_is_there_of_a_truncated_file_is_written_down(
    minerva: Run, sounds: Path, tmp_path: Path
) -> None:
    whole = (sounds / "flac.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) * 6 // 10])
    done = minerva("transcribe", "cut.flac", "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["utterances"]  # the document and nothing else
    assert "minerva: cut.flac" in done.stderr and "Traceback" not in done.stderr


# --- hub ------------------------------------------------------------------------------------------------


async def test_the_hub_says_where_it_is_and_which_engine_it_has(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    async with hub(tmp_path, environment) as (address, _), api(address) as call:
        async with asyncio.timeout(60):
            while "loading" in str((await call("GET", "/api/health"))[1]["engines"]):
                await asyncio.sleep(0.1)
            _, health = await call("GET", "/api/health")
        engines = {engine["stage"]: engine for engine in health["engines"]}
        assert engines["transcribe"]["name"] == "pocketsphinx"
        assert "No Whisper model on disk" in engines["transcribe"]["reason"]
        assert health["warnings"] == []
    log = (tmp_path / "hub.log").read_text()
    assert "pocketsphinx (rough). No Whisper model on disk: offline recogniser, expect mistakes." in log


async def test_a_device_added_while_the_hub_runs_is_known_and_one_removed_is_not(
    tmp_path: Path, environment: dict[str, str], minerva: Run
) -> None:
    here = ("--server-tls-host=127.0.0.1", f"--server-tls-port={free_port()}")
    async with hub(tmp_path, environment, *here) as (address, _), api(address) as call:

        async def known() -> list[str]:
            return [device["id"] for device in (await call("GET", "/api/devices"))[1]["items"]]

        added = await asyncio.to_thread(minerva, "device", "add", "Kitchen", "--store-path=store", *here)
        assert added.returncode == 0, added.stderr
        settings = json.loads(added.stdout)
        assert settings["url"].startswith("wss://127.0.0.1:")
        async with asyncio.timeout(10):
            while await known() != ["kitchen"]:
                await asyncio.sleep(0.1)
        # The printed settings are all that the device needs.
        wav = kitchen_wav(tmp_path / "room.wav", end_s=4)
        async with VirtualDevice({**settings, "board": "virtual"}, wav) as device:
            await device.wait_for("welcome")
            listed = await asyncio.to_thread(minerva, "device", "list", "--json", "--store-path=store")
            assert [device["id"] for device in json.loads(listed.stdout)] == ["kitchen"]
            assert settings["token"] not in listed.stdout + (tmp_path / "hub.log").read_text()
            removed = await asyncio.to_thread(minerva, "device", "remove", "kitchen", "--store-path=store")
            assert (removed.returncode, removed.stdout) == (0, "")
            await device.wait_for("unauthorized", timeout_s=15)
        assert await known() == []


def test_a_port_in_use_is_one_line(minerva: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = minerva("hub", f"--server-port={port}", "--store-path=store")
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"minerva: port {port} on 127.0.0.1 is in use; choose another")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[server]\nprot = 80\n", ("minerva.toml", "server.prot", "did you mean port?", "host, port, tls")),
        ("[server]\nport = 'eighty'\n", ("minerva.toml: server.port", "'eighty'", "from 0 to 65535")),
        ("[serve]\nport = 80\n", ("unknown section [serve]", "did you mean server?")),
        ("port = \n", ("minerva.toml: not TOML",)),
    ],
)
def test_wrong_settings_name_file_key_value_and_what_is_allowed(
    minerva: Run, tmp_path: Path, toml: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "minerva.toml").write_text(toml)
    one_line(minerva("hub"), 2, *words)


def test_a_database_of_a_newer_version_is_left_alone(minerva: Run, tmp_path: Path) -> None:
    assert minerva("device", "add", "kitchen", "--store-path=store").returncode == 0
    path = tmp_path / "store" / "minerva.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    for command in (["hub", "--server-port=0"], ["device", "list"]):
        done = minerva(*command, "--store-path=store")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1].startswith("minerva: ")
        assert "format 99" in done.stderr and "Traceback" not in done.stderr
    assert path.read_bytes() == before


def test_plain_http_is_for_loopback_only(minerva: Run) -> None:
    one_line(
        minerva("hub", "--server-host=0.0.0.0", "--server-port=0"),
        *(2, "--server-host = '0.0.0.0'", "loopback", "TLS", "server.tls_host"),
    )


def test_what_replaced_insecure_lan(minerva: Run, tmp_path: Path) -> None:
    (tmp_path / "minerva.toml").write_text("[server]\nhost = '0.0.0.0'\ninsecure_lan = true\n")
    one_line(minerva("hub"), 2, "minerva.toml", "server.insecure_lan", "is gone", "TLS")
    (tmp_path / "minerva.toml").unlink()
    one_line(minerva("hub", "--server-insecure-lan"), 2, "--server-insecure-lan is gone", "server.tls")


def test_a_tls_port_in_use_is_one_line(minerva: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = ("--server-port=0", "--server-tls-host=127.0.0.1", f"--server-tls-port={port}")
        done = minerva("hub", *options, "--store-path=store")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {port} on 127.0.0.1 is in use; choose another with --server-tls-port" in done.stderr
