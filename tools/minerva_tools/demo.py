"""`minerva demo`: a hub, and a virtual device in each room of a conversation. The hub reads no file.

Each device is a process of its own, the unmodified device application or, in one room where cargo is there,
the Rust firmware's minerva-sim: its microphone hears the room, and what comes to the hub comes by its gate,
codec and link.
"""

from __future__ import annotations

import asyncio
import re
import signal
import tempfile
import time
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from minerva_hub.app import Hub, serve
from minerva_hub.auth import hash_token, new_token
from minerva_hub.config import HubConfig, StoreConfig
from minerva_hub.errors import MinervaError, UserError
from minerva_hub.events import DeviceRecord, EngineInfo, Utterance

from minerva_tools.conversation import RATE, Conversation, Sound, load_demo
from minerva_tools.pairing import paired_settings
from minerva_tools.scoring import CONVENTIONS, Score, Spoken, score
from minerva_tools.sim import SimBuildError
from minerva_tools.virtual import Interpreter, VirtualDevice, VirtualDeviceError, choose_interpreter

READY_S = 90.0  # for engines to load on a slow machine
SETTLE_S = 60.0  # for the last words to be written down
WELCOME_S = 30.0
CEILING = "speech"
MAX_ID = 32  # as in docs/protocol.md

Say = Callable[[str], None]


class DemoError(MinervaError):
    """The demo could not be played to its end."""


class DemoUtterance(msgspec.Struct, frozen=True, kw_only=True):
    """What was written down; seconds from the beginning of the conversation."""

    text: str
    speaker: str
    device: str
    room: str
    start_s: float
    end_s: float


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `minerva demo --once --json` prints; `wer` and `der` are fractions, as `scoring` says."""

    utterances: tuple[DemoUtterance, ...]
    engines: tuple[EngineInfo, ...]
    devices: dict[str, str]
    wer: float
    der: float
    speakers: dict[str, int]
    speakers_expected: dict[str, int]
    scoring: str
    drops: dict[str, int]
    gaps: int


@dataclass(frozen=True)
class Stage:
    """A running demo: its hub, address and devices by room."""

    hub: Hub
    address: str
    devices: dict[str, VirtualDevice]
    begins: dict[str, float]


def run_demo(
    config: HubConfig, *, once: bool, script: Path | None, voices: Sequence[str], seed: int, say: Say
) -> DemoResult | None:
    """Play the bundled conversation, or a rendered one: once, or until interrupted. Blocks.

    The result of a conversation that was played once; None otherwise.
    """
    conversation = conversation_of(script, voices, seed, say)
    return asyncio.run(
        _once(config, conversation, say) if once else _until_stopped(config, conversation, say)
    )


def conversation_of(script: Path | None, voices: Sequence[str], seed: int, say: Say) -> Conversation:
    """The bundled conversation, or `script` rendered with flite."""
    if script is None:
        return load_demo()
    from minerva_tools.render import render
    from minerva_tools.script import read_script

    say(f"Rendering {script} with flite ({', '.join(voices)}; seed {seed}).")
    return render(read_script(script), voices, seed)


async def _once(config: HubConfig, conversation: Conversation, say: Say) -> DemoResult:
    async with stage(config, conversation, loop=False, say=say) as running:
        result = await play_once(running, conversation, say)
    say(f"WER {result.wer:.2f}, DER {result.der:.2f}. {CONVENTIONS}")
    return result


async def _until_stopped(config: HubConfig, conversation: Conversation, say: Say) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with stage(config, conversation, loop=True, say=say) as running:
        say(f"Open {running.address} and watch. Ctrl-C ends the demo; nothing of it is kept.")
        await stop.wait()


async def play_once(running: Stage, conversation: Conversation, say: Say = lambda line: None) -> DemoResult:
    """Wait until every room has heard its recording and everything is written down; then score it."""
    duration_s = conversation.reference.duration_s
    say(f"The conversation takes {duration_s:.0f} s.")
    for room, device in running.devices.items():
        try:
            await device.wait_for("the recording is over", timeout_s=duration_s + WELCOME_S)
        except MinervaError as problem:
            raise DemoError(f"the device in the {room} did not hear it out: {problem}") from problem
    await _all_written(running.hub)
    utterances = await running.hub.store.utterances(limit=1000)
    began = {device: running.begins[room] for room, device in _device_ids(conversation).items()}
    said = tuple(_relative(utterance, began) for utterance in utterances)
    scored = score(
        conversation.reference,
        [Spoken(room=u.room, speaker=u.speaker, start_s=u.start_s, end_s=u.end_s, text=u.text) for u in said],
    )
    return _result(running, said, scored)


def _result(running: Stage, said: tuple[DemoUtterance, ...], scored: Score) -> DemoResult:
    health = running.hub.health()
    return DemoResult(
        utterances=said,
        engines=health.engines,
        devices={room: device.interpreter.title for room, device in running.devices.items()},
        wer=scored.wer,
        der=scored.der,
        speakers={room: figures.speakers for room, figures in scored.rooms.items()},
        speakers_expected={room: figures.expected for room, figures in scored.rooms.items()},
        scoring=CONVENTIONS,
        drops=health.drops,
        gaps=sum(device.gaps for device in running.hub.fleet.devices()),
    )


@asynccontextmanager
async def stage(
    config: HubConfig, conversation: Conversation, *, loop: bool, say: Say
) -> AsyncIterator[Stage]:
    """A hub with a store and an identity of its own and a device in each room, paired with it, all running.

    The devices start together once the engines are loaded, so that nothing has to wait for them.
    """
    runs = await asyncio.to_thread(what_runs, tuple(conversation.sound), say)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minerva-demo-")))
        private = msgspec.structs.replace(
            config,
            store=StoreConfig(path=folder / "store"),
            server=msgspec.structs.replace(config.server, tls=True, tls_host="127.0.0.1", tls_port=0),
        )
        hub, address = await _serve(stack, private, say)
        linked = urlsplit(hub.tls_address or "")
        say(f"Hub at {address}.")
        await _engines_ready(hub, say)
        devices: dict[str, VirtualDevice] = {}
        begins: dict[str, float] = {}
        for room, device_id in _device_ids(conversation).items():
            sound = conversation.sound[room]
            wav = folder / f"{device_id}.wav"
            write_wav(wav, sound)
            token = new_token()
            await hub.store.add_device(
                DeviceRecord(id=device_id, room=room, token_hash=hash_token(token), created_ms=_now_ms())
            )
            settings = paired_settings(
                hub.identity,
                device=device_id,
                board="virtual",
                host=linked.hostname or "",
                port=linked.port or 0,
                token=token,
                ceiling=CEILING,
            )
            devices[room] = VirtualDevice(
                settings,
                wav,
                interpreter=runs[room],
                loop=loop,
                on_line=_watch(room, len(sound) / RATE, begins, say),
            )
        await hub.fleet.refresh()
        for device in devices.values():
            await stack.enter_async_context(device)
        for device in devices.values():
            await device.wait_for("welcome", timeout_s=WELCOME_S)
        yield Stage(hub, address, devices, begins)


def what_runs(rooms: Sequence[str], say: Say) -> dict[str, Interpreter]:
    """Room -> what runs its device: minerva-sim in the last of several where it can be had. Blocks."""
    runs = dict.fromkeys(rooms, choose_interpreter())
    if len(rooms) > 1:
        try:
            runs[rooms[-1]] = choose_interpreter("rust")
        except (VirtualDeviceError, SimBuildError) as problem:
            say(f"No room has a device of the Rust firmware: {problem}")
    for room, interpreter in runs.items():
        under = "" if interpreter.name == "rust" else "the device application under "
        say(f"{room}: {under}{interpreter.title}")
    return runs


async def _serve(stack: AsyncExitStack, config: HubConfig, say: Say) -> tuple[Hub, str]:
    try:
        return await stack.enter_async_context(serve(config))
    except UserError as problem:
        if config.server.port == 0:
            raise
        say(f"{problem}. Taking a free one.")
        free = msgspec.structs.replace(config.server, port=0)
        return await stack.enter_async_context(serve(msgspec.structs.replace(config, server=free)))


async def _engines_ready(hub: Hub, say: Say) -> None:
    try:
        async with asyncio.timeout(READY_S):
            while True:
                engines = {engine.stage: engine for engine in hub.health().engines}
                states = {engine.state for engine in engines.values()}
                if "error" in states:
                    raise DemoError("; ".join(e.reason for e in engines.values() if e.state == "error"))
                if engines.keys() >= {"speech", "transcribe", "diarize"} and "loading" not in states:
                    break
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise DemoError(f"the engines were not loaded within {READY_S:g} s") from None
    for engine in engines.values():
        say(f"{engine.stage}: {engine.name}. {engine.reason}")


async def _all_written(hub: Hub) -> None:
    try:
        async with asyncio.timeout(SETTLE_S):
            quiet = 0
            while quiet < 10:
                await asyncio.sleep(0.1)
                quiet = 0 if hub.pipeline.busy else quiet + 1
    except TimeoutError:
        raise DemoError(f"the last words were not written down within {SETTLE_S:g} s") from None


def _device_ids(conversation: Conversation) -> dict[str, str]:
    """Room -> device id; rooms whose names would make the same one are numbered."""
    ids: dict[str, str] = {}
    for room in conversation.sound:
        plain = re.sub(r"[^a-z0-9]+", "-", room.lower()).strip("-")[:MAX_ID].rstrip("-") or "room"
        numbered = (f"{plain[: MAX_ID - len(end)]}{end}" for end in (f"-{n}" for n in count(2)))
        ids[room] = next(id_ for id_ in chain((plain,), numbered) if id_ not in ids.values())
    return ids


def _watch(room: str, duration_s: float, begins: dict[str, float], say: Say) -> Callable[[str], None]:
    """Pass a device's log on; the moment at which its recording ends tells when it began."""

    def on_line(line: str) -> None:
        if "the recording is over" in line:
            begins[room] = time.time() - duration_s
        say(f"{room}: {line}")

    return on_line


def _relative(utterance: Utterance, began: dict[str, float]) -> DemoUtterance:
    start_s = began[utterance.device]
    return DemoUtterance(
        text=utterance.text,
        speaker=utterance.speaker,
        device=utterance.device,
        room=utterance.room,
        start_s=round(utterance.start_ms / 1000 - start_s, 3),
        end_s=round(utterance.end_ms / 1000 - start_s, 3),
    )


def write_wav(path: Path, sound: Sound) -> None:
    """int16 (n,) as a 16 kHz mono WAV, which the virtual board reads."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(sound.astype("<i2").tobytes())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
