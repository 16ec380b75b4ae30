"""The hub's REST interface for the commands: here as it is, elsewhere over TLS with the password."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import aiohttp
import msgspec
from minerva_hub.errors import MinervaError, UserError

OWNER: Final = "owner"  # the user name of HTTP Basic
TIMEOUT: Final = aiohttp.ClientTimeout(total=600, sock_connect=10, sock_read=60)
MAX_ANSWER: Final = 16 << 20


class HubUnreachableError(MinervaError):
    """There is no hub at that address, or it is another one than it must be."""


class HubRefusedError(MinervaError):
    """The hub says no: `status` of HTTP, `code` and text as its problem has them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"the hub refuses: {message} ({code})")
        self.status = status
        self.code = code


class _Problem(msgspec.Struct):
    code: str = "unknown"
    message: str = ""


class HubAddress:
    """Where a hub is; over https its authority `ca` (a PEM file) is trusted and no other, if given."""

    def __init__(self, url: str, *, ca: Path | None = None, password: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise UserError(f"{url!r} is no address of a hub; it begins with http:// or https://")
        if password is not None and url.startswith("http://"):
            raise UserError(f"{url}: a password goes to a hub over https:// only")
        try:
            self.trusted = ssl.create_default_context(cafile=ca) if ca is not None else True
        except OSError as problem:
            raise UserError(f"{ca}: cannot be read as a PEM certificate: {problem}") from problem
        self.url = url.rstrip("/")
        self.auth = None if password is None else aiohttp.BasicAuth(OWNER, password, encoding="utf-8")


class HubRest:
    """Calls to the hub at an address, within its context."""

    def __init__(self, address: HubAddress) -> None:
        self._url = address.url
        self._address = address

    async def __aenter__(self) -> HubRest:
        connector = aiohttp.TCPConnector(ssl=self._address.trusted)
        self._session = aiohttp.ClientSession(connector=connector, auth=self._address.auth, timeout=TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(
        self, method: str, path: str, *, json: Any = None, form: aiohttp.FormData | None = None
    ) -> Any:
        """The JSON of an answer (None when it is empty); HubRefusedError, HubUnreachableError."""
        try:
            async with self._session.request(method, f"{self._url}{path}", json=json, data=form) as answer:
                body = await _whole(answer)
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise HubUnreachableError(
                f"no answer from the hub at {self._url}: {problem or 'it took too long'} "
                "(is it running? minerva hub)"
            ) from problem
        if answer.status >= 400:
            raise _refusal(answer.status, body)
        try:
            return msgspec.json.decode(body) if body else None
        except msgspec.DecodeError as problem:
            raise HubUnreachableError(f"{self._url} is no hub: its answer is not JSON") from problem


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER:
            raise HubUnreachableError(
                f"{answer.url} answers with more than {MAX_ANSWER} bytes: that is no hub"
            )
    return bytes(body)


def _refusal(status: int, body: bytes) -> HubRefusedError:
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem(message=body[:200].decode(errors="replace"))
    return HubRefusedError(status, problem.code, problem.message or f"HTTP {status}")
