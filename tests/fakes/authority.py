"""A hub's certificate authority, made by openssl for one test."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


def openssl(*arguments: object) -> None:
    """Run openssl; CalledProcessError when it fails."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@dataclass(frozen=True)
class Leaf:
    """A server's certificate and key."""

    certificate: Path
    key: Path


class Authority:
    """A throwaway certificate authority."""

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

    def leaf(self, host: str, signed_by: Leaf | None = None) -> Leaf:
        """A certificate for `host`, by the authority or, against the rules, by the key of another leaf."""
        key, request, certificate = (self.folder / f"{host}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / "ext"
        extensions.write_text(f"subjectAltName=DNS:{host}\nbasicConstraints=critical,CA:FALSE\n")
        issuer = signed_by or Leaf(self.certificate, self.key)
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={host}")
        openssl(
            *("x509", "-req", "-in", request, "-CA", issuer.certificate, "-CAkey", issuer.key),
            *("-CAcreateserial", "-out", certificate, "-days", 3650, "-extfile", extensions),
        )
        return Leaf(certificate, key)

    def server(self, host: str, signed_by: Leaf | None = None) -> ssl.SSLContext:
        """A server's context with a certificate for `host`, which it sends with its issuer's."""
        leaf = self.leaf(host, signed_by)
        chain = self.folder / f"{host}.chain.pem"
        issuer = "" if signed_by is None else signed_by.certificate.read_text()
        chain.write_text(leaf.certificate.read_text() + issuer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, leaf.key)
        return context
