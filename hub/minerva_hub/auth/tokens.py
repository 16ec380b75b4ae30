"""Who may link: device tokens, of which only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from minerva_hub.auth.attempts import Attempts, FailureList
from minerva_hub.events import DeviceRecord

MAX_NAME = 64  # characters kept of what somebody calls itself
_NOBODY = "sha256:" + "0" * 64


def new_token() -> str:
    """A device token: 256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """What is stored of a token. A plain hash is enough for 256 random bits: there is nothing to guess."""
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def is_authorised(record: DeviceRecord | None, token: str) -> bool:
    """Whether `token` is that device's, compared in constant time; an unknown device takes as long."""
    kept = _NOBODY if record is None else record.token_hash
    same = hmac.compare_digest(hash_token(token), kept)
    return same and record is not None


class DeviceTokens:
    """Lets devices in by their tokens, on the link and at the update server."""

    def __init__(self, attempts: Attempts, failures: FailureList) -> None:
        self._attempts = attempts
        self._failures = failures

    def admits(self, record: DeviceRecord | None, token: str, *, source: str, device: str) -> bool:
        """Whether `token` is that of `record`; `device` is what it calls itself at address `source`.

        TooManyAttemptsError, without a look at the token, when too many from there were wrong.
        """
        device = device[:MAX_NAME]
        self._attempts.begin(source, device)
        if not is_authorised(record, token):
            self._failures.note("token", source, device)
            return False
        self._attempts.succeeded(source, device)
        return True
