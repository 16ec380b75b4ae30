"""A hub at whose /link two devices, kitchen and study, may say hello."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from linkpeer import DigestEngine
from minerva_hub.app import Hub, serve
from minerva_hub.auth import hash_token
from minerva_hub.config import HubConfig, IngestConfig, ModelsConfig, SegmentConfig, ServerConfig, StoreConfig
from minerva_hub.events import DeviceRecord

VECTORS = Path(__file__).parents[1] / "vectors"
QUIET = np.zeros(960, np.int16)


@asynccontextmanager
async def a_hub(
    tmp_path: Path, engine: DigestEngine | None = None, *, backlog_s: float = 20.0, tls: bool = False
) -> AsyncIterator[tuple[Hub, str]]:
    config = HubConfig(
        server=ServerConfig(port=0, tls=tls, tls_host="127.0.0.1", tls_port=0),
        store=StoreConfig(path=tmp_path / "store"),
        models=ModelsConfig(path=tmp_path / "models"),
        ingest=IngestConfig(kind="pcm_s16le", lead_ms=3000, backlog_s=backlog_s),
        segment=SegmentConfig(),
    )
    async with serve(config, engine=lambda: engine or DigestEngine()) as (hub, address):
        for name in ("kitchen", "study"):
            if await hub.store.device(name) is not None:
                continue  # the hub was here before
            await hub.store.add_device(
                DeviceRecord(id=name, room=name.title(), token_hash=hash_token("secret"), created_ms=0)
            )
        yield hub, address


async def until(condition: Any, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def vector(name: str) -> dict[str, Any]:
    """The first valid message of that name in tests/vectors."""
    vectors = json.loads((VECTORS / "control.json").read_text())
    return dict(json.loads(next(v["text"] for v in vectors if v["name"] == name and "error" not in v)))
