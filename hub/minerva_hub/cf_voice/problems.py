"""Errors as programs of the family read them: a status, and `detail` in words."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import hdrs, web

from minerva_hub.errors import MinervaError, PeerError

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RETRY_S = 2


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success."""

    detail: str
    code: str


class VoiceError(MinervaError):
    """A request cannot be served; the message names the value, the limit and whose it is."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def answer(status: int, code: str, message: str) -> web.Response:
    """The response that carries an error."""
    response = web.Response(
        status=status,
        body=msgspec.json.encode(Problem(detail=message, code=code)),
        content_type="application/json",
    )
    if status in (429, 503):
        response.headers[hdrs.RETRY_AFTER] = str(RETRY_S)
    return response


@web.middleware
async def as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into an answer; what we did not foresee is logged and stays unexplained outside."""
    try:
        return await handler(request)
    except VoiceError as error:
        return answer(error.status, error.code, str(error))
    except PeerError as error:
        return answer(409, error.code, str(error))
    except web.HTTPRequestEntityTooLarge as error:
        return answer(413, "too_large", f"the request is larger than is allowed: {error.text}")
    except web.HTTPException as error:
        return answer(error.status, "http", f"{request.method} {request.path[:200]}: {error.reason}")
    except Exception:
        _log.exception("%s %s failed", request.method, request.path)
        return answer(500, "internal", "the hub failed to answer; its log says why")
