"""The hub's identity: its own certificate authority, which devices pin, and the server certificate from it.

Both keys stay in `<store>/identity/`, readable by their owner only. The server certificate is made anew when
the hub's names change, and devices notice nothing; a new authority means pairing every device again.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from minerva_hub.auth.certificates import KeyPair, is_of, names_of, new_authority, new_server
from minerva_hub.errors import IdentityError

_log = logging.getLogger(__name__)

FOLDER = "identity"  # in the store's folder
AUTHORITY = "authority.pem"
SERVER = "server.pem"
LOCAL = ("localhost", "127.0.0.1", "::1")
MAX_PEM = 16384  # bytes; a key and a certificate have some 1200
# Mbed TLS on the devices has these; each has forward secrecy.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class Identity:
    """What a hub proves itself with."""

    def __init__(self, folder: Path, hub_id: str, authority: KeyPair, server: KeyPair) -> None:
        self._folder = folder
        self._server = server
        self.server_name = server_name(hub_id)
        self.names = tuple(sorted(names_of(server.certificate)))
        self.ca_pem = authority.certificate.public_bytes(Encoding.PEM).decode("ascii")
        self.ca_fingerprint = _fingerprint(authority)
        self.server_fingerprint = _fingerprint(server)

    @classmethod
    def open(cls, folder: Path, hub_id: str, names: Sequence[str] | None = None) -> Identity:
        """The identity kept in `folder`, made at the first call.

        `names` are those of the server certificate besides the fixed ones; None keeps what it has.

        IdentityError when its files are damaged or cannot be written. Blocks for some 20 ms.
        """
        with _locked(folder):
            authority = _read(folder / AUTHORITY)
            if authority is None:
                authority = new_authority(hub_id)
                _write(folder / AUTHORITY, authority.to_pem())
            server = _read(folder / SERVER)
            if names is None:
                names = sorted(names_of(server.certificate)) if server is not None else ()
            wanted = tuple(dict.fromkeys((server_name(hub_id), *LOCAL, *names)))
            if (
                server is None
                or names_of(server.certificate) != set(wanted)
                or not is_of(authority, server.certificate)
            ):
                server = _issue(folder, authority, wanted)
            return cls(folder, hub_id, authority, server)

    @classmethod
    def renew(cls, folder: Path, hub_id: str, names: Sequence[str] | None = None) -> Identity:
        """A new server key and certificate of the same authority: paired devices notice nothing."""
        if names is None:
            names = cls.open(folder, hub_id).names
        with _locked(folder):
            (folder / SERVER).unlink(missing_ok=True)
        return cls.open(folder, hub_id, names)

    @classmethod
    def rotate(cls, folder: Path, hub_id: str, names: Sequence[str] | None = None) -> Identity:
        """A new authority: every device has to be paired again, and whoever has the old keys has nothing."""
        with _locked(folder):
            # One step; that the server certificate is of the old authority is seen when it is opened.
            _write(folder / AUTHORITY, new_authority(hub_id).to_pem())
        return cls.open(folder, hub_id, names)

    def context(self) -> ssl.SSLContext:
        """For the server's side: TLS 1.2 or newer, forward secrecy, no renegotiation."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.load_cert_chain(self._folder / SERVER)
        return context


def server_name(hub_id: str) -> str:
    """The fixed name that devices expect, whatever the hub's address."""
    return f"{hub_id}.minerva"


def _issue(folder: Path, authority: KeyPair, names: Sequence[str]) -> KeyPair:
    server = new_server(authority, names)
    _write(folder / SERVER, server.to_pem())
    _log.info("a new server certificate for %s", ", ".join(names))
    return server


def _fingerprint(pair: KeyPair) -> str:
    """SHA-256 over the certificate, as browsers show it."""
    return hashlib.sha256(pair.certificate.public_bytes(Encoding.DER)).digest().hex(":").upper()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time makes or replaces the files: the hub and the command may start together."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as problem:
        raise IdentityError(f"the hub's keys cannot be kept in {folder}: {problem.strerror}") from problem
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(path: Path) -> KeyPair | None:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                _log.warning("%s could be read by other users of this machine; that is ended now", path)
                os.fchmod(file.fileno(), 0o600)
            return KeyPair.from_pem(file.read(MAX_PEM))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise IdentityError(f"{path}: cannot be read: {problem.strerror}") from problem
    except ValueError as problem:
        raise IdentityError(
            f"{path} is damaged ({problem}): restore it from a copy, or remove it and have a new one made; "
            + ("then every device must be paired again" if path.name == AUTHORITY else "no device notices")
        ) from problem


def _write(path: Path, data: bytes) -> None:
    """Replace a file in one step that also survives the mains going."""
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as problem:
        raise IdentityError(f"{path}: cannot be written: {problem.strerror}") from problem
