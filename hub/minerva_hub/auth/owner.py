"""The owner's password: hashed with Argon2id, checked one at a time, never kept or logged as text."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from minerva_hub.auth.attempts import Attempts, FailureList
from minerva_hub.errors import BusyError, NoPasswordError, StoreError, UserError, WrongPasswordError
from minerva_hub.store.logins import Logins

T = TypeVar("T")

MIN_PASSWORD = 8  # characters, as NIST SP 800-63B; guesses are few, see Attempts
MAX_PASSWORD = 256
MAX_WAITING = 8  # checks that wait for their turn: each takes some 0.1 s and 64 MB, one at a time
OWNER = "owner"  # the user name of HTTP Basic


class Owner:
    """Knows whether a password is the owner's."""

    def __init__(self, logins: Logins, attempts: Attempts, failures: FailureList) -> None:
        self._logins = logins
        self._attempts = attempts
        self._failures = failures
        self._hasher = PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._key = secrets.token_bytes(32)
        self._proven: tuple[str, bytes] | None = None

    async def is_set(self) -> bool:
        """Whether there is a password."""
        return await self._logins.password_hash() is not None

    async def set(self, password: str) -> int:
        """Take a new password, which ends all logins; returns how many. UserError when it is not allowed."""
        text = checked(password)
        hashed = await self._in_turn(partial(self._hasher.hash, text))
        ended = await self._logins.set_password_hash(hashed, time.time_ns() // 1_000_000)
        self._proven = None
        self._attempts.forget()
        return ended

    async def prove(self, password: str, source: str) -> str:
        """The hash that `password` fits, from address `source`.

        WrongPasswordError, TooManyAttemptsError, NoPasswordError while none is set, BusyError.
        """
        kept = await self._logins.password_hash()
        if kept is None:
            raise NoPasswordError(
                "no password is set: set one on the hub's machine, `minerva owner password`"
            )
        text = unicodedata.normalize("NFC", password)[: MAX_PASSWORD + 1]
        proof = hmac.digest(self._key, text.encode(errors="surrogatepass"), hashlib.sha256)
        self._attempts.begin(source, OWNER)
        # A program that shows the password with each request costs one slow check, not one each time.
        if self._proven is not None and self._proven[0] == kept:
            if hmac.compare_digest(self._proven[1], proof):
                self._attempts.succeeded(source, OWNER)
                return kept
        try:
            right = len(text) <= MAX_PASSWORD and await self._in_turn(partial(self._verify, kept, text))
        except (BusyError, StoreError):
            self._attempts.undecided(source, OWNER)
            raise
        if not right:
            self._failures.note("password", source, OWNER)
            raise WrongPasswordError("the password is wrong")
        self._attempts.succeeded(source, OWNER)
        if self._hasher.check_needs_rehash(kept):  # an older Minerva, or another Argon2, made it
            newer = await self._in_turn(partial(self._hasher.hash, text))
            if await self._logins.rehash(kept, newer):
                kept = newer
        self._proven = (kept, proof)
        return kept

    def _verify(self, hashed: str, text: str) -> bool:
        try:
            return self._hasher.verify(hashed, text.encode(errors="surrogatepass"))
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError) as problem:
            raise StoreError(
                "the owner's password cannot be checked, what is stored is damaged: set it anew with "
                "`minerva owner password`"
            ) from problem

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise BusyError(f"{MAX_WAITING} passwords wait to be checked already; try again")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def checked(password: str) -> str:
    """The password as it is hashed; UserError when it is too short or too long."""
    text = unicodedata.normalize("NFC", password)
    if not MIN_PASSWORD <= len(text) <= MAX_PASSWORD:
        raise UserError(
            f"the password has {len(text)} characters; allowed are {MIN_PASSWORD} to {MAX_PASSWORD}"
        )
    if not text.isprintable():
        raise UserError("the password has characters that cannot be typed everywhere; choose printable ones")
    return text
