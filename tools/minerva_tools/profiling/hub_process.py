"""The hub that is profiled, in a process of its own: the production hub with its own engines, and a sampler.

`python -m minerva_tools.profiling.hub_process JSON` prints {"address": …} when its engines are ready, begins
at a line on standard input, prints its Sampled after a second one, and ends when that is closed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from minerva_hub import app
from minerva_hub.auth import hash_token
from minerva_hub.config import HubConfig, ServerConfig, StoreConfig
from minerva_hub.errors import EngineUnavailableError
from minerva_hub.events import DeviceRecord, EngineInfo

from minerva_tools.bench._hub import TOKEN
from minerva_tools.profiling.records import Sampled, Setup
from minerva_tools.profiling.sampler import Sampler
from minerva_tools.profiling.stages import by_stage

ENGINES_S: Final = 120.0
WRITTEN_S: Final = (
    300.0  # for what was said to be written down; an offline recogniser on a busy machine is slow
)
MAX_NAME: Final = 60


def children_cpu_s() -> float:
    """Processor time of the processes that this one has started and that still run."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])  # utime, stime
    return total / tick


async def profile(setup: Setup) -> None:
    """Run the hub until everything that was heard is written down; print what it took."""
    config = HubConfig(
        server=ServerConfig(port=0, tls=False),
        store=StoreConfig(path=Path(setup.folder)),
        segment=setup.segment,
        transcribe=setup.transcribe,
        diarize=setup.diarize,
        tone=setup.tone,
    )
    loop = asyncio.get_running_loop()
    async with app.serve(config) as (hub, address):
        for number in range(setup.devices):
            record = DeviceRecord(
                id=f"d{number}", room=f"Room {number}", token_hash=hash_token(TOKEN), created_ms=0
            )
            await hub.store.add_device(record)
        await hub.fleet.refresh()
        async with asyncio.timeout(ENGINES_S):
            while not _ready(hub.pipeline.engines()):  # noqa: ASYNC110 - nothing there tells when
                await asyncio.sleep(0.05)
        app.calm_collector()
        print(msgspec.json.encode({"address": address}).decode(), flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        sampler = Sampler()
        cpu, children = time.process_time(), children_cpu_s()
        sampler.start()
        await loop.run_in_executor(None, sys.stdin.readline)
        async with asyncio.timeout(WRITTEN_S):
            while hub.pipeline.busy:  # noqa: ASYNC110 - nothing there tells when
                await asyncio.sleep(0.1)
        sampler.stop()
        cpu_s = time.process_time() - cpu - sampler.cpu_s()
        children_s = children_cpu_s() - children
        threads = list(sampler.threads.values())
        sampled = Sampled(
            wall_s=sampler.wall_s,
            cpu_s=cpu_s,
            children_s=children_s,
            native_s=max(0.0, cpu_s - sum(thread.cpu_s for thread in threads)),
            stages=by_stage(threads, sampler.wall_s, sampler.samples),
            folded=[
                ([thread.name, *(_named(file, function) for file, function in stack)], seconds)
                for thread in threads
                for stack, seconds in thread.cpu().items()
            ],
            engines=hub.pipeline.engines(),
            utterances=len(await hub.store.utterances(limit=10_000)),
            samples=sampler.samples,
            drops=hub.health().drops,
        )
        print(msgspec.json.encode(sampled).decode(), flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


def _ready(engines: tuple[EngineInfo, ...]) -> bool:
    """Whether the recogniser is loaded; EngineUnavailableError when it will not be."""
    for engine in engines:
        if engine.stage == "transcribe" and engine.state == "error":
            raise EngineUnavailableError(engine.reason)
    return any(engine.stage == "transcribe" and engine.state != "loading" for engine in engines)


def _named(file: str, function: str) -> str:
    folder, _, name = file.rpartition("/")
    return f"{folder.rpartition('/')[2]}/{name}:{function}"[-MAX_NAME:]


if __name__ == "__main__":
    asyncio.run(profile(msgspec.json.decode(sys.argv[1], type=Setup)))
