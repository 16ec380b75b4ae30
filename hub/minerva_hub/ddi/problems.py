"""Errors as hawkBit tells them: its clients look at the status, and some at the code."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from minerva_hub.ddi import messages
from minerva_hub.errors import MinervaError, StoreError, StoreFullError

_log = logging.getLogger(__name__)
_PREFIX = "hawkbit.server.error."
_CODES = {  # ours -> hawkBit's; the third word is spelt as there
    "not_found": "repo.entitiyNotFound",
    "gone": "repo.entitiyNotFound",
    "body": "rest.body.notReadable",
    "too_long": "quota.tooManyEntries",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class DdiError(MinervaError):
    """A device's request cannot be served."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def answer(status: int, code: str, message: str) -> web.Response:
    """The response that carries an error."""
    body = messages.ErrorBody(
        exception_class=f"minerva.{code}", error_code=_PREFIX + _CODES.get(code, code), message=message
    )
    response = web.Response(status=status, body=messages.encode(body), content_type="application/json")
    if status in (429, 503):
        response.headers[hdrs.RETRY_AFTER] = "10"
    return response


def told(handler: Handler) -> Handler:
    """`handler` with its errors turned into answers."""

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except DdiError as error:
            return answer(error.status, error.code, str(error))
        except StoreFullError as error:
            return answer(507, "disk_full", str(error))
        except StoreError as error:
            _log.error("%s %s: %s", request.method, request.path, error)
            return answer(503, "store", "the hub's database is not to be had now")

    return serve
