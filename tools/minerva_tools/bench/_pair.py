"""A hub and its load, each a process on a core of its own where the system can pin them."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from minerva_hub.errors import MinervaError

from minerva_tools.bench._hub import Measured, Setup


class BenchError(MinervaError):
    """A process of a bench failed."""


@asynccontextmanager
async def process(
    module: str, argument: msgspec.Struct, core: int | None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m module JSON`, pinned to a core unless that is None."""
    arguments = [sys.executable, "-m", module, msgspec.json.encode(argument).decode()]
    child = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 28,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if core is not None:
        pin(child.pid, core)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


def pin(pid: int, core: int) -> None:
    """Bind a process to a core, where the system offers that."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(pid, {cores[core % len(cores)]})


async def line(child: asyncio.subprocess.Process, timeout_s: float) -> Any:
    """The next line of JSON that a process prints."""
    assert child.stdout is not None  # noqa: S101 - it was asked for
    async with asyncio.timeout(timeout_s):
        text = await child.stdout.readline()
    if not text:
        raise BenchError(f"a process of the bench ended early, with status {await child.wait()}")
    return msgspec.json.decode(text)


@asynccontextmanager
async def measured_hub(
    devices: int, kind: str, engine_s: float | None, model: Path | None = None
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The measured hub: (its address, the process). On core 0, but with a model on all of them."""
    with tempfile.TemporaryDirectory(prefix="minerva-bench-") as folder:
        setup = Setup(
            folder=folder, devices=devices, kind=kind, engine_s=engine_s, model=str(model) if model else None
        )
        async with process("minerva_tools.bench._hub", setup, None if model else 0) as hub:
            yield (await line(hub, 60))["address"], hub


def begin(hub: asyncio.subprocess.Process) -> None:
    """The CPU share counts from here."""
    assert hub.stdin is not None  # noqa: S101 - it was asked for
    hub.stdin.write(b"begin\n")


async def finish(hub: asyncio.subprocess.Process) -> Measured:
    """Stop the hub and read its stop-watch."""
    assert hub.stdin is not None  # noqa: S101 - it was asked for
    hub.stdin.write(b"\n")
    measured = msgspec.convert(await line(hub, 60), Measured)
    hub.stdin.close()
    async with asyncio.timeout(30):
        await hub.wait()
    return measured
