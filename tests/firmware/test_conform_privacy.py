"""Modes, ceiling and mute: what may leave the device, whatever the hub says."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from minerva import wire

from tests.device.device_hub import DeviceHub, noise, write_wav

feature = pytest.mark.feature
MAY = {"mute": set(), "events": {"level"}, "features": {"level", "features"}, "speech": {"level", "audio"},
       "full": {"level", "audio"}}  # fmt: skip


def heard(hub: DeviceHub, since: tuple[int, int]) -> set[str]:
    """What came since (messages, packets)."""
    kinds = {"features" if p[0] == wire.LOGMEL_U8 else "audio" for p in hub.packets[since[1] :]}
    return kinds | {m["type"] for m in hub.messages[since[0] :] if m["type"] == "level"}


async def modes_in_turn(hub: DeviceHub, unit: Any, modes: list[str]) -> None:
    """Ask for each mode; what comes in it must be what docs/protocol.md allows, no less and no more."""
    for mode in modes:
        await hub.say(type="config", mode=mode)
        await hub.until(lambda m=mode: hub.of("health") and hub.of("health")[-1]["mode"] == m)
        since = len(hub.messages), len(hub.packets)
        if MAY[mode]:
            await hub.until(lambda s=since, m=mode: heard(hub, s) >= MAY[m])
        await asyncio.sleep(0.4)  # 1.6 s of its time
        assert heard(hub, since) == MAY[mode], mode


@feature(
    "Modes", "`mute`, `events`, `speech`, `full`: sends what each allows and nothing else", needs=("sound",)
)
async def test_modes(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    async with switch_on(hub, chatter, loop=True) as unit:
        await hub.until(lambda: hub.packets)
        await modes_in_turn(hub, unit, ["events", "full", "mute", "speech", "events", "mute", "full"])


@feature("Modes", "`features`: log-mel and levels, and no audio", needs=("sound",), only="rust")
async def test_features_mode(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    async with switch_on(hub, chatter, loop=True) as unit:
        await hub.until(lambda: hub.packets)
        await modes_in_turn(hub, unit, ["features", "full", "features", "events", "features", "speech"])


@feature("Modes", "a mode that it lacks is `unsupported_mode`, and it takes the next more private one")
async def test_mode_that_is_lacking(hub: DeviceHub, switch_on: Any) -> None:
    async with switch_on(hub):
        await hub.until(lambda: hub.of("health"))
        lacking = [mode for mode in wire.MODES if mode not in hub.hellos[0]["modes"]]
        for mode in lacking:
            errors = len(hub.of("error"))
            await hub.say(type="config", mode=mode)
            await hub.until(lambda n=errors: len(hub.of("error")) > n)
            assert hub.of("error")[-1]["code"] == "unsupported_mode"
            lower = [m for m in wire.MODES[: wire.MODES.index(mode)] if m in hub.hellos[0]["modes"]][-1]
            await hub.until(lambda m=lower: hub.of("health")[-1]["mode"] == m)
        assert set(hub.hellos[0]["modes"]) | set(lacking) == set(wire.MODES)


@feature(
    "Modes",
    "takes the kind and the frames of packets that the hub asks for, without a loss",
)
async def test_kind_and_frames(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    async with switch_on(hub, chatter):
        await hub.until(lambda: len(hub.packets) >= 5)
        await hub.say(type="mute", on=True)
        await hub.until(lambda: hub.of("mute") and hub.of("mute")[-1]["state"] == "hub")
        sent = hub.packet_count
        await hub.say(type="config", mode="full", kind="ima_adpcm", frames=5)
        await hub.say(type="mute", on=False)
        await hub.until(lambda: hub.packet_count >= sent + 5)
        await hub.say(type="config", frames=2)
        await hub.until(lambda: hub.packets[-1][3] == 2)
    assert {p[0] for p in hub.packets[sent:]} == {wire.IMA_ADPCM}
    frames = [p[3] for p in hub.packets[sent:]]
    # The packet that was being filled when an order came is cut short, and nothing of it is lost.
    assert sorted(set(frames[1 : frames.index(2)])) in ([5], [1, 5], [3, 5], [4, 5]), frames
    for a, b in pairwise(hub.packets[sent:]):
        assert b[5] - a[5] == 20 * a[3]
    assert hub.packets[sent][1] & wire.BEGINS


@feature("Modes", "a media kind that it lacks is `unknown_kind`, and it stays with what it had")
async def test_kind_that_is_lacking(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    hub.welcome["kind"] = "logmel_u8"  # never one of audio
    async with switch_on(hub, chatter):
        await hub.until(lambda: hub.packet_count >= 5)
        await hub.say(type="config", kind="logmel_u8")
        await hub.until(lambda: len(hub.of("error")) == 2)
        assert {e["code"] for e in hub.of("error")} == {"unknown_kind"}
    assert {p[0] for p in hub.packets} == {wire.KINDS[hub.hellos[0]["kinds"][0]]}


@feature("Ceiling", "an order above it is `above_ceiling` and changes nothing, in welcome and config",
         needs=("settings",))  # fmt: skip
@pytest.mark.parametrize("ceiling", ["mute", "events", "speech"])
async def test_ceiling(hub: DeviceHub, switch_on: Any, ceiling: str) -> None:
    above = wire.MODES[wire.MODES.index(ceiling) + 1 :]
    async with switch_on(hub, ceiling=ceiling):
        for mode in above:
            await hub.until(lambda: hub.ws and hub.of("health"))
            await hub.say(type="config", mode=mode)
        await hub.until(lambda: len(hub.of("error")) >= len(above) + 1)
        health = len(hub.of("health"))
        await hub.say(type="config", frames=4)
        await hub.until(lambda: len(hub.of("health")) > health)
    assert {e["code"] for e in hub.of("error")} == {"above_ceiling"}
    assert hub.packet_count == 0
    assert {h["mode"] for h in hub.of("health")} == {ceiling}
    assert hub.hellos[0]["ceiling"] == ceiling


@feature("Mute", "the hub's mute stops the microphone at once, and the hub may end it")
async def test_hub_mute(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    hub.welcome["mute"] = True
    async with switch_on(hub, chatter, loop=True) as unit:
        await hub.until(lambda: hub.of("health"))
        assert hub.of("health")[-1]["mute"] == "hub"
        await asyncio.sleep(0.5)
        assert hub.packet_count == 0 and not hub.of("level")
        await hub.say(type="mute", on=False)
        await hub.until(lambda: hub.packet_count >= 5)
        await hub.say(type="mute", on=True)
        if "sound" in unit.variant.can:
            await unit.says("I2S off")  # the virtual board's own word for it
        await hub.until(lambda: hub.of("mute") and hub.of("mute")[-1]["state"] == "hub")
        since = len(hub.messages), len(hub.packets)
        await asyncio.sleep(0.5)
        assert heard(hub, since) == set()


@feature("Mute", "the button mutes at once, without a hub too; only the button ends it, not even a power cut",
         needs=("sound", "button", "power"))  # fmt: skip
async def test_button(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    async with switch_on(hub, chatter, loop=True) as unit:
        await hub.until(lambda: len(hub.packets) >= 10)
        unit.press()
        await unit.says("I2S off")
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
    async with switch_on(hub, chatter, loop=True) as unit:
        await hub.until(lambda: hub.connections == 3 and hub.of("health")[-1]["mute"] == "button")
        assert hub.hellos[-1]["mute"] == "button"
        assert "I2S off" not in unit.log, "it was never on"
        assert hub.packet_count == sent
        unit.press()
        await hub.until(lambda: hub.packet_count > sent + 5)
        assert hub.packets[sent][1] & wire.BEGINS
    # Nor does it take a hub.
    await hub.stop()
    async with switch_on(hub, chatter, loop=True) as unit:
        await unit.says("nobody listens")
        unit.press()
        await unit.says("I2S off")


@feature(
    "Mute",
    "what was heard before a mute and still waits for the link is never sent",
    needs=("sound", "button"),
)
async def test_nothing_after_a_mute(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    async with switch_on(hub, chatter, loop=True) as unit:
        await hub.until(lambda: len(hub.packets) >= 10)
        await hub.stop()
        await unit.says("nobody listens")
        unit.press()
        await unit.says("I2S off")
        again = await DeviceHub().start(hub.port)
        try:
            await again.until(lambda: again.of("health"))
            await asyncio.sleep(0.5)
            assert again.packet_count == 0 and not again.of("level")
        finally:
            await again.stop()


async def stalled(hub: DeviceHub, unit: Any) -> tuple[int, int]:
    """Stall its network with sound on the way: (packets, levels) that had left by then."""
    unit.network(False)
    await unit.says("the network takes nothing")
    await asyncio.sleep(0.5)  # what it took is in this process's sockets already; 2 s of sound wait behind it
    return len(hub.packets), len(hub.of("level"))


async def ten_more(hub: DeviceHub) -> None:
    """Wait for packets."""
    have = len(hub.packets)
    await hub.until(lambda: len(hub.packets) >= have + 10)


def withheld(hub: DeviceHub) -> int:
    return int(hub.of("health")[-1]["drops"]["withheld"])


@feature(
    "Mute",
    "nothing of what was heard begins to leave after a mute, not even a frame already made",
    needs=("sound", "button", "network"),
)
async def test_a_frame_that_had_not_begun(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    async with switch_on(hub, chatter, loop=True) as unit:
        for pause_s in (0, 0.06, 0.11, 0.17):  # it may be a packet that is next, or a level
            await ten_more(hub)
            await asyncio.sleep(pause_s)
            before, mutes = withheld(hub), len(hub.of("mute"))
            left = await stalled(hub, unit)
            unit.press()
            await unit.says("I2S off")
            unit.network(True)
            await hub.until(lambda n=mutes: len(hub.of("mute")) > n)
            await hub.until(lambda n=before: withheld(hub) > n + 20)
            await asyncio.sleep(0.3)
            assert (len(hub.packets), len(hub.of("level"))) == left
            unit.press()
        await ten_more(hub)
    assert hub.connections == 1
    numbers = [packet[4] for packet in hub.packets]
    assert numbers == list(range(len(numbers))), "a pause is no loss"


@feature(
    "Modes",
    "a packet already made for the link is taken back when the mode forbids it, if it has not begun",
    needs=("sound", "network"),
)
async def test_a_packet_that_had_not_begun(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    async with switch_on(hub, chatter, loop=True) as unit:
        for pause_s in (0, 0.06, 0.11, 0.17):
            await ten_more(hub)
            await asyncio.sleep(pause_s)
            packets, _ = await stalled(hub, unit)
            await hub.say(type="config", mode="events")
            await unit.says("mode: events")
            unit.network(True)
            await hub.until(lambda: hub.of("health")[-1]["mode"] == "events")
            levels = len(hub.of("level"))
            await hub.until(lambda n=levels: len(hub.of("level")) >= n + 4)
            assert len(hub.packets) == packets
            await hub.say(type="config", mode="full")
        await ten_more(hub)
    assert [packet[4] for packet in hub.packets] == list(range(len(hub.packets)))


@feature("Modes", "`speech` after `full` sends nothing recorded before it, which is `withheld` and no loss",
         needs=("sound", "settings"))  # fmt: skip
async def test_full_to_speech(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    quiet = write_wav(tmp_path / "quiet_room.wav", noise(60, -85))
    async with switch_on(hub, quiet, ceiling="full") as unit:
        await hub.until(lambda: len(hub.packets) >= 10)
        await hub.stop()
        await unit.says("nobody listens")
        again = DeviceHub()
        again.welcome["mode"] = "speech"
        again.resume = lambda: hub.packets[-1][4]
        await asyncio.sleep(0.5)  # 2 s of its time, of which the gate would have sent nothing
        await again.start(hub.port)
        try:
            await again.until(lambda: again.of("health") and again.of("health")[-1]["mode"] == "speech")
            await again.until(lambda: len(again.of("level")) >= 4)
            drops = again.of("health")[-1]["drops"]
            assert again.packet_count == 0
            assert drops["withheld"] >= 20 and drops["overwritten"] == 0
            await again.say(type="config", mode="full")
            await again.until(lambda: again.packet_count > 5)
        finally:
            await again.stop()
    # The numbers of what was never sent are used again: the hub sees a pause, not a loss.
    last, first = hub.packets[-1], again.packets[0]
    assert first[1] & wire.BEGINS
    assert first[4] - last[4] <= (first[5] - last[5]) / 60 - 30


@feature("Events", "in `events` a loud sound is told with its times, and no audio", needs=("sound",))
async def test_loud_sound(hub: DeviceHub, switch_on: Any, room: Path) -> None:
    hub.welcome["mode"] = "events"
    async with switch_on(hub, room):
        await hub.until(lambda: hub.of("event"))
    event = hub.of("event")[0]
    assert event["label"] == "loud_sound"
    assert 3000 <= event["start_ms"] <= 3900
    assert event["end_ms"] - event["start_ms"] >= 2000
    assert hub.packet_count == 0


@feature("Events", "a loud sound that a change of mode cut short is not told of later", needs=("sound",))
async def test_loud_sound_cut_short(hub: DeviceHub, switch_on: Any, room: Path) -> None:
    hub.welcome["mode"] = "events"
    async with switch_on(hub, room):
        await hub.until(lambda: any(m["rms_db"] > -40 for m in hub.of("level")))
        await asyncio.sleep(0.1)
        await hub.say(type="config", mode="full")
        await hub.until(lambda: len(hub.packets) >= 150)  # 9 s: it is long over
        told = len(hub.of("event"))
        await hub.say(type="config", mode="events")
        await hub.until(lambda: hub.of("health")[-1]["mode"] == "events")
        levels = len(hub.of("level"))
        await hub.until(lambda: len(hub.of("level")) > levels + 4)
    assert len(hub.of("event")) == told


@feature("Answers", "`play` and `update` that it cannot do are `unsupported_play` and `unsupported_update`")
async def test_unsupported(hub: DeviceHub, switch_on: Any) -> None:
    async with switch_on(hub):
        await hub.until(lambda: hub.of("health"))
        await hub.say(type="play", action="start", stream=1, kind="pcm_s16le")
        await hub.say(type="update", action="check")
        await hub.until(lambda: len(hub.of("error")) == 2)
    assert [(e["code"], e["fatal"]) for e in hub.of("error")] == [
        ("unsupported_play", False),
        ("unsupported_update", False),
    ]
    assert hub.connections == 1
