"""From the microphone to packets: gain and codecs to the bit, the gate, features, a microphone that fails."""

from __future__ import annotations

import asyncio
import warnings
import wave
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from minerva import wire
from minerva_hub.audio import decode_adpcm, mel64
from minerva_tools.conversation import load_demo

from tests.device.device_hub import DeviceHub, conditioned, noise, talk, write_wav

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

feature = pytest.mark.feature
RATE = 16_000


@feature(
    "Codecs",
    "`pcm_s16le`: every sample, bit for bit what the gain makes of the microphone's",
    needs=("sound",),
)
async def test_pcm(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    sound = talk(8)
    async with switch_on(hub, write_wav(tmp_path / "talk.wav", sound)):
        await hub.until(lambda: sum(p[3] for p in hub.packets) >= 370)
    assert hub.pcm()[: 7 * 32000] == conditioned(sound)[: 7 * 32000]


@feature("Codecs", "a gain of its own, with saturation: a microphone that clips sends full scale, not a wrap",
         needs=("sound", "settings"))  # fmt: skip
async def test_clipping(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    tone = 32767 * np.sign(np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE))
    sound = tone.astype(np.int16)
    async with switch_on(hub, write_wav(tmp_path / "loud.wav", sound), gain_db=30):
        await hub.until(lambda: sum(p[3] for p in hub.packets) >= 150 and hub.of("level"))
    got = hub.pcm()
    assert got[: 3 * 32000] == conditioned(sound, 30)[: 3 * 32000]
    samples = np.frombuffer(got, "<i2")
    assert samples.max() >= 32760 and samples.min() <= -32760
    assert max(m["peak_db"] for m in hub.of("level")) == pytest.approx(0, abs=0.01)


@feature(
    "Codecs", "`ima_adpcm`: the bytes of the reference encoder, each packet decodable alone", needs=("sound",)
)
async def test_adpcm(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    sound = talk(8)
    hub.welcome["kind"] = "ima_adpcm"
    async with switch_on(hub, write_wav(tmp_path / "talk.wav", sound)):
        await hub.until(lambda: sum(p[3] for p in hub.packets) >= 370)
    pcm = conditioned(sound)
    state, at = None, 0
    for packet in sorted(hub.packets, key=lambda p: p[4]):
        assert packet[0] == wire.IMA_ADPCM
        size = packet[3] * 640
        if at + size > 7 * 32000:
            break
        predictor, index = state or (0, 0)
        head = predictor.to_bytes(2, "little", signed=True) + bytes([index, 0])
        want, state = audioop.lin2adpcm(pcm[at : at + size], 2, state)
        assert bytes(packet[6]) == head + want, f"packet {packet[4]}"
        assert len(decode_adpcm(packet[6])) * 2 == size
        at += size
    assert at >= 6 * 32000


@feature("Gate", "a quiet room sends nothing in `speech`; speech opens it: BEGINS, pre-roll, hangover, ENDS",
         needs=("sound",))  # fmt: skip
async def test_gate(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    conversation = load_demo()
    first = conversation.reference.rooms[0].turns[0]
    said = conversation.sound["Kitchen"][int(first.start_s * RATE) : int(first.end_s * RATE)]
    quiet = noise(30, -77, 2)
    room = write_wav(tmp_path / "room.wav", np.concatenate([quiet[: 3 * RATE], said, quiet]))
    hub.welcome.update(kind="ima_adpcm", mode="speech")
    async with switch_on(hub, room, ceiling="speech"):
        await hub.until(lambda: any(p[1] & wire.ENDS for p in hub.packets))
        at_the_end = hub.packet_count
        ended = len(hub.of("level"))
        await hub.until(lambda: len(hub.of("level")) > ended + 12)
    assert hub.packet_count == at_the_end
    assert [p[1] for p in hub.packets] == [wire.BEGINS] + [0] * (at_the_end - 2) + [wire.ENDS]
    start, end = hub.packets[0][5], hub.packets[-1][5] + 60
    # A sentence, and its end in ms after the start; 0.48 s of pre-roll before it, a hangover of 1 to 3 s.
    over = 3250 + len(said) * 1000 // RATE
    assert 2500 <= start <= 3500
    assert over + 1000 <= end <= over + 3500
    assert all(b[5] - a[5] == 60 for a, b in pairwise(hub.packets)), "contiguous while it is open"


@feature("Gate", "a single transient (a clap, a crash) opens it for two seconds", needs=("sound",))
async def test_transient(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    sound = noise(14, -80, 3)
    clap = slice(4 * RATE, 4 * RATE + 800)
    sound[clap] = noise(0.05, -35, 4)
    hub.welcome.update(kind="ima_adpcm", mode="speech")
    async with switch_on(hub, write_wav(tmp_path / "clap.wav", sound)):
        await hub.until(lambda: any(p[1] & wire.ENDS for p in hub.packets))
        await hub.until(lambda: hub.of("level")[-1]["time_ms"] > 12_000)
    flags = [p[1] for p in hub.packets]
    assert flags[0] == wire.BEGINS and flags[-1] == wire.ENDS and set(flags[1:-1]) == {0}
    assert hub.packets[0][5] < 4250 < hub.packets[-1][5]
    assert 2000 <= hub.packets[-1][5] - 4250 <= 3500


@feature("Gate", "a fan that starts is sent for seconds, then it is the room's own noise", needs=("sound",))
async def test_steady_noise(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    sound = np.concatenate([noise(3, -80, 5), noise(25, -60, 6)])
    hub.welcome.update(kind="ima_adpcm", mode="speech")
    async with switch_on(hub, write_wav(tmp_path / "fan.wav", sound), speed=6):
        await hub.until(lambda: hub.of("level") and hub.of("level")[-1]["time_ms"] > 20_000)
    assert sum(p[3] for p in hub.packets) * 20 < 7000
    assert not hub.packets or hub.packets[-1][1] & wire.ENDS


@feature("Features", "`logmel_u8`: all within one step of `minerva-mel64` in float64", needs=("sound",),
         only="rust")  # fmt: skip
async def test_features(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    sound = talk(8)
    hub.welcome["mode"] = "features"
    async with switch_on(hub, write_wav(tmp_path / "talk.wav", sound)):
        await hub.until(lambda: sum(p[3] for p in hub.packets) >= 650)
    packets = sorted(hub.packets, key=lambda p: p[4])
    assert {p[0] for p in packets} == {wire.LOGMEL_U8}
    assert [p[4] for p in packets] == list(range(len(packets)))
    assert packets[0][1] & wire.BEGINS
    assert all(b[5] - a[5] == 10 * a[3] for a, b in pairwise(packets))
    got = np.frombuffer(b"".join(bytes(p[6]) for p in packets), np.uint8).reshape(-1, 64)
    want = mel64.quantise(mel64.log_mel(np.frombuffer(conditioned(sound), "<i2")))
    # The mode may come into force some hops after the microphone began.
    late = next(
        at for at in range(60) if np.abs(got[:20].astype(int) - want[at : at + 20].astype(int)).max() <= 1
    )
    want = want[late : late + 600].astype(int)
    assert np.abs(got[: len(want)].astype(int) - want).max() <= 1


@feature("Features", "packets last as long as audio's would, up to ten frames", needs=("sound",), only="rust")
async def test_feature_packets(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    hub.welcome.update(mode="features", frames=3)
    async with switch_on(hub, chatter):
        await hub.until(lambda: len(hub.packets) >= 20)
        await hub.say(type="config", frames=10)
        await hub.until(lambda: hub.packets[-1][3] == 10)
    assert {p[3] for p in hub.packets[1:15]} == {6}, "60 ms"


@feature("Features", "`hello.self_test` is the hash of the known signal's features", only="rust")
async def test_self_test(hub: DeviceHub, switch_on: Any) -> None:
    async with switch_on(hub):
        await hub.until(lambda: hub.hellos)
    assert hub.hellos[0]["self_test"] == mel64.self_test()


@feature("Microphone", "one that gives nothing is started anew, counted, and heard again when it is back",
         needs=("sound", "microphone"))  # fmt: skip
async def test_dead_microphone(hub: DeviceHub, switch_on: Any, chatter: Path) -> None:
    async with switch_on(hub, chatter, loop=True) as unit:
        await hub.until(lambda: len(hub.packets) >= 10)
        unit.microphone(False)
        await unit.says("microphone gave nothing")
        sent = hub.packet_count
        assert unit.running and hub.connections == 1, "the link stands all the while"
        unit.microphone(True)
        await hub.until(lambda: hub.packet_count >= sent + 5)
        await hub.say(type="config", frames=4)
        health = len(hub.of("health"))
        await hub.until(lambda: len(hub.of("health")) > health)
    assert hub.of("health")[-1]["drops"]["mic_restarts"] >= 1
    assert any(p[1] & wire.BEGINS for p in hub.packets[sent - 1 :])
    assert hub.packets[-1][5] - hub.packets[sent - 1][5] > 4000, "the gap is in its times"


@feature("Microphone", "silence is sent as silence, its level as the floor", needs=("sound",))
async def test_digital_silence(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    async with switch_on(hub, write_wav(tmp_path / "none.wav", np.zeros(4 * RATE, np.int16)), loop=True):
        await hub.until(lambda: len(hub.packets) >= 40 and len(hub.of("level")) >= 8)
        await asyncio.sleep(0)
    assert not any(hub.pcm()[32000:])
    assert hub.of("level")[-1]["rms_db"] <= -84


@feature(
    "Microphone", "a recording that is not 16 kHz, mono, 16 bits is refused with a sentence", needs=("sound",)
)
@pytest.mark.parametrize(("channels", "rate", "width"), [(2, 16_000, 2), (1, 44_100, 2), (1, 16_000, 1)])
async def test_another_recording(
    hub: DeviceHub, switch_on: Any, tmp_path: Path, channels: int, rate: int, width: int
) -> None:
    path = tmp_path / "other.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(bytes(channels * width * rate))
    async with switch_on(hub, path) as unit:
        await unit.says(f"{channels} channels, {rate} Hz, {8 * width} bits")
        await unit.says("wanted 1, 16000, 16")
        assert hub.packet_count == 0
