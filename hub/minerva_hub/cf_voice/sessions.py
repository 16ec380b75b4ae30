"""The sessions there are: bounded in number, and ended when nobody uses them."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from minerva_hub.cf_voice import mapping
from minerva_hub.cf_voice.events import ServiceStatus
from minerva_hub.cf_voice.problems import VoiceError
from minerva_hub.cf_voice.session import Session
from minerva_hub.errors import PeerError
from minerva_hub.events import EngineInfo
from minerva_hub.pipeline import Pipeline

MAX_SESSIONS: Final = 8  # each is a stream for the detector and the recognisers, as a device is
IDLE_S: Final = 90.0  # without reader, sound or question: a phone that was put away for longer begins anew
SILENT_S: Final = 3600.0  # without sound, whoever reads: a page that was left open

_log = logging.getLogger(__name__)


class Sessions:
    """Opens sessions over the pipeline's guests, and ends them."""

    def __init__(self, pipeline: Pipeline, language: str) -> None:
        self.drops: Counter[str] = Counter()
        self._pipeline = pipeline
        self._language = language
        self._open: dict[str, Session] = {}
        self._passing: set[Session] = set()  # of one question each

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._open.values()))

    def start(
        self, id_: str = "", *, elcor: bool = False, language: str = "", speakers: int | None = None
    ) -> Session:
        """A new session. VoiceError 503 when there are MAX_SESSIONS."""
        if len(self._open) >= MAX_SESSIONS:
            raise VoiceError(
                503, "too_many_sessions", f"{MAX_SESSIONS} sessions are open, the limit; end one of them"
            )
        session = self._make(id_ or uuid.uuid4().hex[:16], elcor, language, speakers)
        self._open[session.id] = session
        session.stand(self.standing(session))
        return session

    def passing(self, *, elcor: bool, speakers: int | None) -> Session:
        """A session of one question, which nobody can name; its caller ends it."""
        session = self._make(f"once-{uuid.uuid4().hex}", elcor, "", speakers)
        self._passing.add(session)
        return session

    def _make(self, id_: str, elcor: bool, language: str, speakers: int | None) -> Session:
        return Session(
            id_,
            lambda tell: self._pipeline.guests.open(id_, tell, speakers=speakers or None),
            elcor=elcor,
            language=language,
        )

    def get(self, id_: str) -> Session | None:
        """A session that goes on."""
        return self._open.get(id_)

    def named(self, id_: str) -> Session:
        """The same; VoiceError 404 when there is none."""
        session = self._open.get(id_)
        if session is None:
            raise VoiceError(404, "unknown_session", f"there is no session {id_[:64]!r}; it may have ended")
        session.used_s = time.monotonic()
        return session

    async def end(self, session: Session) -> None:
        """End a session now."""
        self._open.pop(session.id, None)
        self._passing.discard(session)
        self._add(session, self.drops)
        self._pipeline.guests.end(session.guest)
        await session.end()

    async def look(self) -> None:
        """Once a second: what changed, and who is gone."""
        now_s = time.monotonic()
        for session in self:
            session.stand(self.standing(session))
            try:
                session.look()
            except PeerError as problem:  # the hub's clock was set back: this session cannot go on
                _log.warning("cf-voice session %s ends: %s", session.id, problem)
                await self.end(session)
                continue
            unused = session.socket is None and not session.readers and now_s - session.used_s > IDLE_S
            if unused or now_s - session.fed_s > SILENT_S:
                _log.info("cf-voice session %s ends: nobody uses it", session.id)
                await self.end(session)

    async def end_all(self) -> None:
        """The hub stops."""
        for session in self:
            await self.end(session)

    def sources(self) -> tuple[str, ...]:
        """The addresses that sound comes from now."""
        return tuple(sorted({one.source for one in (*self, *self._passing) if one.source}))

    def engines(self) -> Sequence[EngineInfo]:
        """The hub's engines."""
        return self._pipeline.engines()

    def warnings(self) -> list[str]:
        """What programs should know of the hub."""
        return mapping.warnings(self.engines(), tuple(self._pipeline.warnings.values()))

    def standing(self, session: Session) -> list[tuple[ServiceStatus, str]]:
        """What the session's readers are told of the engines; the last is the one that counts."""
        state = mapping.service(self.engines())
        if state[0] != "ready":
            return [state]
        told: list[tuple[ServiceStatus, str]] = [("warning", text) for text in self.warnings()]
        asked = session.language.partition("-")[0].lower()
        if asked and self._language not in ("auto", asked):
            text = f"{asked} was asked for; this hub writes {self._language} ([transcribe] language)"
            told.append(("warning", text))
        return [*told, state]

    def dropped(self) -> Counter[str]:
        """Events that readers lost, and milliseconds of sound that were not taken or lost."""
        total = Counter(self.drops)
        for session in self:
            self._add(session, total)
        return total

    @staticmethod
    def _add(session: Session, total: Counter[str]) -> None:
        total["cf_voice_events"] += session.lost_events
        total["cf_voice_sound_ms"] += session.guest.dropped_ms + session.lost_ms
