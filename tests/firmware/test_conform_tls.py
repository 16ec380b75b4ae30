"""wss://: nothing is said to a hub that does not prove itself, and what it said wrongly is told apart."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from minerva import wire
from minerva_hub.auth import Identity, certificates
from minerva_hub.auth.certificates import KeyPair, new_authority, new_server

from tests.device.device_hub import DeviceHub, conditioned, talk, write_wav
from tests.fakes.authority import Authority

feature = pytest.mark.feature
HUB = "hub-1"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PACKET = 1920  # bytes of 60 ms of PCM
# The device's words for whom it met, which name the setting that decides.
WRONG_NAME = "server_name in settings.json"
UNTRUSTED = "ca in settings.json"


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    """What a hub itself makes at its first start."""
    return Identity.open(tmp_path / "identity", HUB, ())


def paired(identity: Identity, **more: Any) -> dict[str, Any]:
    return {"ca": identity.ca_pem, "server_name": identity.server_name, **more}


def pem(authority: KeyPair) -> str:
    return authority.certificate.public_bytes(Encoding.PEM).decode("ascii")


def context_of(authority: KeyPair, folder: Path, *names: str) -> ssl.SSLContext:
    """A server that `authority` gave a certificate for `names`; without names for the right one."""
    file = folder / "pair.pem"
    file.write_bytes(new_server(authority, names or [f"{HUB}.minerva"]).to_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def stranger(folder: Path, hub_id: str = HUB) -> ssl.SSLContext:
    """Another hub, which calls itself the same and has an authority of its own."""
    return Identity.open(folder / "stranger", hub_id, ()).context()


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """A server of the test's own on loopback: its port. A test that ends ends its conversations."""
    talks: set[asyncio.Task[None]] = set()

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks)


def forwarding(to_port: int) -> Serve:
    """Bytes both ways between whoever comes and a port of loopback."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", to_port)
        try:
            await asyncio.gather(carry(reader, there_writer), carry(there_reader, writer))
        finally:
            there_writer.close()

    return serve


@feature(
    "TLS", "a hub that should speak TLS and does not is told nothing, not even hello", needs=("settings",)
)
async def test_no_tls(hub: DeviceHub, switch_on: Any, identity: Identity) -> None:
    async with switch_on(hub, **paired(identity, url=hub.url.replace("ws:", "wss:"))) as unit:
        await unit.says("link:", "settings.json: url is wss://")
    assert not hub.hellos


@feature("TLS", "links to a hub with the identity that the hub itself makes, whatever the address",
         needs=("settings",))  # fmt: skip
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name)
async def test_the_hubs_own_identity(switch_on: Any, identity: Identity, version: ssl.TLSVersion) -> None:
    context = identity.context()
    context.minimum_version = context.maximum_version = version
    async with DeviceHub(context) as hub, switch_on(hub, **paired(identity)):
        await hub.until(lambda: hub.packet_count >= 5)
    assert hub.hellos[0]["token"] == "t"


@feature("TLS", "a renewed certificate of the same authority is trusted, a new authority is not",
         needs=("settings",))  # fmt: skip
async def test_rotation(switch_on: Any, identity: Identity, tmp_path: Path) -> None:
    settings = paired(identity)
    renewed = Identity.renew(tmp_path / "identity", HUB, ())
    assert renewed.server_fingerprint != identity.server_fingerprint
    async with DeviceHub(renewed.context()) as hub, switch_on(hub, **settings):
        await hub.until(lambda: hub.hellos)
    rotated = Identity.rotate(tmp_path / "identity", HUB, ())
    async with DeviceHub(rotated.context()) as hub, switch_on(hub, **settings) as unit:
        await unit.says(UNTRUSTED)
    assert not hub.hellos


@feature("TLS", "another authority's certificate for the right name is refused, and says `ca`",
         needs=("settings",))  # fmt: skip
async def test_another_authority(switch_on: Any, identity: Identity, tmp_path: Path) -> None:
    async with (
        DeviceHub(stranger(tmp_path)) as hub,
        switch_on(hub, **paired(identity)) as unit,
    ):
        await unit.says(UNTRUSTED)
        assert hub.connections == 0
    assert not hub.hellos


@feature("TLS", "the authority's certificate for another name is refused, and says `server_name`",
         needs=("settings",))  # fmt: skip
async def test_another_name(switch_on: Any, tmp_path: Path) -> None:
    authority = new_authority(HUB)
    wanted = {"ca": pem(authority), "server_name": f"{HUB}.minerva"}
    # Also one that has the address, which a browser would take.
    for names in (["hub-2.minerva"], ["hub-2.minerva", "127.0.0.1", "localhost"]):
        async with (
            DeviceHub(context_of(authority, tmp_path, *names)) as hub,
            switch_on(hub, **wanted) as unit,
        ):
            await unit.says(WRONG_NAME)
        assert not hub.hellos


@feature("TLS", "whoever has only the key of a hub's server certificate can make none with it",
         needs=("settings",))  # fmt: skip
async def test_a_server_is_no_authority(switch_on: Any, tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    context = ours.server(f"{HUB}.minerva", signed_by=ours.leaf("hub-2.minerva"))
    settings = {"ca": ours.certificate.read_text(), "server_name": f"{HUB}.minerva"}
    async with DeviceHub(context) as hub, switch_on(hub, **settings) as unit:
        await unit.says("link:")
    assert not hub.hellos


@feature("TLS", "a stranger's certificate with the hub's own behind it is refused",
         needs=("settings",))  # fmt: skip
async def test_a_chain_of_a_stranger(switch_on: Any, identity: Identity, tmp_path: Path) -> None:
    """Anybody who connects to a hub gets its certificate, and could send it on."""
    real, own = tmp_path / "identity" / "server.pem", tmp_path / "own.pem"
    own.write_bytes(new_server(new_authority(HUB), [identity.server_name]).to_pem())
    chain = tmp_path / "chain.pem"
    certificate = real.read_text().partition("-----END PRIVATE KEY-----\n")[2]
    chain.write_text(own.read_text() + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)  # its own certificate first, with the real one after it
    async with DeviceHub(context) as hub, switch_on(hub, **paired(identity)) as unit:
        await unit.says(UNTRUSTED)
    assert not hub.hellos


@feature("TLS", "TLS older than 1.2 is refused", needs=("settings",))
async def test_an_old_version(switch_on: Any, identity: Identity) -> None:
    context = identity.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with DeviceHub(context) as hub, switch_on(hub, **paired(identity)) as unit:
        await unit.says("link:")
    assert not hub.hellos


@feature("TLS", "what breaks off in the handshake, or is none, is tried again; nothing is said in the clear",
         needs=("settings", "socket"))  # fmt: skip
@pytest.mark.parametrize(
    "answer",
    {
        "nothing": b"",
        "half a record": b"\x16\x03\x03\x00\x50\x02\x00",
        "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
        "a record too long": b"\x16\x03\x03\xff\xff" + b"\x02" * 70000,
        "downgrade": b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1/link\r\nContent-Length: 0\r\n\r\n",
    }.items(),
    ids=lambda item: item[0],
)
async def test_no_handshake(switch_on: Any, identity: Identity, answer: tuple[str, bytes]) -> None:
    heard: list[bytes] = []
    came_back = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if heard:
            came_back.set()
        heard.append(await reader.readexactly(5))
        writer.write(answer[1])
        await writer.drain()

    async with listening(serve) as port:
        settings = {"device": "kitchen", "token": "t", "url": f"wss://127.0.0.1:{port}/link"}
        async with switch_on(**paired(identity, **settings)) as unit:
            await unit.says("link:")
            async with asyncio.timeout(60):
                await came_back.wait()
            assert unit.running
    assert all(first.startswith(b"\x16\x03") for first in heard), "a ClientHello and nothing else"


@feature("TLS", "a server that stalls in the handshake is left in time; what was heard meanwhile follows",
         needs=("settings", "socket", "sound", "button"))  # fmt: skip
async def test_stalled(switch_on: Any, identity: Identity, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "talk.wav", talk(90))
    async with DeviceHub(
        identity.context(), kind="ima_adpcm"
    ) as hub:  # the ring holds the longest stall of it
        forward = forwarding(hub.port)
        came: list[str] = []
        left = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.append("linked" if len(came) != 1 else "stalled")
            if came[-1] == "linked":
                await forward(reader, writer)
            else:
                await reader.read(65536)  # its ClientHello
                await reader.read()
                left.set()

        async with listening(serve) as port:
            url = f"wss://127.0.0.1:{port}/link"
            # In real time: a ring then holds more than the longest stall.
            async with switch_on(hub, wav, speed=1, **paired(identity, url=url)):
                await hub.until(lambda: len(hub.packets) >= 20 and hub.of("health"))
                hub.resume = lambda: hub.packets[-1][4]
                told = len(hub.of("health"))
                hub.cut()
                await hub.until(lambda: len(hub.hellos) >= 2, 90)
                assert left.is_set()
                await hub.until(lambda: hub.packets[-1][5] > hub.hellos[1]["time_ms"])
                await hub.until(lambda: len(hub.of("health")) > told)
    assert came[:2] == ["linked", "stalled"]
    assert hub.of("health")[-1]["drops"]["overwritten"] == 0
    # The hub says at the welcome what it has, so nothing comes twice.
    assert [p[4] for p in hub.packets] == list(range(len(hub.packets))), "in order, and without a hole"


@feature("TLS", "its button mutes it while a server stalls in the handshake",
         needs=("settings", "socket", "button"))  # fmt: skip
async def test_button_in_a_stall(switch_on: Any, identity: Identity) -> None:
    stalled = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        stalled.set()
        await reader.read()

    async with listening(serve) as port:
        settings = {"device": "kitchen", "token": "t", "url": f"wss://127.0.0.1:{port}/link"}
        async with switch_on(speed=1, **paired(identity, **settings)) as unit:
            async with asyncio.timeout(30):
                await stalled.wait()
            unit.press()
            await unit.says("I2S off")


@feature("TLS", "reconnects resume over TLS: without loss or repetition", needs=("settings", "sound"))
async def test_resume(switch_on: Any, identity: Identity, tmp_path: Path) -> None:
    sound = talk(16)
    wav = write_wav(tmp_path / "talk.wav", sound)
    async with DeviceHub(identity.context()) as hub:
        hub.resume = lambda: hub.packets[-5][4] if len(hub.packets) > 5 else None
        async with switch_on(hub, wav, **paired(identity)):
            for packets in (40, 110):
                await hub.until(lambda n=packets: len(hub.packets) >= n)
                hub.cut()
            await hub.until(lambda: len({p[4] for p in hub.packets}) >= 240)
        assert hub.connections == 3
    # What it heard before the first welcome asked for PCM is ADPCM.
    heard = {p[4]: bytes(p[6]) for p in hub.packets if p[0] == wire.PCM_S16LE}
    first, last = min(heard), min(heard) + 200
    pcm = b"".join(heard[number] for number in range(first, last))
    assert pcm == conditioned(sound)[first * PACKET : last * PACKET]
    numbers = [p[4] for p in hub.packets]
    falls = [i for i in range(1, len(numbers)) if numbers[i] <= numbers[i - 1]]
    assert len(falls) == 2
    assert all(numbers[i] == numbers[i - 5] + 1 for i in falls)


@feature("TLS", "the dates of a certificate are no ground for refusal: it has no clock", needs=("settings",),
         only="rust")  # fmt: skip
@pytest.mark.parametrize("days", [(-20, -10), (10, 20)], ids=["expired", "not yet valid"])
async def test_dates(
    switch_on: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: tuple[int, int]
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    monkeypatch.setattr(certificates, "BEGIN", now + datetime.timedelta(days=days[0]))
    monkeypatch.setattr(certificates, "END", now + datetime.timedelta(days=days[1]))
    authority = new_authority(HUB)
    settings = {"ca": pem(authority), "server_name": f"{HUB}.minerva"}
    async with DeviceHub(context_of(authority, tmp_path)) as hub, switch_on(hub, **settings):
        await hub.until(lambda: hub.hellos)
    # All else still counts.
    for context, said in (
        (context_of(new_authority(HUB), tmp_path), UNTRUSTED),
        (context_of(authority, tmp_path, "hub-2.minerva"), WRONG_NAME),
    ):
        async with DeviceHub(context) as hub, switch_on(hub, **settings) as unit:
            await unit.says(said)
        assert not hub.hellos
