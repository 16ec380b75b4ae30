"""The unmodified application, as a process, against a real WebSocket server."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from device_hub import DeviceHub, conditioned, noise, talk, write_wav
from minerva import wire
from minerva_tools.virtual import Interpreter, VirtualDevice

SPEED = 4.0


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """3 s of quiet, 3 s of talk, 30 s of quiet."""
    quiet = noise(30, -85, 2)
    return write_wav(tmp_path / "room.wav", np.concatenate([quiet[:48000], talk(3), quiet]))


def device(hub: DeviceHub, wav: Path, interpreter: Interpreter, **options) -> VirtualDevice:
    settings = hub.settings(**options.pop("settings", {}))
    options.setdefault("speed", SPEED)
    return VirtualDevice(settings, wav, interpreter=interpreter, full_scale_spl=120, **options)


async def test_says_hello_and_reports_health_and_levels(interpreter: Interpreter, room: Path) -> None:
    async with DeviceHub() as hub, device(hub, room, interpreter, settings={"ceiling": "speech"}):
        await hub.until(lambda: len(hub.of("health")) >= 3 and len(hub.of("level")) >= 8)
    hello = hub.hellos[0]
    assert hello["device"] == "kitchen"
    assert hello["ceiling"] == "speech"
    assert hello["firmware"]["board"] == "virtual"
    assert hello["firmware"]["variant"] == interpreter.name
    health = hub.of("health")
    assert [h["n"] for h in health[:3]] == [0, 1, 2]
    assert health[2]["time_ms"] - health[1]["time_ms"] == pytest.approx(10_000, abs=1500)
    assert set(health[0]["drops"]) == {"overwritten", "discontinuities", "outbox", "mic_restarts"}
    assert health[0]["slot"] == hello["slot"]
    levels = hub.of("level")
    assert all(b["time_ms"] - a["time_ms"] >= 250 for a, b in pairwise(levels))


async def test_speech_mode_sends_only_what_the_gate_lets_through(
    interpreter: Interpreter, room: Path
) -> None:
    async with (
        DeviceHub(kind="ima_adpcm", mode="speech") as hub,
        device(hub, room, interpreter, settings={"ceiling": "speech"}),
    ):
        await hub.until(lambda: any(p[1] & wire.ENDS for p in hub.packets))
        at_the_end = hub.packet_count
        ended = len(hub.of("level"))
        await hub.until(lambda: len(hub.of("level")) > ended + 12)
    assert hub.packet_count == at_the_end
    assert [p[1] for p in hub.packets] == [wire.BEGINS] + [0] * (at_the_end - 2) + [wire.ENDS]
    assert {p[0] for p in hub.packets} == {wire.IMA_ADPCM}
    start, end = hub.packets[0][5], hub.packets[-1][5] + 60
    # Speech begins 3.25 s after the start; 0.48 s of pre-roll before it, 2 s for its last transient after it.
    assert 2500 <= start <= 3300
    assert 7500 <= end <= 9500


async def test_full_mode_delivers_every_sample(interpreter: Interpreter, tmp_path: Path) -> None:
    sound = talk(8)
    wav = write_wav(tmp_path / "talk.wav", sound)
    async with DeviceHub() as hub, device(hub, wav, interpreter):
        await hub.until(lambda: sum(p[3] for p in hub.packets) >= 370)
    got = hub.pcm()
    assert got[: 7 * 32000] == conditioned(sound)[: 7 * 32000]


async def test_a_broken_connection_loses_and_repeats_nothing(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    sound = talk(16)
    wav = write_wav(tmp_path / "talk.wav", sound)
    async with DeviceHub() as hub:
        hub.resume = lambda: hub.packets[-5][4] if len(hub.packets) > 5 else None
        async with device(hub, wav, interpreter):
            for packets in (40, 110):
                await hub.until(lambda n=packets: len(hub.packets) >= n)
                hub.cut()
            await hub.until(lambda: len({p[4] for p in hub.packets}) >= 240)
    assert hub.connections == 3
    assert len({h["boot_id"] for h in hub.hellos}) == 1
    assert hub.pcm()[: 14 * 32000] == conditioned(sound)[: 14 * 32000]
    # From the resume point, oldest first: four packets twice after each cut, and no more.
    numbers = [p[4] for p in hub.packets]
    falls = [i for i in range(1, len(numbers)) if numbers[i] <= numbers[i - 1]]
    assert len(falls) == 2
    assert all(numbers[i] == numbers[i - 5] + 1 for i in falls)


async def test_what_the_ring_could_not_keep_is_counted_and_the_rest_is_in_order(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "talk.wav", talk(60))
    hub = await DeviceHub().start()
    try:
        async with device(hub, wav, interpreter, settings={"ring_bytes": 65536}) as it:
            await hub.until(lambda: len(hub.packets) >= 20)
            await hub.stop()
            before = {p[4] for p in hub.packets}
            await it.wait_for("nobody listens")
            again = DeviceHub()
            again.resume = lambda: max(before)
            # 65536 bytes hold 33 packets, 2 s: half a second of real time at this speed.
            await asyncio.sleep(2.5)
            await again.start(hub.port)
            await again.until(lambda: len(again.packets) >= 40 and again.of("health"))
            await again.stop()
    finally:
        await hub.stop()
    numbers = [p[4] for p in again.packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    lost = numbers[0] - max(before) - 1
    assert lost > 20
    assert again.of("health")[-1]["drops"]["overwritten"] >= lost - 40


async def test_the_button_mutes_at_once_and_only_the_button_ends_it(
    interpreter: Interpreter, room: Path, tmp_path: Path
) -> None:
    flash = tmp_path / "flash"
    flash.mkdir()
    async with DeviceHub() as hub:
        async with device(hub, room, interpreter, folder=flash) as it:
            await hub.until(lambda: len(hub.packets) >= 10)
            await it.press_button()
            await it.wait_for("I2S off")
            await hub.until(lambda: hub.of("mute"))
            assert hub.of("mute")[-1]["state"] == "button"
            sent = hub.packet_count
            # A hostile hub tries everything it has.
            await hub.say(type="mute", on=False)
            await hub.say(type="config", mode="full")
            await hub.say(type="mute", on=True)
            await hub.say(type="mute", on=False)
            await hub.until(lambda: len(hub.of("error")) >= 2)
            assert {e["code"] for e in hub.of("error")} == {"muted_at_button"}
            levels = len(hub.of("level"))
            hub.cut()
            await hub.until(lambda: hub.connections == 2 and len(hub.of("health")) >= 3)
            assert hub.hellos[-1]["mute"] == "button"
            assert hub.packet_count == sent
            assert len(hub.of("level")) == levels
        # Taking the power away does not end it either.
        async with device(hub, room, interpreter, folder=flash) as it:
            await hub.until(lambda: hub.connections == 3 and hub.of("health")[-1]["mute"] == "button")
            assert hub.hellos[-1]["mute"] == "button"
            assert "virtual board: I2S off" not in it.log  # it was never on
            assert hub.packet_count == sent
            await it.press_button()
            await hub.until(lambda: hub.packet_count > sent + 5)
            assert hub.packets[sent][1] & wire.BEGINS


async def test_a_hostile_hub_cannot_raise_the_ceiling(interpreter: Interpreter, room: Path) -> None:
    async with (
        DeviceHub(mode="full") as hub,
        device(hub, room, interpreter, settings={"ceiling": "events"}),
    ):
        for mode in ("full", "speech", "features"):
            await hub.until(lambda: hub.ws and hub.of("health"))
            await hub.say(type="config", mode=mode)
        await hub.until(lambda: len(hub.of("error")) >= 4 and len(hub.of("level")) >= 30)
    assert {e["code"] for e in hub.of("error")} == {"above_ceiling"}
    assert hub.packet_count == 0
    assert {h["mode"] for h in hub.of("health")} == {"events"}


async def test_events_mode_tells_of_loud_sounds_only(interpreter: Interpreter, room: Path) -> None:
    async with DeviceHub(mode="events") as hub, device(hub, room, interpreter):
        await hub.until(lambda: hub.of("event"))
    event = hub.of("event")[0]
    assert event["label"] == "loud_sound"
    assert 3000 <= event["start_ms"] <= 3900
    assert event["end_ms"] - event["start_ms"] >= 2000
    assert hub.packet_count == 0


async def test_modes_lowered_and_raised_by_the_hub(interpreter: Interpreter, room: Path) -> None:
    async with DeviceHub() as hub, device(hub, room, interpreter) as it:
        await hub.until(lambda: len(hub.packets) >= 5)
        await hub.say(type="config", mode="features")
        await hub.until(lambda: hub.of("error"))
        assert hub.of("error")[0]["code"] == "unsupported_mode"
        await hub.until(lambda: hub.of("health")[-1]["mode"] == "events")
        await hub.say(type="mute", on=True)
        await it.wait_for("I2S off")
        await hub.until(lambda: hub.of("mute") and hub.of("mute")[-1]["state"] == "hub")
        sent = hub.packet_count
        await hub.say(type="mute", on=False)
        await hub.say(type="config", mode="full", kind="ima_adpcm", frames=5)
        await hub.until(lambda: hub.packet_count >= sent + 5)
    assert {p[0] for p in hub.packets[sent:]} == {wire.IMA_ADPCM}
    # The packet that was being filled when the order came is cut short, and nothing of it is lost.
    assert [p[3] for p in hub.packets[sent + 1 :]] == [5] * (hub.packet_count - sent - 1)
    for a, b in pairwise(hub.packets[sent:]):
        assert b[5] - a[5] == 20 * a[3]
    assert hub.packets[sent][1] & wire.BEGINS


async def test_bad_words_from_the_hub_end_that_connection_only(interpreter: Interpreter, room: Path) -> None:
    bad = (
        '{"type":"config"} and more',
        '{"type":"reboot"}',
        '{"type":"config","frames":"many"}',
        '{"type":"welcome","protocol":1,"hub":"h","utc_ms":0,"mode":"full","mute":false,"kind":"pcm_s16le","frames":3}',
    )
    want = ("bad_json", "unknown_type", "bad_field", "unexpected_message")
    async with DeviceHub() as hub, device(hub, room, interpreter):
        for i, text in enumerate(bad):
            await hub.until(lambda i=i: hub.connections == i + 1 and len(hub.of("health")) > i)
            assert hub.ws is not None
            await hub.ws.send_str(text)
            await hub.until(lambda i=i: len(hub.of("error")) > i)
        await hub.until(lambda: hub.connections == len(bad) + 1)
    assert tuple(e["code"] for e in hub.of("error")) == want


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (wire.error_message("unauthorized", "no such token", True), "unauthorized"),
        ({"type": "welcome", "protocol": 2}, "unsupported_version"),
    ],
)
async def test_a_hub_that_refuses_is_said_and_tried_again(
    interpreter: Interpreter, room: Path, answer: dict, said: str
) -> None:
    async with DeviceHub() as hub:
        hub.answer = json.dumps(answer)
        async with device(hub, room, interpreter) as it:
            await it.wait_for(said)
            await hub.until(lambda: hub.connections >= 2)
            hub.answer = None
            await hub.until(lambda: hub.packet_count >= 5)


async def test_wifi_that_goes_and_comes_back(interpreter: Interpreter, room: Path) -> None:
    async with (
        DeviceHub() as hub,
        device(hub, room, interpreter, settings={"wifi": {"ssid": "home", "password": "x"}}) as it,
    ):
        await hub.until(lambda: hub.of("health"))
        assert hub.of("health")[0]["rssi"] == -52
        await it.set_wifi(False)
        hub.cut()
        # Without Wi-Fi it does not come back…
        await asyncio.sleep(1)
        assert hub.connections == 1
        await it.set_wifi(True)
        await hub.until(lambda: hub.connections == 2)


async def test_wrong_settings_are_said_and_end_it(interpreter: Interpreter, room: Path) -> None:
    it = VirtualDevice(
        {"device": "kitchen", "url": "ws://10.0.0.1/link", "token": "t"}, room, interpreter=interpreter
    )
    async with it:
        assert await it.wait() == 0
        line = await it.wait_for("settings.json: url")
    assert "loopback" in line


async def test_times_past_2_30(interpreter: Interpreter, room: Path) -> None:
    boot = (1 << 30) - 2000
    async with DeviceHub() as hub, device(hub, room, interpreter, boot_ms=boot):
        await hub.until(lambda: len(hub.packets) >= 100 and len(hub.of("level")) >= 20)
    times = [p[5] for p in hub.packets]
    assert times[0] < 1 << 30 < times[-1]
    assert all(b - a == 60 for a, b in pairwise(times))
    assert hub.hellos[0]["time_ms"] >= boot
    assert hub.of("level")[-1]["time_ms"] > 1 << 30
