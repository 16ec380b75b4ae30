"""The owner's logins: random ids in cookies, of which only hashes are kept; time or a logout ends them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from minerva_hub.errors import StoreError, WrongPasswordError
from minerva_hub.events import Login
from minerva_hub.store.logins import Logins

_log = logging.getLogger(__name__)

LIFE_S = 30 * 86_400
MAX_LOGINS = 32  # a household's browsers; the oldest ends
MAX_COOKIE = 64  # characters; ours have 43
MAX_AGENT = 120
SWEEP_S = 5.0  # how soon a login that the command ended loses the streams it has open


class Sessions:
    """Logins in the store, and what each of them has open."""

    def __init__(self, logins: Logins) -> None:
        self._logins = logins
        self._open: dict[str, set[Callable[[], None]]] = {}

    async def begin(self, password_hash: str, address: str, agent: str) -> str:
        """A new login; returns what the cookie holds. WrongPasswordError: the password changed meanwhile."""
        secret = secrets.token_urlsafe(32)
        now_ms = _now_ms()
        login = Login(
            id_hash=hash_id(secret),
            created_ms=now_ms,
            expires_ms=now_ms + LIFE_S * 1000,
            address=address,
            agent="".join(c for c in agent if c.isprintable())[:MAX_AGENT],
        )
        if not await self._logins.add(login, password_hash, MAX_LOGINS):
            raise WrongPasswordError("the password was changed a moment ago")
        return secret

    async def find(self, cookie: str) -> Login | None:
        """The login of a cookie, unless it ended."""
        if not 0 < len(cookie) <= MAX_COOKIE:
            return None
        return await self._logins.find(hash_id(cookie), _now_ms())

    async def all(self) -> list[Login]:
        """Those there are, newest first."""
        return await self._logins.all(_now_ms())

    async def end(self, login: Login) -> None:
        """Log out; what it has open ends too."""
        await self._logins.remove(login.id_hash)
        self._cut(login.id_hash)

    async def end_all(self) -> int:
        """Log out everywhere; returns how many logins that were."""
        ended = await self._logins.remove_all()
        self.cut_all()
        return ended

    @contextmanager
    def held(self, key: str, cut: Callable[[], None]) -> Iterator[None]:
        """While a request is served: `cut` ends it when the login of id hash `key` does."""
        self._open.setdefault(key, set()).add(cut)
        try:
            yield
        finally:
            of_key = self._open.get(key, set())
            of_key.discard(cut)
            if not of_key:
                self._open.pop(key, None)

    def cut_all(self) -> None:
        """End everything that is open."""
        for key in tuple(self._open):
            self._cut(key)

    def _cut(self, key: str) -> None:
        for cut in tuple(self._open.get(key, ())):
            cut()

    async def sweep(self) -> None:
        """For ever: end what is open for logins that ended by time or by the command."""
        while True:
            await asyncio.sleep(SWEEP_S)
            if not self._open:
                continue
            try:
                valid = {login.id_hash for login in await self.all()}
                password_hash = await self._logins.password_hash()
            except StoreError:
                _log.exception("the logins could not be read; they are checked again in %g s", SWEEP_S)
                continue
            for key in set(self._open) - valid - {password_hash}:
                self._cut(key)


def hash_id(secret: str) -> str:
    """What is stored of a cookie's 256 random bits: nothing to guess, so a plain hash will do."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
