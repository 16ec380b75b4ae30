"""What may be kept: the device's rules, with signatures checked by `cryptography`, and their refusals."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from minerva import ed25519
from minerva.errors import UpdateError

from minerva_hub.errors import MinervaError, StoreFullError


class ReleaseRefusedError(MinervaError):
    """A release is not kept; `code` is one of docs/ota.md, the text names the value and its limit."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """As `minerva.ed25519.verify`, a hundred times faster."""
    if not ed25519.well_formed(public, signature):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@contextmanager
def refusing() -> Iterator[None]:
    """The device's refusals as the hub's; the disk's as the store's."""
    try:
        yield
    except UpdateError as refused:
        raise ReleaseRefusedError(refused.code, refused.message) from refused
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFullError("the disk is full: the release is not kept") from problem
        raise
