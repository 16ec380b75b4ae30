"""What a server's answer is worth: whether it is the file that was asked for, judged before it is kept."""

from __future__ import annotations

import re
from typing import Final

import aiohttp
from aiohttp import hdrs
from yarl import URL

from minerva_hub.download.parts import megabytes
from minerva_hub.errors import DownloadError

KEPT: Final = "what came is kept: pull again to go on"
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})\Z")


class WrongFileError(DownloadError):
    """What came is not the file that it must be; nothing of it is kept."""


class CutError(Exception):
    """The connection ended, or the file must be begun anew: another attempt may help."""


class UnreachableError(CutError):
    """There was no connection: another attempt may help, if there was one before."""


class UnfitError(Exception):
    """What is here and what the server has do not fit together: begin anew."""


def judge(response: aiohttp.ClientResponse, url: str, have: int, etag: str, *, known: bool) -> int | None:
    """Look at status and headers: the size of the whole, None where the server does not say.

    `have` bytes are here, of the content that the server called `etag`; `known`: there is a size or a hash to
    hold the whole against. After 200 the whole comes, after 206 the rest, after 416 nothing is lacking.
    UnfitError, DownloadError.
    """
    match response.status:
        case 200:
            _check_content(response, url, known=known)
            return response.content_length
        case 206:
            given = _RANGE.match(response.headers.get(hdrs.CONTENT_RANGE, ""))
            if given is None or not have or int(given[1]) != have:
                raise UnfitError(f"it sent another range than bytes={have}-")
            if etag and strong_etag(response) not in ("", etag):
                raise UnfitError("its content changed while it was fetched")
            return int(given[3])
        case 416:
            if have and response.headers.get(hdrs.CONTENT_RANGE) == f"bytes */{have}":
                return have
            raise UnfitError("it has fewer bytes than came before")
    raise _refusal(url, response.status)


def _check_content(response: aiohttp.ClientResponse, url: str, *, known: bool) -> None:
    host = host_of(url)
    if response.content_type == "text/html":
        raise DownloadError(
            f"{host} answers with a web page in the place of {URL(url).name}; does this network want a login?"
        )
    if response.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
        raise DownloadError(f"{host} sends the file in another encoding than was asked for")
    if response.content_length is None and not known and hdrs.TRANSFER_ENCODING not in response.headers:
        raise DownloadError(f"{host} does not say how large {url} is, so a cut could not be seen")


def check_total(url: str, total: int | None, limit: int, size: int | None) -> None:
    """DownloadError when the server announces another size than `size`, or more than `limit` bytes."""
    if total is None:
        return
    if size is not None and total != size:
        raise DownloadError(f"{url} has {total} bytes, models.toml states {size}: it is another file")
    if total > limit:
        raise DownloadError(
            f"{url} has {megabytes(total)}, more than {megabytes(limit)}, the limit of models.toml: it is "
            "another file"
        )


def strong_etag(response: aiohttp.ClientResponse) -> str:
    """The ETag, if it names these very bytes."""
    etag = response.headers.get(hdrs.ETAG, "")
    return etag if etag.startswith('"') and len(etag) <= 256 else ""


def host_of(url: str) -> str:
    """The host that a person would name."""
    return URL(url).host or url


def _refusal(url: str, status: int) -> DownloadError:
    match status:
        case 401 | 403:
            why = "refuses it: it asks for an account or a consent, which Minerva does not give"
        case 404 | 410:
            why = f"has no {URL(url).path} any more"
        case 429 | 503:
            why = "is busy; try again later"
        case _:
            why = "does not give it"
    return DownloadError(f"{host_of(url)} {why} (HTTP {status})")
