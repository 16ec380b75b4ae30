"""The device proves the hub by its pinned authority and its fixed name, whatever the address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from device_hub import DeviceHub, noise, write_wav
from minerva_tools.virtual import Interpreter, VirtualDevice

from tests.fakes.authority import Authority

NAME = "hub-1.minerva"


@pytest.fixture
def authority(tmp_path: Path) -> Callable[[str], Authority]:
    return lambda name: Authority(tmp_path, name)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "quiet.wav", noise(20, -60))


def device(hub: DeviceHub, wav: Path, interpreter: Interpreter, ca: Authority) -> VirtualDevice:
    settings = hub.settings(ca=ca.certificate.read_text(), server_name=NAME)
    return VirtualDevice(settings, wav, interpreter=interpreter, full_scale_spl=120)


async def test_the_pinned_authority_and_name_are_trusted(interpreter, authority, wav) -> None:
    ca = authority("ca")
    async with DeviceHub(ca.server(NAME)) as hub, device(hub, wav, interpreter, ca):
        await hub.until(lambda: len(hub.packets) >= 20)
    assert hub.hellos[0]["token"] == "t"


async def test_another_name_is_refused(interpreter, authority, wav) -> None:
    ca = authority("ca")
    async with DeviceHub(ca.server("hub-2.minerva")) as hub, device(hub, wav, interpreter, ca) as it:
        await it.wait_for("TLS refused")
    assert not hub.hellos


async def test_another_authority_is_refused(interpreter, authority, wav) -> None:
    ca, other = authority("ca"), authority("other")
    async with DeviceHub(other.server(NAME)) as hub, device(hub, wav, interpreter, ca) as it:
        await it.wait_for("TLS refused")
    assert not hub.hellos


async def test_a_hub_without_tls_is_refused(interpreter, authority, wav) -> None:
    ca = authority("ca")
    async with DeviceHub() as hub:
        settings = hub.settings(
            url=hub.url.replace("ws:", "wss:"), ca=ca.certificate.read_text(), server_name=NAME
        )
        async with VirtualDevice(settings, wav, interpreter=interpreter, full_scale_spl=120) as it:
            await it.wait_for("link:")
    assert not hub.hellos
