"""The hub's certificates: what devices without a clock can check, kept private, made anew when needed."""

from __future__ import annotations

import asyncio
import datetime
import os
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from link_hub import a_hub
from minerva_hub.app import Hub
from minerva_hub.auth import Identity, own_names
from minerva_hub.auth.identity import AUTHORITY, SERVER
from minerva_hub.auth.names import MAX_NAMES
from minerva_hub.errors import ConfigError, IdentityError
from minerva_tools.virtual import find_micropython

HUB = "0123456789abcdef"
MPY_CLIENT = """
import socket, sys, tls
with open(sys.argv[1]) as file:
    authority = file.read()
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.verify_mode = tls.CERT_REQUIRED
context.load_verify_locations(authority.encode())
plain = socket.socket()
plain.connect(socket.getaddrinfo("127.0.0.1", int(sys.argv[2]))[0][-1])
try:
    peer = context.wrap_socket(plain, server_hostname=sys.argv[3])
    peer.write(b"GET /api/owner HTTP/1.0\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
    print(peer.read(15).decode())
except (OSError, ValueError) as problem:
    print("refused", problem)
"""


@pytest.fixture
async def tls_hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with a_hub(tmp_path, tls=True) as (hub, _):
        yield hub


def certificates(folder: Path) -> tuple[x509.Certificate, x509.Certificate]:
    authority, server = ((folder / name).read_bytes() for name in (AUTHORITY, SERVER))
    return x509.load_pem_x509_certificate(authority), x509.load_pem_x509_certificate(server)


def test_the_first_start_makes_what_devices_can_check(tmp_path: Path) -> None:
    folder = tmp_path / "store" / "identity"
    identity = Identity.open(folder, HUB, ("nas.local", "192.168.1.5", "fd00::5"))
    authority, server = certificates(folder)
    assert identity.server_name == f"{HUB}.minerva"
    assert identity.ca_pem.startswith("-----BEGIN CERTIFICATE-----") and "KEY" not in identity.ca_pem
    assert {f"{HUB}.minerva", "nas.local", "192.168.1.5", "fd00::5", "127.0.0.1"} <= set(identity.names)
    for one in (authority, server):
        assert one.not_valid_before_utc == datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
        assert one.not_valid_after_utc.year == 2049
    server.verify_directly_issued_by(authority)
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]


def test_keys_are_for_their_owner_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "identity"
    folder.mkdir(mode=0o755)
    old = os.umask(0)
    try:
        Identity.open(folder, HUB)
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in (AUTHORITY, SERVER):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        (folder / name).chmod(0o644)
    Identity.open(folder, HUB)
    assert caplog.text.count("could be read by other users") == 2
    assert stat.S_IMODE((folder / AUTHORITY).stat().st_mode) == 0o600


def test_it_stays_until_the_names_change(tmp_path: Path) -> None:
    first = Identity.open(tmp_path, HUB, ("nas.local",))
    assert Identity.open(tmp_path, HUB, ("nas.local",)).server_fingerprint == first.server_fingerprint
    assert Identity.open(tmp_path, HUB).server_fingerprint == first.server_fingerprint  # for a look only
    other = Identity.open(tmp_path, HUB, ("nas.local", "10.0.0.9"))
    assert other.server_fingerprint != first.server_fingerprint and "10.0.0.9" in other.names
    assert other.ca_pem == first.ca_pem  # so devices notice nothing
    renewed = Identity.renew(tmp_path, HUB)
    assert renewed.server_fingerprint != other.server_fingerprint
    assert (renewed.ca_pem, renewed.names) == (first.ca_pem, other.names)


def test_a_rotation_replaces_both(tmp_path: Path) -> None:
    before = Identity.open(tmp_path, HUB, ("nas.local",))
    after = Identity.rotate(tmp_path, HUB)
    assert after.ca_pem != before.ca_pem and after.names == before.names
    authority, server = certificates(tmp_path)
    server.verify_directly_issued_by(authority)


def test_a_store_of_another_hub_gets_its_own_name(tmp_path: Path) -> None:
    Identity.open(tmp_path, HUB)
    assert Identity.open(tmp_path, "f" * 16).server_name == f"{'f' * 16}.minerva"
    assert f"{'f' * 16}.minerva" in Identity.open(tmp_path, "f" * 16).names


@pytest.mark.parametrize("name", [AUTHORITY, SERVER])
@pytest.mark.parametrize("damage", ["empty", "half", "of another"])
def test_damaged_files_are_named(tmp_path: Path, name: str, damage: str) -> None:
    Identity.open(tmp_path / "a", HUB)
    Identity.open(tmp_path / "b", HUB)
    path = tmp_path / "a" / name
    good = path.read_bytes()
    end_of_key = good.index(b"-----BEGIN CERTIFICATE")
    other = (tmp_path / "b" / name).read_bytes()
    other = other[other.index(b"-----BEGIN CERTIFICATE") :]
    path.write_bytes({"empty": b"", "half": good[:200], "of another": good[:end_of_key] + other}[damage])
    with pytest.raises(IdentityError) as caught:
        Identity.open(tmp_path / "a", HUB)
    assert str(path) in str(caught.value) and "damaged" in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IdentityError, match="file/identity"):
        Identity.open(tmp_path / "file" / "identity", HUB)


def test_several_processes_at_once_make_one_identity(tmp_path: Path) -> None:
    """The hub and the command may start together."""
    code = f"from pathlib import Path\nfrom minerva_hub.auth import Identity\n" \
           f"print(Identity.open(Path({str(tmp_path / 'id')!r}), {HUB!r}).server_fingerprint)"  # fmt: skip
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert len(said) == 1 and len(said.pop()) == 96


def test_names_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Nas.example")
    names = own_names("hub.example.org FD00:0::1 hub.example.org")
    assert names[:2] == ("hub.example.org", "fd00::1")
    assert {"nas.example", "nas", "nas.local", "nas.fritz.box"} <= set(names)
    monkeypatch.setattr("socket.gethostname", lambda: "not_a_host name")
    assert not [name for name in own_names() if "not_a" in name]
    for wrong in ("under_score", "-x", "a..b", "x" * 64, "fe80::1%eth0", "http://x"):
        with pytest.raises(ConfigError, match=r"server\.names"):
            own_names(wrong)
    with pytest.raises(ConfigError, match=f"allowed are {MAX_NAMES}"):
        own_names(" ".join(f"h{n}" for n in range(MAX_NAMES + 1)))


async def test_openssl_verifies_the_chain_and_the_fixed_name(tls_hub: Hub, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    (tmp_path / "ca.pem").write_text(tls_hub.identity.ca_pem)
    port = str(tls_hub.tls_address).rsplit(":", 1)[1]

    async def said(*more: str) -> str:
        process = await asyncio.create_subprocess_exec(
            openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(tmp_path / "ca.pem"), *more,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return (await asyncio.wait_for(process.communicate(), 30))[0].decode(errors="replace")

    strict = ("-x509_strict", "-verify_hostname", tls_hub.identity.server_name)
    for version in ("-tls1_2", "-tls1_3"):
        assert "Verify return code: 0 (ok)" in await said(version, *strict)
    assert "hostname mismatch" in await said("-verify_hostname", "another.minerva")
    assert "Cipher is (NONE)" in await said("-tls1_1", *strict)
    assert "Verify return code: 0 (ok)" in await said("-attime", "946684801", *strict)  # 1 January 2000


async def test_another_name_or_authority_is_no_hub(tls_hub: Hub, tmp_path: Path) -> None:
    own, other = tls_hub.identity, Identity.open(tmp_path / "other", HUB)
    async with aiohttp.ClientSession() as session:
        for pem, name, right in (
            (own.ca_pem, own.server_name, True),
            (own.ca_pem, other.server_name, False),
            (other.ca_pem, own.server_name, False),
        ):
            context = ssl.create_default_context(cadata=pem)
            request = session.get(f"{tls_hub.tls_address}/login", ssl=context, server_hostname=name)
            if right:
                async with request as response:
                    assert response.status == 200
            else:
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await request


@pytest.mark.mpy
async def test_micropython_verifies_the_chain_and_the_fixed_name(tls_hub: Hub, tmp_path: Path) -> None:
    micropython = find_micropython("native")
    if micropython is None:
        pytest.skip("no MicroPython here: scripts/get-micropython.sh")
    other = Identity.open(tmp_path / "other", HUB)
    (tmp_path / "client.py").write_text(MPY_CLIENT)
    (tmp_path / "ca.pem").write_text(tls_hub.identity.ca_pem)
    (tmp_path / "other.pem").write_text(other.ca_pem)
    port = str(tls_hub.tls_address).rsplit(":", 1)[1]

    async def said(ca: str, name: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(micropython), "client.py", ca, port, name,
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return (await asyncio.wait_for(process.communicate(), 30))[0].decode()

    assert (await said("ca.pem", tls_hub.identity.server_name)).strip() == "HTTP/1.0 200 OK"
    assert (await said("ca.pem", "another.minerva")).startswith("refused")
    assert (await said("other.pem", tls_hub.identity.server_name)).startswith("refused")
