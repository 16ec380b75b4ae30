"""Errors as the API tells them: a status, a code for programs and a sentence for people."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import hdrs, web

from minerva_hub.errors import (
    BusyError,
    ConflictError,
    LoginError,
    MinervaError,
    PeerError,
    StoreError,
    StoreFullError,
    TooManyAttemptsError,
    UnknownItemError,
    UnknownSessionError,
    UserError,
)
from minerva_hub.releases import ReleaseRefusedError

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success (application/problem+json, after RFC 9457)."""

    code: str
    message: str


class ApiError(MinervaError):
    """A request cannot be served; the message names the value, the limit and what is allowed."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def answer(status: int, code: str, message: str) -> web.Response:
    """The response that carries a problem."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(Problem(code=code, message=message)),
        content_type="application/problem+json",
    )


@web.middleware
async def as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a problem; what we did not foresee is logged and stays unexplained outside."""
    try:
        return await handler(request)
    except ApiError as error:
        return answer(error.status, error.code, str(error))
    except TooManyAttemptsError as error:
        problem = answer(429, error.code, str(error))
        problem.headers[hdrs.RETRY_AFTER] = str(math.ceil(error.wait_s))
        return problem
    except LoginError as error:
        problem = answer(401, error.code, str(error))
        # A browser would ask for the name and password by itself, in a window that nobody can style or leave.
        scheme = "Basic" if "Sec-Fetch-Mode" not in request.headers else "Cookie"
        problem.headers[hdrs.WWW_AUTHENTICATE] = f'{scheme} realm="Minerva", charset="UTF-8"'
        return problem
    except BusyError as error:
        return answer(503, "busy", str(error))
    except PeerError as error:
        return answer(409, error.code, str(error))
    except UserError as error:
        return answer(409, "refused", str(error))
    except ReleaseRefusedError as error:
        return answer(422, error.code, str(error))
    except UnknownItemError as error:
        return answer(404, "unknown", str(error))
    except ConflictError as error:
        return answer(409, "conflict", str(error))
    except UnknownSessionError as error:
        return answer(404, "unknown_session", str(error))
    except StoreFullError as error:
        return answer(507, "disk_full", str(error))
    except StoreError as error:
        log.error("%s %s: %s", request.method, request.path, error)
        return answer(503, "store", str(error))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        problem = answer(405, "method", f"{request.method} {request.path}: allowed are {allowed}")
        problem.headers["Allow"] = allowed
        return problem
    except web.HTTPNotFound:
        return answer(404, "not_found", f"there is nothing at {request.path[:200]}")
    except web.HTTPException:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return answer(500, "internal", "the hub failed to answer; its log says why")
