"""What requests carry, as structs: parsing, bounds and the OpenAPI document all come from these."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from minerva_hub.events import DeviceInfo, Gap, Mode, Record, Session, Sound, Utterance
from minerva_hub.web.problems import ApiError

MAX_BODY = 4096  # bytes; the largest body but those that name devices is a password
BODY_S = 10.0  # a body of a few hundred bytes is there at once
T = TypeVar("T")

Millis = Annotated[int, Meta(ge=0, le=253_402_300_799_000, description="Unix milliseconds UTC")]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
DeviceId = Annotated[str, Meta(min_length=1, max_length=64, description="a device's id")]
Day = Annotated[
    str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="a day in the hub's time zone, 2026-11-22")
]
Limit = Annotated[int, Meta(ge=1, le=500, description="how many at most")]
Before = Annotated[
    int, Meta(ge=1, le=2**63 - 1, description="page on from this id: `before` of the last answer")
]
After = Annotated[
    int, Meta(ge=0, le=2**63 - 1, description="only what was stored after this id, in that order")
]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a request carries."""

    max_body: ClassVar[int] = MAX_BODY


class Nothing(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No parameters; as a body, an empty object or no body at all."""


class Range(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of time, one device or all, and how many."""

    since: Annotated[Millis, Meta(description="not before (Unix milliseconds UTC)")] | None = None
    until: Annotated[Millis, Meta(description="before (Unix milliseconds UTC)")] | None = None
    device: DeviceId | None = None
    limit: Limit = 100


class SessionQuery(Range, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sessions; `day` is a shorthand for since and until."""

    day: Day | None = None
    before: Before | None = None


class UtteranceQuery(Range, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which utterances; `q` searches the full text."""

    q: Annotated[str, Meta(max_length=200, description="words that must occur")] | None = None
    session: Id | None = None
    speaker: Annotated[str, Meta(max_length=80, description="a speaker's label")] | None = None
    before: Before | None = None
    after: After | None = None


class GapQuery(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which gaps: those that end after `since`."""

    since: Millis | None = None
    device: DeviceId | None = None
    limit: Limit = 100


class ExportQuery(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a session is written to a file."""

    format: Annotated[Literal["txt", "srt", "vtt", "json", "rttm"], Meta(description="the file's format")] = (
        "txt"
    )


class SessionPath(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session's place in the path."""

    id: Id


class DevicePath(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device's place in the path."""

    id: DeviceId


class MuteBody(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the device shall be mute."""

    on: bool


class ModeBody(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The privacy mode to ask for."""

    mode: Mode


class PasswordBody(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner's password."""

    password: Annotated[str, Meta(min_length=1, max_length=1024)]


class LogoutBody(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether all logins end, or this one only."""

    everywhere: bool = False


class LoginInfo(Record, frozen=True, kw_only=True):
    """A login of the owner: when, from which address, with which browser; `own` is the one that asks."""

    created_ms: int
    expires_ms: int
    address: str
    agent: str
    own: bool


class OwnerState(Record, frozen=True, kw_only=True):
    """Whether there is a password; `local` means asked on the hub's machine, where no login is needed."""

    password_set: bool
    local: bool
    logged_in: bool
    logins: tuple[LoginInfo, ...] = ()


class SessionPage(Record, frozen=True, kw_only=True):
    """Sessions, newest first; `before` is the parameter that pages on into the past, null at its end."""

    items: tuple[Session, ...]
    before: int | None = None


class UtterancePage(Record, frozen=True, kw_only=True):
    """Utterances, oldest first; `before` is the parameter that pages on into the past, null at its end."""

    items: tuple[Utterance, ...]
    before: int | None = None


class SoundList(Record, frozen=True, kw_only=True):
    """Sound events, oldest first."""

    items: tuple[Sound, ...]


class GapList(Record, frozen=True, kw_only=True):
    """Stretches of audio that never reached the hub, oldest first."""

    items: tuple[Gap, ...]


class DeviceList(Record, frozen=True, kw_only=True):
    """All registered devices."""

    items: tuple[DeviceInfo, ...]


P = TypeVar("P", bound=Params)


def parse_query(request: web.Request, kind: type[T]) -> T:
    """The query string as `kind`; ApiError 400 names the parameter, its value and what is allowed."""
    values: dict[str, str] = {}
    for name, value in request.query.items():
        if name in values:
            raise ApiError(400, "query", f"{name[:80]!r} is given twice")
        values[name] = value
    return _convert(values, kind, "query")


def parse_path(request: web.Request, kind: type[T]) -> T:
    """The path's variables as `kind`; raises ApiError 400 as parse_query does."""
    return _convert(dict(request.match_info), kind, "path")


async def parse_body(request: web.Request, kind: type[P]) -> P:
    """The JSON body as `kind`; raises ApiError 400 or 413."""
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > kind.max_body:
                    size = request.content_length or len(raw)
                    raise ApiError(
                        413, "body_size", f"body of {size} bytes exceeds the {kind.max_body}-byte limit"
                    )
    except TimeoutError:
        raise ApiError(408, "body_time", f"the body was not complete within {BODY_S:g} s") from None
    except web.RequestPayloadError as error:
        raise ApiError(400, "body", f"the body cannot be read: {str(error)[:200]}") from None
    try:
        return msgspec.json.decode(bytes(raw) or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise ApiError(400, "body", f"body {bytes(raw[:120])!r}: {_because(str(error), kind)}") from None
    except RecursionError:
        raise ApiError(400, "json", "the body is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise ApiError(400, "json", f"body {bytes(raw[:120])!r} is not JSON: {error}") from None


def _convert(values: dict[str, str], kind: type[T], code: str) -> T:
    try:
        return msgspec.convert(values, type=kind, strict=False)
    except msgspec.ValidationError as error:
        text = str(error)
        at = re.search(r" - at `\$\.(\w+)`$", text)
        given = f"{at[1]}={values.get(at[1], '')[:100]!r}: " if at else ""
        raise ApiError(400, code, given + _because(text, kind)) from None


def _because(text: str, kind: Any) -> str:
    if "unknown field" in text or "missing required field" in text:
        names = ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
        return f"{text}; allowed are: {names or 'none'}"
    return text


def day_range(day: str) -> tuple[int, int]:
    """First millisecond of a day in the hub's time zone, and of the next; ApiError 400: no such day."""
    try:
        start = dt.datetime.combine(dt.date.fromisoformat(day), dt.time())
        end = start + dt.timedelta(days=1)
        return int(start.timestamp() * 1000), int(end.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise ApiError(400, "query", f"day={day!r}: there is no such day; allowed is YYYY-MM-DD") from None
