"""wss://: nothing is said to a hub that does not prove itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.device.device_hub import DeviceHub
from tests.fakes.authority import Authority

feature = pytest.mark.feature
NAME = "hub-1.minerva"


@feature(
    "TLS", "a hub that should speak TLS and does not is told nothing, not even hello", needs=("settings",)
)
async def test_no_tls(hub: DeviceHub, switch_on: Any, tmp_path: Path) -> None:
    settings = {"url": hub.url.replace("ws:", "wss:"), "server_name": NAME}
    ca = Authority(tmp_path, "ca").certificate.read_text()
    async with switch_on(hub, ca=ca, **settings) as unit:
        await unit.says("link:", "settings.json: url is wss://")
    assert not hub.hellos


@feature("TLS", "trusts the pinned authority and the fixed name, whatever the address, and nobody else",
         needs=("settings",), only="micropython")  # fmt: skip
async def test_tls(switch_on: Any, tmp_path: Path) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    settings = {"ca": ours.certificate.read_text(), "server_name": NAME}
    async with DeviceHub(ours.server(NAME)) as hub, switch_on(hub, **settings):
        await hub.until(lambda: hub.packet_count >= 5)
    for context in (ours.server("hub-2.minerva"), other.server(NAME)):
        async with DeviceHub(context) as hub, switch_on(hub, **settings) as unit:
            await unit.says("TLS refused")
        assert not hub.hellos
