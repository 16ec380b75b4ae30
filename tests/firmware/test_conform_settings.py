"""settings.json: what is wrong with it is said in a sentence that names the key, the value and the bound."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.device.device_hub import DeviceHub

feature = pytest.mark.feature
GOOD: dict[str, Any] = {"version": 1, "board": "virtual", "device": "kitchen", "url": "ws://127.0.0.1:9/link",
                        "token": "top-secret"}  # fmt: skip
SECRET = "S" * 129
# What is changed -> what must be said. None takes a key away.
WRONG = {
    "device": (
        {"device": "Kitchen!"},
        "settings.json: device is 'Kitchen!'; it must be 1 to 32 of a-z, 0-9 and '-'",
    ),
    "device long": ({"device": "k" * 33}, "it must be 1 to 32"),
    "device type": ({"device": 7}, "settings.json: device is 7; it must be"),
    "no device": ({"device": None}, "settings.json: device is"),
    "url": ({"url": "http://10.0.0.1"}, "settings.json: url is 'http://10.0.0.1'; it must be an address"),
    "url port": ({"url": "ws://127.0.0.1:99999/"}, "a port from 1 to 65535"),
    "url header": ({"url": "ws://127.0.0.1/a\r\nX: y"}, "without spaces or control characters"),
    "url plain": ({"url": "ws://10.0.0.1/link"}, "wss:// beyond loopback"),
    "no ca": ({"url": "wss://10.0.0.1/link"}, "settings.json: ca is empty"),
    "token": ({"token": SECRET}, "settings.json: token is (not shown); it must be text of 1 to 128 bytes"),
    "token type": ({"token": ["top-secret"]}, "settings.json: token is (not shown)"),
    "ceiling": ({"ceiling": "loud"}, "it must be one of mute, events, features, speech, full"),
    "gain": ({"gain_db": "24"}, "settings.json: gain_db is '24'; it must be a number from"),
    "gain bound": ({"gain_db": 1000}, "settings.json: gain_db is 1000; it must be a number from"),
    "ring": ({"ring_bytes": 100}, "a whole number from 8192 to 4194304"),
    "ring type": ({"ring_bytes": 9000.5}, "settings.json: ring_bytes is 9000.5"),
    "wifi": ({"wifi": "home"}, "settings.json: wifi is 'home'; it must be an object with ssid and password"),
    "wifi ssid": ({"wifi": {"ssid": "s" * 33}}, "settings.json: wifi.ssid is"),
    "wifi key": ({"wifi": {"ssid": "s", "pass": "x"}}, "unknown key wifi.pass"),
    "unknown key": ({"ceilling": "events"}, "settings.json: unknown key ceilling; allowed are"),
    "version": ({"version": 2}, "settings.json: version is 2; it must be 1"),
}
NOT_SETTINGS = {
    "no JSON": ("device=kitchen", "settings.json: not JSON"),
    "a list": ("[1]", "settings.json: it must be one JSON object"),
    "cut off": (json.dumps(GOOD)[:-1], "settings.json: not JSON"),
    "empty": ("", "settings.json: not JSON"),
    "too long": (json.dumps({**GOOD, "ca": "x" * 8192}), "at most 8192 are read"),
}


async def ends_with(switch_on: Any, content: str, said: str) -> None:
    async with switch_on(raw_settings=content) as unit:
        await unit.says(said)
        await unit.ended()
        assert "Traceback" not in unit.log and "panicked" not in unit.log
        assert "top-secret" not in unit.log and SECRET not in unit.log


@feature("Settings", "wrong types, lengths and unknown keys end it with a sentence that shows no secret",
         needs=("settings",))  # fmt: skip
@pytest.mark.parametrize("name", WRONG)
async def test_wrong_settings(switch_on: Any, name: str) -> None:
    change, said = WRONG[name]
    await ends_with(switch_on, json.dumps({**GOOD, **change}), said)


@feature("Settings", "a file that is no JSON object, or too long, is said to be so", needs=("settings",))
@pytest.mark.parametrize("name", NOT_SETTINGS)
async def test_no_settings(switch_on: Any, name: str) -> None:
    await ends_with(switch_on, *NOT_SETTINGS[name])


@feature("Settings", "what is left out takes its default, and null is left out", needs=("settings",))
async def test_defaults(hub: DeviceHub, switch_on: Any) -> None:
    content = {**GOOD, "url": hub.url, "ceiling": None, "wifi": None}
    async with switch_on(raw_settings=json.dumps(content)):
        await hub.until(lambda: hub.of("health"))
    assert hub.hellos[0]["ceiling"] == "speech"
