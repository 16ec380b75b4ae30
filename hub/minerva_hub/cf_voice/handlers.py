"""The resources: /classify, /health, /session and /corrections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec
from aiohttp import web

from minerva_hub.auth import source
from minerva_hub.cf_voice import mapping
from minerva_hub.cf_voice.events import Classified, Heard, ToneEvent, classified
from minerva_hub.cf_voice.feed import Feed
from minerva_hub.cf_voice.problems import VoiceError
from minerva_hub.cf_voice.requests import (
    MAX_CLASSIFY,
    RATE,
    ClassifyRequest,
    Correction,
    StartRequest,
    chunk,
    number,
    read,
    session_id,
)
from minerva_hub.cf_voice.session import HISTORY, Session
from minerva_hub.cf_voice.sessions import Sessions

ANSWER_S: Final = 4.5  # callers wait for 5
CHUNK_ANSWER_S: Final = 0.5  # of a session: what takes longer comes with the next chunk, which must not wait
SOUNDS_S: Final = 1.0  # the sound detector looks four times a second; words wait no longer for it
AT_ONCE: Final = 2  # questions without a session that are worked on: each is a stream of its own
LEAD_MS: Final = 1000  # how far a session may run ahead of real time; a caller who is faster is slowed
LOOK_S: Final = 0.01


class SessionState(msgspec.Struct, frozen=True, kw_only=True):
    """What /session answers."""

    session_id: str
    state: str
    elcor: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What /classify answers."""

    events: list[Classified]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What /health answers."""

    status: str
    warnings: list[str]
    models: dict[str, str]
    detail: str = ""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What /session/{id}/history answers: tone events, oldest first."""

    session_id: str
    count: int
    events: list[ToneEvent]


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What /session/{id}/export answers: tone events, the rest that was heard, corrections."""

    session_id: str
    elcor: bool
    events: list[ToneEvent]
    timeline: list[Heard]
    corrections: list[Correction]


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """What /corrections answers; `shared` is never true: nothing leaves the hub."""

    session_id: str
    number: int
    applied: bool
    shared: bool = False


class Handlers:
    """Handlers over the sessions."""

    def __init__(self, sessions: Sessions, drops: Callable[[str], None]) -> None:
        self._sessions = sessions
        self._drop = drops
        self._once = 0

    def add_to(self, app: web.Application) -> None:
        """Put the resources on an application."""
        router = app.router
        router.add_post("/classify", self.classify)
        router.add_get("/health", self.health, allow_head=True)
        router.add_post("/session/start", self.start)
        router.add_get("/session/{id}", self.state)
        router.add_get("/session/{id}/history", self.history)
        router.add_get("/session/{id}/export", self.export)
        router.add_delete("/session/{id}/end", self.end)
        for path in ("/corrections", "/corrections/"):  # Linnet's own server has it with the slash
            router.add_post(path, self.correct)

    # --- health --------------------------------------------------------------------------------------------

    async def health(self, request: web.Request) -> web.Response:
        """200 when sound can be made words, else 503."""
        engines = self._sessions.engines()
        status, detail = mapping.service(engines)
        body = Health(
            status="ok" if status == "ready" else status,
            warnings=self._sessions.warnings(),
            models=mapping.model_states(engines),
            detail=detail,
        )
        return told(body, 200 if status == "ready" else 503)

    # --- classify ------------------------------------------------------------------------------------------

    async def classify(self, request: web.Request) -> web.Response:
        """Events of a chunk of sound, within 5 s; VoiceError 409, 413, 422, 429, 503 or 504."""
        until_s = time.monotonic() + ANSWER_S
        asked = await read(request, ClassifyRequest, MAX_CLASSIFY)
        pcm = chunk(asked.audio_chunk)
        status, detail = mapping.service(self._sessions.engines())
        if status != "ready":
            raise VoiceError(503, status, detail)
        if asked.session_id:
            heard = await self._of_session(asked, pcm, source(request), until_s)
        else:
            heard = await self._of_itself(asked, pcm, source(request), until_s)
        return told(Answer(events=[classified(event) for event in heard]))

    async def _of_session(self, asked: ClassifyRequest, pcm: bytes, who: str, until_s: float) -> list[Heard]:
        """The chunk goes on with its session: what became known since the answer before."""
        id_ = session_id(asked.session_id or "")
        session = self._sessions.get(id_)
        if session is None:
            session = self._sessions.start(
                id_, elcor=asked.elcor, language=asked.language or "", speakers=asked.num_speakers
            )
        if session.socket is not None:
            raise VoiceError(409, "has_microphone", f"session {id_} takes its sound from a WebSocket")
        answers = session.answers = session.answers or Feed[Heard]()
        try:
            async with asyncio.timeout(max(0.0, until_s - time.monotonic())), session.chunks:
                await self._in_time(session, pcm, until_s)
                if not session.feed(pcm, who, asked.timestamp):
                    raise VoiceError(503, "busy", "the hub has too much to do: the chunk was not taken whole")
                await _until(lambda: not session.guest.waiting, CHUNK_ANSWER_S)
        except TimeoutError:
            raise VoiceError(429, "too_many_chunks", f"session {id_} has too many chunks at once") from None
        return answers.drain()

    async def _in_time(self, session: Session, pcm: bytes, until_s: float) -> None:
        """Hold back a caller who is faster than real time."""
        duration_ms = len(pcm) * 1000 // (2 * RATE)
        wait_s = session.guest.ahead_s(duration_ms, LEAD_MS)
        if wait_s > until_s - time.monotonic() - CHUNK_ANSWER_S:
            raise VoiceError(
                429,
                "too_fast",
                f"session {session.id} would run {wait_s + LEAD_MS / 1000:.1f} s ahead of real time; "
                f"{LEAD_MS / 1000:g} s are allowed",
            )
        await asyncio.sleep(wait_s)

    async def _of_itself(self, asked: ClassifyRequest, pcm: bytes, who: str, until_s: float) -> list[Heard]:
        """A chunk without a session: everything that is in it, or VoiceError 504."""
        if self._once >= AT_ONCE:
            self._drop("cf_voice_busy")
            raise VoiceError(503, "busy", f"{AT_ONCE} chunks without a session are worked on, the limit")
        self._once += 1
        session = self._sessions.passing(elcor=asked.elcor, speakers=asked.num_speakers)
        answers = session.answers = Feed[Heard]()
        try:
            if not session.feed(pcm, who, asked.timestamp):
                raise VoiceError(503, "busy", "the hub has too much to do: the chunk was not taken whole")
            session.guest.finish()
            if not await _until(lambda: not session.guest.waiting, until_s - time.monotonic()):
                self._drop("cf_voice_late")
                raise VoiceError(
                    504, "too_slow", f"the recogniser was not done within {ANSWER_S:g} s; send shorter chunks"
                )
            left_s = max(0.0, until_s - time.monotonic())
            await _until(lambda: not session.guest.sounding, min(SOUNDS_S, left_s))
            return answers.drain()
        finally:
            self._once -= 1
            await self._sessions.end(session)

    # --- sessions ------------------------------------------------------------------------------------------

    async def start(self, request: web.Request) -> web.Response:
        """Begin a session."""
        asked = await read(request, StartRequest)
        session = self._sessions.start(
            elcor=asked.elcor, language=asked.transcribe_lang or "", speakers=asked.num_speakers
        )
        return told(_state(session))

    async def state(self, request: web.Request) -> web.Response:
        """Whether a session goes on."""
        return told(_state(self._sessions.named(request.match_info["id"])))

    async def end(self, request: web.Request) -> web.Response:
        """End a session."""
        session = self._sessions.named(request.match_info["id"])
        await self._sessions.end(session)
        return told(_state(session))

    async def history(self, request: web.Request) -> web.Response:
        """The newest tone events that are certain enough."""
        session = self._sessions.named(request.match_info["id"])
        least = number(request, "min_confidence", 0.0, 0.0, 1.0)
        limit = int(number(request, "limit", 50, 1, HISTORY))
        tones = session.tones(least)[-limit:]
        return told(History(session_id=session.id, count=len(tones), events=tones))

    async def export(self, request: web.Request) -> web.Response:
        """All that is kept of a session, as a file."""
        session = self._sessions.named(request.match_info["id"])
        response = told(
            Export(
                session_id=session.id,
                elcor=session.elcor,
                events=session.tones(),
                timeline=[one.event for one in session.history if not isinstance(one.event, ToneEvent)],
                corrections=session.corrections,
            )
        )
        response.headers["Content-Disposition"] = f'attachment; filename="session-{session.id}.json"'
        return response

    async def correct(self, request: web.Request) -> web.Response:
        """What a person says of an annotation."""
        given = await read(request, Correction)
        session = self._sessions.named(given.named("session_id") or given.item_id)
        applied = session.correct(given)
        body = Corrected(session_id=session.id, number=len(session.corrections), applied=applied)
        return told(body, 201)


def told(body: msgspec.Struct, status: int = 200) -> web.Response:
    """A struct as an answer."""
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")


def _state(session: Session) -> SessionState:
    return SessionState(session_id=session.id, state=session.state, elcor=session.elcor)


async def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait for something that engines in other threads bring about; False when it did not come."""
    until_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until_s:
            return False
        await asyncio.sleep(LOOK_S)
    return True
