"""What no hub can make a device do, and what no page can undo: ceilings, and the mute at the button."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from minerva import wire
from minerva_hub.app import serve
from minerva_tools.virtual import Interpreter, VirtualDevice

from tests.device.device_hub import DeviceHub
from tests.hub.linkpeer import DigestEngine
from tests.system.rig import TOKEN, api, device_settings, hub_config, kitchen_wav, register, until

MEDIA = wire.encode_media(wire.PCM_S16LE, 0, 1, 3, 0, 0, bytes(1920))
LONG = json.dumps({"type": "config", "mode": "full", "note": "x" * wire.MAX_TEXT})
# What a hub may throw at a device, and the code with which the device ends that connection.
BLOWS = [
    ("not json", "bad_json"),
    (json.dumps({"type": "obey"}), "unknown_type"),
    (json.dumps({"type": "config", "mode": "loudest"}), "bad_field"),
    (json.dumps({"type": "config", "frames": 11}), "bad_field"),
    (json.dumps({"type": "mute", "on": "no"}), "bad_field"),
    (json.dumps({"type": "hello"}), None),
    (LONG, None),
    (MEDIA, "forbidden_media"),
    (bytes(wire.MAX_MEDIA + 1), None),
    (bytes(100_000), None),
]
FLOOD = 2000


async def throw(hub: DeviceHub, blow: str | bytes) -> None:
    """Send it as it is; the device may be gone before it is out."""
    assert hub.ws is not None
    try:
        await (hub.ws.send_str(blow) if isinstance(blow, str) else hub.ws.send_bytes(blow))
    except ConnectionError:
        pass


@pytest.mark.parametrize("mute", [None, "button"])
async def test_a_hostile_hub_gets_no_audio_and_ends_no_mute(
    each_interpreter: Interpreter, tmp_path: Path, mute: str | None
) -> None:
    """Ceiling "events", or all allowed but muted at the button: no packet, whatever the hub says."""
    wav = kitchen_wav(tmp_path / "room.wav", end_s=20)
    async with DeviceHub(mode="full", mute=False) as hub:
        settings = hub.settings(ceiling="full" if mute else "events", token=TOKEN)
        if mute:
            (tmp_path / "flash").mkdir()
            (tmp_path / "flash" / "state.json").write_text(json.dumps({"muted_at_button": True}))
        device = VirtualDevice(
            settings,
            wav,
            interpreter=each_interpreter,
            loop=True,
            folder=tmp_path / "flash" if mute else None,
        )
        async with device:
            for number, (blow, code) in enumerate(BLOWS, 1):
                await hub.until(lambda n=number: hub.connections >= n and hub.hellos[n - 1 :])
                errors = len(hub.of("error"))
                await hub.say(type="config", mode="full")
                await hub.say(type="mute", on=False)
                await throw(hub, blow)
                await hub.until(lambda n=number: hub.connections > n)
                fatal = [e["code"] for e in hub.of("error")[errors:] if e["fatal"]]
                assert fatal == [code] or (code is None and len(fatal) <= 1), (blow[:40], fatal)
            # A flood of orders: answered or counted as dropped, and the device lives on.
            await hub.until(lambda: len(hub.hellos) > len(BLOWS))
            for _ in range(FLOOD):
                await hub.say(type="config", mode="full", frames=10, kind="pcm_s16le")
            healths = len(hub.of("health"))
            await hub.say(type="mute", on=False)
            await hub.say(type="config", frames=2)
            await hub.until(lambda: len(hub.of("health")) > healths)
            assert hub.connections == len(BLOWS) + 1
            last = hub.of("health")[-1]
        assert hub.packet_count == 0
        refusals = {e["code"] for e in hub.of("error") if not e["fatal"]}
        if mute:
            assert last["mute"] == "button"
            assert {hello["mute"] for hello in hub.hellos} == {"button"}
            assert "muted_at_button" in refusals
            assert hub.of("level") == [] == hub.of("event")
            assert "virtual board: I2S off" not in device.log  # it was never on
        else:
            assert last["mode"] == "events"
            assert {hello["ceiling"] for hello in hub.hellos} == {"events"}
            assert "above_ceiling" in refusals


async def test_the_button_rules_over_hub_and_page(
    each_interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Through the real hub: pressed, nothing more is heard and REST cannot end it; pressed again, it is."""
    wav = kitchen_wav(tmp_path / "room.wav", end_s=20)
    async with serve(hub_config(tmp_path), engine=DigestEngine) as (hub, address), api(address) as call:
        await register(hub.store, "kitchen")
        packets: list[int] = []
        accept = hub.pipeline.accept

        def tap(stream: Any, kind: int, flags: int, frames: int, seq: int, *rest: Any) -> bool:
            packets.append(seq)
            return accept(stream, kind, flags, frames, seq, *rest)

        monkeypatch.setattr(hub.pipeline, "accept", tap)

        async def shown() -> dict[str, Any]:
            _, body = await call("GET", "/api/devices")
            return dict(body["items"][0])

        device = VirtualDevice(device_settings(address), wav, interpreter=each_interpreter, loop=True)
        async with device:
            await until(lambda: len(packets) > 10, "audio")
            await device.press_button()
            await device.wait_for("I2S off")
            await until(lambda: hub.fleet.devices()[0].mute == "button", "the hub to know of the mute")
            at_the_mute = len(packets)
            assert (await shown())["mute"] == "button"

            status, problem = await call("POST", "/api/devices/kitchen/mute", on=False)
            assert status == 409
            assert "muted at its button; only the button ends that" in problem["message"]
            # Muting it on the hub as well, and every mode that it has, change nothing about that.
            assert (await call("POST", "/api/devices/kitchen/mute", on=True))[0] == 200
            assert (await call("POST", "/api/devices/kitchen/mode", mode="full"))[0] == 200
            assert (await call("POST", "/api/devices/kitchen/mute", on=False))[0] == 409
            await asyncio.sleep(1)
            assert len(packets) == at_the_mute
            assert (await shown())["mute"] == "button"

            # The second press ends the button's mute. The hub's, ordered meanwhile, is still to be obeyed.
            await device.press_button()
            await until(lambda: hub.fleet.devices()[0].mute == "hub", "the hub's own mute to be in force")
            assert len(packets) == at_the_mute
            assert "link:" not in "".join(device.log)  # it was told so, not thrown out
            assert (await call("POST", "/api/devices/kitchen/mute", on=False))[0] == 200
            await until(lambda: len(packets) > at_the_mute + 10, "audio again")
            assert (await shown())["mute"] == "off"
