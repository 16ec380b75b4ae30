"""The application as a process where no 32-bit MicroPython runs it: tests/firmware has all that it must do.

These are its main paths under CPython, which stands in where no MicroPython can be had, and the 64-bit one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from device_hub import DeviceHub, conditioned, noise, talk, write_wav
from minerva import wire
from minerva_tools.virtual import Interpreter, VirtualDevice

SPEED = 4.0
STAND_INS = [pytest.param("cpython"), pytest.param("micropython-native", marks=pytest.mark.mpy)]

pytestmark = pytest.mark.parametrize("interpreter", STAND_INS, indirect=True)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """3 s of quiet, 3 s of talk, 30 s of quiet."""
    quiet = noise(30, -85, 2)
    return write_wav(tmp_path / "room.wav", np.concatenate([quiet[:48000], talk(3), quiet]))


def device(hub: DeviceHub, wav: Path, interpreter: Interpreter, **options) -> VirtualDevice:
    settings = hub.settings(**options.pop("settings", {}))
    options.setdefault("speed", SPEED)
    return VirtualDevice(settings, wav, interpreter=interpreter, full_scale_spl=120, **options)


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
