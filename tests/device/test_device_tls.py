"""The device proves the hub by its pinned authority and its fixed name, whatever the address."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from device_hub import DeviceHub, noise, write_wav
from minerva_tools.virtual import Interpreter, VirtualDevice

NAME = "hub-1.minerva"


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A throwaway certificate authority, valid from 2000 so that a device without a clock can connect."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.certificate = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        openssl(
            *("req", "-x509", "-new", "-key", self.key, "-out", self.certificate, "-days", 3650),
            *("-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE"),
        )

    def server(self, host: str) -> ssl.SSLContext:
        """A server's context with a certificate for `host`."""
        key, request, certificate = (self.folder / f"{host}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / "ext"
        extensions.write_text(f"subjectAltName=DNS:{host}\n")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={host}")
        openssl(
            *("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key),
            *("-CAcreateserial", "-out", certificate, "-days", 3650, "-extfile", extensions),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


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
