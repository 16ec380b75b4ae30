"""One profile: the hub in a process, virtual devices in another, and somebody who reads the page's events."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from minerva_hub.audio import AudioFile
from minerva_hub.config import HubConfig
from minerva_hub.errors import UserError

from minerva_tools.bench import _mel
from minerva_tools.bench._devices import Load, conversation
from minerva_tools.bench._pair import line, process
from minerva_tools.bench.latency import listen, stop
from minerva_tools.conversation import write_flac
from minerva_tools.profiling.records import Sampled, Setup

RATE: Final = 16_000
KIND: Final = "ima_adpcm"  # what devices send unless told otherwise
MAX_SECONDS: Final = 3600.0  # of audio of each device: it is played in real time
MIN_SECONDS: Final = 2.0
STARTED_S: Final = 180.0
BACKENDS: Final = ("scipy", "faster_whisper", "whisper80")
COMPARED_S: Final = 5  # of audio that the backends take in turn
ROUNDS: Final = 20


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What was run and what it took; `audio_s` over all devices, `backends_ms` for a second of log-mel."""

    source: str
    devices: int
    audio_s: float
    sampled: Sampled
    backends_ms: dict[str, float]
    skipped: dict[str, str]


def profile(source: Path | None, config: HubConfig, *, seconds: float | None, devices: int) -> Profile:
    """Play audio (None: the bundled conversation) to the hub in real time. UserError: it is no audio."""
    if not sys.platform.startswith("linux"):
        raise UserError(
            "minerva profile reads the clocks of threads and processes from Linux; this is another system"
        )
    pcm = conversation() if source is None else _read(source)
    length_s = len(pcm) / RATE if seconds is None else seconds
    if not MIN_SECONDS <= length_s <= MAX_SECONDS:
        raise UserError(f"{length_s:.1f} s of audio: {MIN_SECONDS:g} s to {MAX_SECONDS:g} s can be played")
    with tempfile.TemporaryDirectory(prefix="minerva-profile-") as folder:
        heard = Path(folder) / "heard.flac"
        write_flac(heard, pcm)
        load = Load(address="", devices=devices, kind=KIND, seconds=length_s, rest_s=2.0, file=str(heard))
        setup = Setup(
            folder=str(Path(folder) / "store"),
            devices=devices,
            segment=config.segment,
            transcribe=config.transcribe,
            diarize=config.diarize,
            tone=config.tone,
        )
        sampled = asyncio.run(_run(setup, load))
    timed = _mel.measure(_to_full_scale(pcm), ROUNDS, only=BACKENDS)
    return Profile(
        source="the bundled conversation" if source is None else source.name,
        devices=devices,
        audio_s=length_s * devices,
        sampled=sampled,
        backends_ms={name: least / COMPARED_S * 1000 for name, least in timed.least_s.items()},
        skipped=timed.skipped,
    )


async def _run(setup: Setup, load: Load) -> Sampled:
    async with process("minerva_tools.profiling.hub_process", setup, None) as hub:
        address = (await line(hub, STARTED_S))["address"]
        ready = asyncio.Event()
        page = asyncio.create_task(listen(address, ready))
        await ready.wait()
        load = msgspec.structs.replace(load, address=address)
        async with process("minerva_tools.bench._devices", load, None) as sender:
            await line(sender, 60)
            assert hub.stdin is not None  # noqa: S101 - process asks for pipes
            hub.stdin.write(b"begin\n")
            await line(sender, load.seconds + 120)
        hub.stdin.write(b"\n")
        sampled: Any = await line(hub, STARTED_S + load.seconds)
        await stop(page)
        hub.stdin.close()
        async with asyncio.timeout(60):
            await hub.wait()
    return msgspec.convert(sampled, Sampled)


def _read(path: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    with AudioFile(path) as audio:
        blocks = []
        for block in audio.blocks():
            blocks.append(block)
            if audio.read_s > MAX_SECONDS:
                raise UserError(f"{path}: longer than the {MAX_SECONDS:g} s that a profile plays")
    return np.concatenate(blocks)


def _to_full_scale(pcm: np.ndarray[Any, np.dtype[np.int16]]) -> _mel.Sound:
    sound = np.resize(pcm.astype(np.float32), COMPARED_S * RATE)
    return np.asarray(sound / max(1.0, float(np.abs(sound).max())), np.float32)
