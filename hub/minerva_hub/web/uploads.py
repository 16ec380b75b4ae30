"""POST /api/releases: the three artifacts of a release as multipart/form-data, streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from minerva import keyset, manifest

from minerva_hub.auth import source
from minerva_hub.events import ReleasesChanged
from minerva_hub.releases import BUNDLE, MANIFEST, SIGNATURE, ReleaseRefusedError
from minerva_hub.web.faces import FACES
from minerva_hub.web.problems import ApiError

FORM = "multipart/form-data"
STALL_S = 20.0  # a sender that sends nothing for so long is gone
PIECE = 1 << 16
# What the reader raises for bad headers of a part, too many of them, bad encodings and charsets.
_MALFORMED = (
    ValueError,
    TypeError,
    RuntimeError,
    AssertionError,
    HttpProcessingError,
    web.RequestPayloadError,
)
_BOUNDS = {MANIFEST: manifest.MAX_BYTES, SIGNATURE: keyset.MAX_SIGNATURES_BYTES}


async def upload(request: web.Request) -> web.Response:
    """Upload a release: the parts manifest.json, manifest.sig and files.bin, in this order."""
    if request.content_type != FORM:
        given = request.content_type[:100]
        raise ApiError(415, "content_type", f"Content-Type is {given!r}; allowed is {FORM!r}")
    faces = request.app[FACES]
    async with _reading():
        reader = await request.multipart()
    small = [await _whole(reader, name) for name in (MANIFEST, SIGNATURE)]
    bundle = _pieces(reader, BUNDLE)
    try:
        kept = await faces.updates.releases.receive(small[0], small[1], bundle, who=source(request))
    except ReleaseRefusedError:
        faces.bus.publish(ReleasesChanged())
        raise
    finally:
        await bundle.aclose()
    faces.bus.publish(ReleasesChanged())
    return web.Response(body=msgspec.json.encode(kept), content_type="application/json")


@asynccontextmanager
async def _reading() -> AsyncIterator[None]:
    """ApiError for what aiohttp's reader makes of a body that is malformed, or does not come."""
    try:
        async with asyncio.timeout(STALL_S):
            yield
    except _MALFORMED as error:
        raise ApiError(400, "multipart", f"the body is not {FORM} as it should be: {error}") from None
    except TimeoutError:
        raise ApiError(408, "body_time", f"nothing of the body came for {STALL_S:g} s") from None


async def _pieces(reader: MultipartReader, name: str) -> AsyncGenerator[bytes, None]:
    """The content of the next part, which must be `name`."""
    async with _reading():
        part = await reader.next()
    if not isinstance(part, BodyPartReader) or part.name != name:
        found = part.name if isinstance(part, BodyPartReader) else part
        raise ApiError(400, "multipart", f"the part {name} is due; there is {str(found)[:80]!r}")
    while True:
        async with _reading():
            piece = await part.read_chunk(PIECE)
        if not piece:
            return
        yield piece


async def _whole(reader: MultipartReader, name: str) -> bytes:
    """The content of a small part; of one that is too long a byte too many, which it is refused for."""
    data = bytearray()
    async for piece in _pieces(reader, name):
        data += piece
        if len(data) > _BOUNDS[name]:
            return bytes(data[: _BOUNDS[name] + 1])
    return bytes(data)
