"""The hub's only HTTP client: gets one file, goes on after cuts, believes a server nothing it can check.

HTTPS only, redirects included; plain HTTP only from loopback to loopback, which is for tests. No cookies, no
credentials, no proxy of the environment (it would bring credentials along).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import aiohttp
from aiohttp import hdrs
from yarl import URL

from minerva_hub.config import is_loopback
from minerva_hub.download.answers import (
    KEPT,
    REDIRECTS,
    CutError,
    UnfitError,
    UnreachableError,
    WrongFileError,
    check_total,
    host_of,
    judge,
    strong_etag,
)
from minerva_hub.download.parts import Origin, Part, check_room
from minerva_hub.errors import DownloadError
from minerva_hub.models.checking import PIECE

_SHA256: Final = re.compile(r'(?:W/)?"?([0-9a-f]{64})"?\Z')
_COMMIT: Final = re.compile(r"[0-9a-f]{40}\Z")


@dataclass(frozen=True, kw_only=True)
class FetchConfig:
    """How patient the client is."""

    connect_s: float = 15.0
    stall_s: float = 30.0  # a server that sends nothing for so long is gone
    window_s: float = 60.0
    window_bytes: int = (
        256 * 1024
    )  # less in a window is a trickle: at 4 kB/s the smallest Whisper takes five hours
    redirects: int = 5  # Hugging Face and GitHub need one or two
    attempts: int = 6  # in a row that bring nothing new
    pause_s: float = 2.0
    reserve_bytes: int = 200_000_000  # of the disk, for the timeline


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that came. `stated` is the hash that the server states, `revision` its commit, where it does."""

    size: int
    sha256: str
    stated: str | None = None
    revision: str = ""


class Fetcher:
    """An HTTP client, within its context."""

    def __init__(self, config: FetchConfig | None = None) -> None:
        self.config = config or FetchConfig()

    async def __aenter__(self) -> Fetcher:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self.config.connect_s, sock_read=self.config.stall_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={hdrs.USER_AGENT: "minerva-hub", hdrs.ACCEPT_ENCODING: "identity"},
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def fetch(
        self,
        url: str,
        target: Path,
        *,
        limit: int,
        size: int | None = None,
        sha256: str | None = None,
        progress: Callable[[int, int | None], None] = lambda done, of: None,
    ) -> Fetched:
        """Get `url` into `target`, at most `limit` bytes; `size` and `sha256` are what it must have.

        DownloadError says what is wrong and whose it is; what came stays in NAME.part, if it is not wrong.
        """
        part = Part(target)
        failed = 0
        best = 0
        try:
            while True:
                try:
                    return await self._attempt(url, part, limit, size, sha256, progress)
                except CutError as cut:
                    if isinstance(cut, UnreachableError) and not part.gained:
                        raise DownloadError(str(cut)) from cut
                    failed = 0 if part.size > best else failed + 1
                    best = max(best, part.size)
                    if failed >= self.config.attempts:
                        raise DownloadError(f"{host_of(url)}: {cut}; {KEPT}") from cut
                    await asyncio.sleep(self.config.pause_s * failed)
        finally:
            await asyncio.shield(asyncio.to_thread(part.close))

    async def _attempt(
        self,
        url: str,
        part: Part,
        limit: int,
        size: int | None,
        sha256: str | None,
        progress: Callable[[int, int | None], None],
    ) -> Fetched:
        origin = await asyncio.to_thread(part.open, url, trusting=sha256 is not None)
        resumed = part.size > 0
        stated: str | None = None
        revision = ""

        def notice(response: aiohttp.ClientResponse) -> None:
            nonlocal stated, revision
            # Hugging Face states both where it redirects to the store that has the content.
            if found := _SHA256.match(response.headers.get("X-Linked-Etag", "")):
                stated = found[1]
            if _COMMIT.match(commit := response.headers.get("X-Repo-Commit", "")):
                revision = commit

        if size is None or part.size < size:
            try:
                response = await self._open(URL(url), part.size, origin.etag, notice)
                async with response:
                    total = judge(response, url, part.size, origin.etag, known=bool(size or sha256))
                    check_total(url, total, limit, size)
                    have = part.size if response.status != 200 else 0
                    room = (total or size or limit) - have
                    await asyncio.to_thread(check_room, part.folder, room, self.config.reserve_bytes)
                    if response.status == 200:
                        await asyncio.to_thread(part.restart, Origin(url=url, etag=strong_etag(response)))
                    if response.status != 416:
                        await self._receive(response, url, part, total, min(limit, size or limit), progress)
            except UnfitError as unfit:
                await asyncio.to_thread(part.discard)
                raise CutError(str(unfit)) from unfit
            except (aiohttp.ClientError, TimeoutError) as error:
                raise self._why(url, error, part) from error
        expected = sha256 or stated
        if (size is not None and part.size != size) or (expected and part.sha256 != expected):
            found = f"{part.size} bytes, SHA-256 {part.sha256}"
            await asyncio.to_thread(part.discard)
            if resumed:  # the content may have changed between the parts: once more, from its beginning
                raise CutError("its content changed while it was fetched")
            wanted = f"{size} bytes, SHA-256 {expected}" if size else f"SHA-256 {expected}"
            raise WrongFileError(
                f"{url} is not the file that it must be ({wanted}): it is {found}; nothing is kept"
            )
        got = Fetched(part.size, part.sha256, stated, revision)
        await asyncio.to_thread(part.finish)
        return got

    async def _open(
        self, url: URL, have: int, etag: str, notice: Callable[[aiohttp.ClientResponse], None]
    ) -> aiohttp.ClientResponse:
        """The answer with the content, after redirects. DownloadError: one leads away from HTTPS."""
        headers = {hdrs.RANGE: f"bytes={have}-"} if have else {}
        if have and etag:
            headers[hdrs.IF_RANGE] = etag
        local = _is_local(url)
        for _ in range(self.config.redirects + 1):
            if url.scheme != "https" and not (local and _is_local(url)):
                raise DownloadError(
                    f"{url.scheme}://{url.host} is not fetched from: models come by https:// only"
                )
            if url.user is not None or url.host is None:
                raise DownloadError(f"{url.host}: an address with a user in it is not fetched from")
            response = await self._session.get(url, headers=headers, allow_redirects=False)
            notice(response)
            if response.status not in REDIRECTS:
                return response
            where = response.headers.get(hdrs.LOCATION, "")
            response.close()
            try:
                url = url.join(URL(where))
            except ValueError:
                where = ""
            if not where:
                raise DownloadError(f"{url.host} redirects to nowhere (HTTP {response.status})")
        raise DownloadError(f"{url.host} redirects more than {self.config.redirects} times, the limit")

    async def _receive(
        self,
        response: aiohttp.ClientResponse,
        url: str,
        part: Part,
        total: int | None,
        most: int,
        progress: Callable[[int, int | None], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        waiting = bytearray()
        window_ends, in_window = loop.time() + self.config.window_s, 0
        progress(part.size, total)
        try:
            async for chunk in response.content.iter_chunked(PIECE):
                waiting += chunk
                in_window += len(chunk)
                if part.size + len(waiting) > most:
                    waiting.clear()
                    await asyncio.to_thread(part.discard)
                    raise DownloadError(
                        f"{url} sends more than {most} bytes, the limit of models.toml; nothing is kept"
                    )
                if loop.time() > window_ends:
                    if in_window < self.config.window_bytes:
                        raise DownloadError(
                            f"{host_of(url)} is too slow: {in_window} bytes in {self.config.window_s:g} s, "
                            f"{self.config.window_bytes} are the least; {KEPT}"
                        )
                    window_ends, in_window = loop.time() + self.config.window_s, 0
                if len(waiting) >= PIECE:
                    data, waiting = bytes(waiting), bytearray()
                    await asyncio.to_thread(part.write, data)
                    progress(part.size, total)
        finally:
            if waiting:
                await asyncio.shield(asyncio.to_thread(part.write, bytes(waiting)))
        progress(part.size, total)
        if total is not None and part.size < total:
            raise CutError(f"it ended after {part.size} of {total} bytes")

    def _why(self, url: str, error: Exception, part: Part) -> Exception:
        host = host_of(url)
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
            return DownloadError(f"{host}: its certificate is not trusted: {error}")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            kept = f" ({KEPT})" if part.size else ""
            return UnreachableError(f"{host} cannot be reached; is this computer on the internet?{kept}")
        if isinstance(error, TimeoutError):
            return DownloadError(f"{host} sent nothing for {self.config.stall_s:g} s; {KEPT}")
        return CutError(str(error) or type(error).__name__)


def _is_local(url: URL) -> bool:
    return url.scheme in ("http", "https") and url.host is not None and is_loopback(url.host)
