"""What each route does: parsed parameters in, records out. Dispatch and the document are in routes.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from minerva_hub.events import DeviceInfo, HubHealth, Session, SessionRemoved, Utterance
from minerva_hub.exports import Export, export
from minerva_hub.web import params
from minerva_hub.web.faces import Faces
from minerva_hub.web.problems import ApiError

EXPORT_PAGE = 500  # utterances fetched at a time
MAX_EXPORT = 100_000  # utterances of one session: more than a week of talk without a quiet minute

Path = TypeVar("Path")
Query = TypeVar("Query")
Body = TypeVar("Body")


@dataclass(frozen=True)
class Call(Generic[Path, Query, Body]):
    """One request, parsed; `local`: it comes from the hub's own machine."""

    faces: Faces
    path: Path
    query: Query
    body: Body
    local: bool = False


Plain = Call[params.Nothing, params.Nothing, None]
OfSession = Call[params.SessionPath, params.Nothing, None]


async def health(call: Plain) -> HubHealth:
    """How the hub is: engines in use and why, warnings, queues, drops."""
    return call.faces.health()


async def devices(call: Plain) -> params.DeviceList:
    """All registered devices and how they are."""
    return params.DeviceList(items=tuple(call.faces.fleet.devices()))


async def mute(call: Call[params.DevicePath, params.Nothing, params.MuteBody]) -> DeviceInfo:
    """Mute a device, or end a mute made here; one made at its button ends only there."""
    known_device(call.faces, call.path.id)
    return await call.faces.fleet.set_mute(call.path.id, call.body.on)


async def mode(call: Call[params.DevicePath, params.Nothing, params.ModeBody]) -> DeviceInfo:
    """Ask a device for a privacy mode at or below its ceiling."""
    known_device(call.faces, call.path.id)
    return await call.faces.fleet.set_mode(call.path.id, call.body.mode)


async def sessions(call: Call[params.Nothing, params.SessionQuery, None]) -> params.SessionPage:
    """Conversations that touch the time asked for, newest first."""
    query = call.query
    since, until = query.since, query.until
    if query.day is not None:
        if since is not None or until is not None:
            raise ApiError(400, "query", "give either day, or since and until")
        since, until = params.day_range(query.day)
    found = await call.faces.store.sessions(
        since_ms=since, until_ms=until, device=query.device, limit=query.limit, before_id=query.before
    )
    return params.SessionPage(items=tuple(found), before=found[-1].id if len(found) == query.limit else None)


async def session(call: OfSession) -> Session:
    """One conversation."""
    return await _known_session(call.faces, call.path.id)


async def end_session(call: Call[params.SessionPath, params.Nothing, params.Nothing]) -> Session:
    """End a conversation now rather than after the quiet minutes."""
    await _known_session(call.faces, call.path.id)
    await call.faces.fleet.end_session(call.path.id)
    return await _known_session(call.faces, call.path.id)


async def delete_session(call: OfSession) -> None:
    """Delete a conversation and all that was said in it, for good."""
    found = await _known_session(call.faces, call.path.id)
    if found.end_ms is None:
        await call.faces.fleet.end_session(found.id)
    if not await call.faces.store.delete_session(found.id):
        raise _no_session(found.id)
    call.faces.bus.publish(SessionRemoved(id=found.id))


async def export_session(call: Call[params.SessionPath, params.ExportQuery, None]) -> Export:
    """A conversation as a file: txt, srt, vtt, json or rttm."""
    found = await _known_session(call.faces, call.path.id)
    lines: list[Utterance] = []
    before = None
    while len(lines) < MAX_EXPORT:
        page = await call.faces.store.utterances(session_id=found.id, limit=EXPORT_PAGE, before_id=before)
        lines[:0] = page
        if len(page) < EXPORT_PAGE:
            return export(found, lines, call.query.format)
        before = page[0].id
    raise ApiError(413, "export_size", f"session {found.id} has more than {MAX_EXPORT} utterances")


async def utterances(call: Call[params.Nothing, params.UtteranceQuery, None]) -> params.UtterancePage:
    """The newest lines that fit, oldest first; full-text search with q."""
    query = call.query
    if query.before is not None and query.after is not None:
        raise ApiError(400, "query", "give either before or after")
    found = await call.faces.store.utterances(
        session_id=query.session,
        q=query.q,
        since_ms=query.since,
        until_ms=query.until,
        device=query.device,
        speaker=query.speaker,
        limit=query.limit,
        before_id=query.before,
        after_id=query.after,
    )
    more = query.after is None and len(found) == query.limit
    return params.UtterancePage(items=tuple(found), before=found[0].id if more else None)


async def sounds(call: Call[params.Nothing, params.Range, None]) -> params.SoundList:
    """The newest sound events that begin in the time asked for, oldest first."""
    query = call.query
    found = await call.faces.store.sounds(
        since_ms=query.since, until_ms=query.until, device=query.device, limit=query.limit
    )
    return params.SoundList(items=tuple(found))


async def gaps(call: Call[params.Nothing, params.GapQuery, None]) -> params.GapList:
    """The newest stretches of audio that were lost, oldest first."""
    query = call.query
    found = await call.faces.store.gaps(device=query.device, since_ms=query.since, limit=query.limit)
    return params.GapList(items=tuple(found))


def known_device(faces: Faces, device_id: str) -> None:
    """ApiError 404 unless the device is registered."""
    if all(device.id != device_id for device in faces.fleet.devices()):
        raise ApiError(404, "unknown_device", f"there is no device {device_id!r}")


async def _known_session(faces: Faces, session_id: int) -> Session:
    found = await faces.store.session(session_id)
    if found is None:
        raise _no_session(session_id)
    return found


def _no_session(session_id: int) -> ApiError:
    return ApiError(404, "unknown_session", f"there is no session {session_id}")
