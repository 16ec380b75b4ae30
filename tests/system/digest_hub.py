"""A real hub in a process that can be killed: FOLDER PORT. Its words are digests of the samples.

Prints its address, then a line for each event of the bus that a test may wait for.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from minerva_hub.app import serve
from minerva_hub.events import Speaking, UtteranceAdded

from tests.hub.linkpeer import DigestEngine
from tests.system.rig import hub_config, register

BUSY_S = 0.3  # so that a kill can come between a segment's end and its words


async def main(folder: Path, port: int) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(hub_config(folder, port=port), engine=lambda: DigestEngine(BUSY_S)) as (hub, address):
        if not await hub.store.devices():
            await register(hub.store, "kitchen")
        with hub.bus.subscribe() as events:
            print(address, flush=True)
            said = asyncio.create_task(tell(events))
            await stop.wait()
            said.cancel()


async def tell(events) -> None:
    """Print what happens."""
    async for event in events:
        if isinstance(event, Speaking):
            print(event.state, flush=True)
        elif isinstance(event, UtteranceAdded):
            print("utterance", flush=True)


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
