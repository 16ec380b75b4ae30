"""TLS of the Rust firmware against real servers: which hub it talks to, and what it says of the others."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.authority import Authority

NAME = "hub-1.minerva"
FIRMWARE = Path(__file__).resolve().parents[2] / "firmware_rs"
NEEDED = ("cargo", "clang", "cmake", "ninja")  # Mbed TLS is compiled for this computer


@pytest.fixture(scope="session")
def probe() -> Path:
    """crates/tls/examples/probe.rs, built; skips where it cannot be."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here: Mbed TLS cannot be built for this computer")
    command = ["cargo", "build", "--quiet", "--locked", "-p", "minerva-tls", "--example", "probe"]
    subprocess.run(command, cwd=FIRMWARE, check=True, timeout=170)
    target = Path(os.environ.get("CARGO_TARGET_DIR", FIRMWARE / "target"))
    return target / "debug" / "examples" / "probe"


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


Answer = Callable[[socket.socket], None]


def talk(probe: Path, serve: Answer, ca: Path, name: str = NAME) -> dict[str, str]:
    """One connection of the probe to a server on loopback that does `serve`; what the probe printed."""

    def accept() -> None:
        connection, _ = listener.accept()
        with connection:
            serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=accept)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        done = subprocess.run(
            [str(probe), address, name, str(ca)], capture_output=True, text=True, timeout=30, check=True
        )
        thread.join()
    return dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)


class Shouting:
    """A server that answers a line in capitals; `heard` is all that it ever decrypted."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.heard = b""
        self.version: str | None = None

    def __call__(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        try:
            with self.context.wrap_socket(connection, server_side=True) as secured:
                self.version = secured.version()
                self.heard = secured.recv(100)
                secured.sendall(self.heard.upper())
                assert secured.recv(100) == b""
        except (ssl.SSLError, ConnectionError):
            pass  # the probe refused; what it says is looked at


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_pinned_authority_and_name_are_trusted(
    probe: Path, ca: Authority, version: ssl.TLSVersion
) -> None:
    context = ca.server(NAME)
    context.minimum_version = context.maximum_version = version
    server = Shouting(context)
    said = talk(probe, server, ca.certificate)
    assert said["opened"] == "true"
    assert said["heard"] == "HELLO"
    assert said["end"] == "closed"
    assert server.version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


def test_another_name_is_refused(probe: Path, ca: Authority) -> None:
    server = Shouting(ca.server("hub-2.minerva"))
    said = talk(probe, server, ca.certificate)
    assert said["opened"] == "false"
    assert said["end"] == "the hub's certificate is not for server_name in settings.json"
    assert server.heard == b""


def test_another_authority_is_refused(probe: Path, ca: Authority, tmp_path: Path) -> None:
    server = Shouting(Authority(tmp_path, "other").server(NAME))
    said = talk(probe, server, ca.certificate)
    assert said["opened"] == "false"
    assert said["end"] == "the hub's certificate is not signed by ca in settings.json"
    assert server.heard == b""


def test_a_hub_is_no_authority_for_another(probe: Path, ca: Authority) -> None:
    """Whoever stole a server's key cannot make certificates with it, not even for the right name."""
    stolen = ca.leaf("hub-2.minerva")
    server = Shouting(ca.server(NAME, signed_by=stolen))
    said = talk(probe, server, ca.certificate)
    assert said["opened"] == "false"
    assert said["end"].startswith(("the hub's certificate is not signed", "the TLS handshake failed"))
    assert server.heard == b""


def test_a_server_without_a_certificate_is_refused(probe: Path, ca: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    server = Shouting(context)
    said = talk(probe, server, ca.certificate)
    assert said["opened"] == "false"
    assert server.heard == b""


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x03\xff\xff" + b"\x02" * 70000]
)
def test_what_is_no_tls_at_all_ends_the_connection(probe: Path, ca: Authority, answer: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        try:
            connection.recv(2000)
            connection.sendall(answer)
        except ConnectionError:
            pass

    said = talk(probe, serve, ca.certificate)
    assert said["opened"] == "false"
    assert said["end"] != "no end within 10 s"


def test_settings_without_a_certificate(probe: Path, ca: Authority, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    said = talk(probe, Shouting(ca.server(NAME)), empty)
    assert said["end"] == "settings.json: ca is not a PEM certificate"
