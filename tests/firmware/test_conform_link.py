"""The link: what a device says first, how it takes a refusal, and what it does with a hub that is none."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from minerva import messages, wire

from tests.device.device_hub import DeviceHub
from tests.firmware.raw_hub import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    Conversation,
    RawHub,
    Script,
    frame,
    text,
    welcome,
)

feature = pytest.mark.feature


async def stay(link: Conversation) -> None:
    """A hub as it should be, until the device goes."""
    await link.open()
    await link.hear_message("hello")
    await link.send(welcome())
    await link.last_words()


@feature("Link", "offers `minerva.v1`, masks its frames and says a valid hello first", needs=("socket",))
async def test_says_hello(variant: Any, switch_on: Any) -> None:
    seen: dict[str, Any] = {}

    async def look(link: Conversation) -> None:
        headers = await link.request()
        seen.update(headers)
        await link.send(link.accept(headers))
        opcode, payload = await link.hear()
        seen["hello"] = messages.decode_message(payload, messages.FROM_DEVICE)
        assert opcode == TEXT
        await link.send(welcome())

    async with RawHub(look, then=stay) as hub, switch_on(hub, ceiling="speech"):
        await hub.until_finished(1)
    assert seen[":request"] == "GET /link HTTP/1.1"
    assert (seen["upgrade"].lower(), seen["sec-websocket-version"]) == ("websocket", "13")
    assert seen["sec-websocket-protocol"] == wire.SUBPROTOCOL
    hello = seen["hello"]
    assert (hello["type"], hello["device"], hello["token"]) == ("hello", "kitchen", "t")
    assert (hello["ceiling"], hello["mode"], hello["mute"]) == ("speech", "speech", "off")
    assert hello["firmware"]["variant"] == variant.name and hello["firmware"]["board"] == "virtual"
    assert {"mute", "events", "speech", "full"} <= set(hello["modes"])
    assert {"ima_adpcm", "pcm_s16le"} <= set(hello["kinds"])


@feature("Link", "a new `boot_id` after each power cut, the same one at each reconnect", needs=("power",))
async def test_boot_id(hub: DeviceHub, switch_on: Any) -> None:
    async with switch_on(hub):
        await hub.until(lambda: hub.of("health"))
        hub.cut()
        await hub.until(lambda: len(hub.hellos) == 2)
    async with switch_on(hub):
        await hub.until(lambda: len(hub.hellos) == 3)
    first, again, after = (hello["boot_id"] for hello in hub.hellos)
    assert first == again != after


@feature("Link", "takes messages whole, in fragments and byte by byte, and answers pings", needs=("socket",))
async def test_fragments(switch_on: Any) -> None:
    async def bit_by_bit(link: Conversation) -> None:
        for byte in link.accept(await link.request()):
            await link.send(bytes([byte]))
            await asyncio.sleep(0)
        await link.hear_message("hello")
        for byte in welcome(frames=5):
            await link.send(bytes([byte]))
            await asyncio.sleep(0)
        message = json.dumps({"type": "config", "frames": 2}).encode()
        await link.send(frame(TEXT, message[:7], final=False))
        await link.send(frame(PING, b"in between"))
        await link.send(frame(0, message[7:20], final=False))
        await link.send(frame(0, message[20:]))
        pong, sizes = False, []
        while not pong or not sizes or sizes[-1] != 2:
            opcode, payload = await link.hear()
            pong = pong or (opcode == 10 and payload == b"in between")
            if opcode == BINARY:
                sizes.append(wire.decode_media(payload)[3])

    async with RawHub(bit_by_bit, then=stay) as hub, switch_on(hub):
        await hub.until_finished(1)


REFUSALS = {
    "unauthorized": messages.error_message("unauthorized", "no such token", True),
    "overloaded": messages.error_message("overloaded", "try later", True),
    "unsupported_version": {"type": "welcome", "protocol": 2},
}


@feature("Refusal", "says why it was refused (token, load, version), and tries again", needs=("settings",))
@pytest.mark.parametrize("code", REFUSALS)
async def test_refused(hub: DeviceHub, switch_on: Any, code: str) -> None:
    hub.answer = json.dumps(REFUSALS[code])
    async with switch_on(hub) as unit:
        await unit.says(code)
        await hub.until(lambda: hub.connections >= 2)
        hub.answer = None
        await hub.until(lambda: hub.packet_count >= 5)


@feature("Refusal", "leaves a hub that does not select `minerva.v1`, and says so", needs=("socket",))
@pytest.mark.parametrize("protocol", [None, "minerva.v9"])
async def test_other_subprotocol(switch_on: Any, protocol: str | None) -> None:
    async def other(link: Conversation) -> None:
        headers = await link.request()
        await link.send(link.accept(headers, protocol))
        assert await link.reader.read(1) in (b"", b"\x88"), "it says nothing to such a hub but goodbye"

    async with RawHub(other, then=stay) as hub, switch_on(hub) as unit:
        await unit.says("unsupported_version")
        await hub.until_finished(1)


@feature(
    "Refusal", "takes an answer that is no WebSocket's for what it is, and tries again", needs=("socket",)
)
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: d3Jvbmc=\r\nSec-WebSocket-Protocol: minerva.v1\r\n\r\n",
        b"\x00\xff\xfe garbage \r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n" + b"x" * 20_000,
    ],
    ids=["404", "wrong proof", "garbage", "endless"],
)
async def test_no_websocket(switch_on: Any, answer: bytes) -> None:
    async def no_websocket(link: Conversation) -> None:
        await link.request()
        await link.send(answer)
        await link.reader.read()

    async with RawHub(no_websocket, then=stay) as hub, switch_on(hub) as unit:
        await unit.says("link:")
        await hub.until_finished(1)
        while hub.connections < 2:
            await asyncio.sleep(0.05)
        assert unit.running


# What a hub may say to a device that is live, and the code with which the device must end that connection.
BAD_WORDS = {
    "more than JSON": (frame(TEXT, b'{"type":"config"} and more'), "bad_json"),
    "not UTF-8": (frame(TEXT, b'{"type":"config","kind":"\xff\xfe"}'), None),
    "deep": (frame(TEXT, b'{"type":"config","x":' + b"[" * 40 + b"]" * 40 + b"}"), "bad_json"),
    "brackets": (frame(TEXT, b'{"type":"config","x":[' + b"[]," * 700 + b"[]]}"), "bad_json"),
    "unknown type": (text({"type": "reboot"}), "unknown_type"),
    "wrong field": (text({"type": "config", "frames": "many"}), "bad_field"),
    "out of range": (text({"type": "config", "frames": 11}), "bad_field"),
    "second welcome": (welcome(), "unexpected_message"),
    "hello from the hub": (text({"type": "hello"}), "unknown_type"),
    "too long": (text({"type": "config", "note": "x" * wire.MAX_TEXT}), None),
    "media": (
        frame(BINARY, wire.encode_media(wire.PCM_S16LE, 0, 1, 3, 0, 0, bytes(1920))),
        "forbidden_media",
    ),
    "too much media": (frame(BINARY, bytes(wire.MAX_MEDIA + 1)), None),
    "64 kB": (frame(BINARY, b"", size=1 << 20), None),
    "masked": (frame(TEXT, b"{}", masked=True), None),
    "reserved bits": (b"\xf1\x02{}", None),
    "unknown opcode": (frame(3, b""), None),
    "continuation of nothing": (frame(0, b"{}"), None),
    "long ping": (frame(PING, bytes(126)), None),
}


@feature(
    "Bad input", "ends the connection over a frame or message that is none, and comes back", needs=("socket",)
)
@pytest.mark.parametrize("name", BAD_WORDS)
async def test_bad_words(switch_on: Any, name: str) -> None:
    blow, code = BAD_WORDS[name]
    ends: list[tuple[str | None, int | None]] = []

    async def strike(link: Conversation) -> None:
        await link.open()
        await link.hear_message("hello")
        await link.send(welcome())
        await link.hear_message("health")
        await link.send(blow)
        ends.append(await link.last_words())

    async with RawHub(strike, then=stay) as hub, switch_on(hub) as unit:
        await hub.until_finished(1)
        while hub.connections < 2:
            await asyncio.sleep(0.05)
        assert unit.running
    if code is not None:
        assert ends == [(code, 1008)]


@feature("Bad input", "a flood of errors or orders from the hub is cut short in its log, and counted",
         needs=("sound",))  # fmt: skip
async def test_flood_of_errors(hub: DeviceHub, switch_on: Any) -> None:
    async with switch_on(hub) as unit:
        await hub.until(lambda: hub.of("health"))
        for number in range(500):
            await hub.say(type="error", code="internal", message=f"flood\x1b[2J {number}", fatal=False)
            await hub.say(type="config", mode=("events", "full")[number % 2])
        await hub.say(type="config", frames=2)
        await hub.until(lambda: hub.packets and hub.packets[-1][3] == 2)
        lines = [line for line in unit.log.splitlines() if "flood" in line or line.startswith("mode: ")]
        # Ten, then one in ten seconds of its time.
        assert 5 <= len(lines) <= 100, len(lines)
        assert "\x1b" not in unit.log
    assert hub.connections == 1


async def before_request(link: Conversation) -> None:
    pass


async def before_answer(link: Conversation) -> None:
    await link.request()


async def in_the_answer(link: Conversation) -> None:
    headers = await link.request()
    await link.send(link.accept(headers)[:40])


async def before_hello(link: Conversation) -> None:
    await link.open()


async def before_welcome(link: Conversation) -> None:
    await link.open()
    await link.hear_message("hello")


async def in_the_welcome(link: Conversation) -> None:
    await link.open()
    await link.hear_message("hello")
    await link.send(welcome()[:50])


async def after_welcome(link: Conversation) -> None:
    await link.open()
    await link.hear_message("hello")
    await link.send(welcome() + text({"type": "ack", "seq": 0}))  # so that it is soon back


async def in_a_packet(link: Conversation) -> None:
    await after_welcome(link)
    await link.reader.readexactly(3000)
    link.writer.transport.abort()


async def with_close(link: Conversation) -> None:
    await after_welcome(link)
    await link.hear_message("health")
    await link.send(frame(CLOSE, b"\x03\xe9bye"))
    await link.last_words()


STATES: list[Script] = [
    before_request, before_answer, in_the_answer, after_welcome, before_hello, before_welcome, in_the_welcome,
    in_a_packet, with_close,
]  # fmt: skip


@feature("Bad input", "comes back after a hub that closes at any state of the connection", needs=("socket",))
async def test_closed_at_every_state(switch_on: Any) -> None:
    async with RawHub(*STATES, then=stay) as hub, switch_on(hub) as unit:
        await hub.until_finished(len(STATES), timeout_s=120)
        while hub.connections <= len(STATES):
            await asyncio.sleep(0.05)
        assert unit.running


@feature(
    "Bad input",
    "a hub that welcomes it and closes at once, for ever, is tried ever more rarely",
    needs=("socket",),
)
async def test_hub_that_closes_after_each_welcome(switch_on: Any) -> None:
    began: list[float] = []

    async def close(link: Conversation) -> None:
        began.append(time.monotonic())
        await link.open()
        await link.hear_message("hello")
        await link.send(welcome())
        await link.hear_message("health")

    async with RawHub(then=close) as hub, switch_on(hub, speed=1):
        await hub.until_finished(7)
    # The pauses are 0.3, 0.48, 0.77, 1.23, 1.97 and 3.15 s, each a fifth shorter at most.
    assert began[6] - began[0] >= 0.8 * 7.9


@feature("Bad input", "leaves a hub that never answers its hello, and tries again", needs=("socket",))
async def test_silent_hub(switch_on: Any) -> None:
    async def silent(link: Conversation) -> None:
        await link.open()
        await link.hear_message("hello")
        await link.last_words()

    async with RawHub(silent, then=stay) as hub, switch_on(hub) as unit:
        await unit.says("nothing heard from the hub")
        await hub.until_finished(1)
        while hub.connections < 2:
            await asyncio.sleep(0.05)


@feature("Link", "waits for Wi-Fi that is gone, and joins again", needs=("wifi",))
async def test_wifi(hub: DeviceHub, switch_on: Any) -> None:
    async with switch_on(hub, wifi={"ssid": "home", "password": "x"}) as unit:
        await hub.until(lambda: hub.of("health"))
        assert hub.of("health")[0]["rssi"] == -52
        unit.wifi(False)
        hub.cut()
        await asyncio.sleep(1)
        assert hub.connections == 1, "without Wi-Fi it does not come back"
        unit.wifi(True)
        await hub.until(lambda: hub.connections == 2)
