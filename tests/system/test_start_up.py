"""The hub is there before its engines: devices are let in, what they hear meanwhile is written down."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from minerva_hub.app import serve
from minerva_tools.virtual import Interpreter, VirtualDevice

from tests.hub.linkpeer import DigestEngine
from tests.system.rig import api, device_settings, hub_config, kitchen_wav, register, until


class SlowEngine(DigestEngine):
    """Loads for as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.may_load = threading.Event()

    def open(self) -> DigestEngine:
        """Block in the worker's thread, as a large model does."""
        assert self.may_load.wait(60)
        return self


async def test_devices_are_let_in_while_the_engines_load(interpreter: Interpreter, tmp_path: Path) -> None:
    engine = SlowEngine()
    wav = kitchen_wav(tmp_path / "room.wav", end_s=8)
    async with serve(hub_config(tmp_path), engine=lambda: engine) as (hub, address), api(address) as call:
        await register(hub.store, "kitchen")

        async def state() -> str:
            _, health = await call("GET", "/api/health")
            return {e["stage"]: e["state"] for e in health["engines"]}.get("transcribe", "loading")

        try:
            async with VirtualDevice(device_settings(address), wav, interpreter=interpreter) as device:
                await device.wait_for("welcome")
                assert await state() == "loading"
                await device.wait_for("the recording is over")
                await until(lambda: hub.health().queues["segments"] >= 2, "two segments that wait")
                assert await state() == "loading"
                assert await hub.store.utterances() == []
                engine.may_load.set()
                await until(lambda: not hub.pipeline.busy, "all to be written down")
        finally:
            engine.may_load.set()
        assert await state() == "ready"
        assert len(await hub.store.utterances()) >= 2
        assert hub.health().drops.keys() <= {"partials"}


@pytest.mark.parametrize("stop_while", ["loading", "working"])
async def test_a_hub_that_stops_early_stops(tmp_path: Path, stop_while: str) -> None:
    """Nothing is left open by a hub that is stopped before or just after its engine is loaded.

    It does not wait for an engine that still loads; that one is closed as soon as it is there.
    """
    closed: list[str] = []
    engine = SlowEngine()
    engine.close = lambda: closed.append(stop_while)  # type: ignore[method-assign]
    async with serve(hub_config(tmp_path), engine=lambda: engine) as (hub, _):
        loading = hub.health
        await until(lambda: any(e.stage == "tone" for e in loading().engines), "the engines to load")
        if stop_while == "loading":
            threading.Timer(0.5, engine.may_load.set).start()
        else:
            engine.may_load.set()
            await until(lambda: "loading" not in [e.state for e in loading().engines], "the engine")
    await until(lambda: closed == [stop_while], "the engine to be closed")
