"""Sessions: which conversation an utterance belongs to, who is who in it, and how it gets into the store."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from minerva_hub.bus import Bus
from minerva_hub.config import SessionConfig
from minerva_hub.diarize import Diarizer, SpeakerBook
from minerva_hub.errors import StoreError, UnknownSessionError
from minerva_hub.events import (
    ResumePoint,
    Session,
    SessionChanged,
    SpeakersChanged,
    Utterance,
    UtteranceAdded,
)
from minerva_hub.pipeline.scribe import Draft, line
from minerva_hub.pipeline.tones import Tones
from minerva_hub.store import Store

_log = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_S = 2.0  # a full disk is looked at again this often


class Conversation:
    """One open session with its ephemeral memory of voices."""

    def __init__(self, session: Session, book: SpeakerBook[Any]) -> None:
        self.session = session
        self.book = book
        self.tones = Tones()
        self.ids: dict[int, int] = {}  # key in the book -> utterance id
        self.next_key = 0
        self.end_ms = session.start_ms
        self.active_s = time.monotonic()
        self.lock = asyncio.Lock()  # around what adds to it and what ends it
        self.over = False


class Conversations:
    """The open session of each device."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        config: SessionConfig,
        diarizer: Callable[[], Diarizer[Any]],
        warn: Callable[[str, str | None], None],
    ) -> None:
        self._store = store
        self._bus = bus
        self._config = config
        self._diarizer = diarizer
        self._warn = warn
        self._open: dict[str, Conversation] = {}

    async def end_left_open(self) -> None:
        """End what an earlier run of the hub left open: its memory of voices is gone."""
        for session in await self._store.open_sessions():
            said = await self._store.utterances(session_id=session.id, limit=1)
            await self._store.end_session(session.id, said[-1].end_ms if said else session.start_ms)

    async def add(
        self,
        device: str,
        room: str,
        engine: str,
        drafts: Sequence[Draft],
        resume: ResumePoint | None,
        *,
        late_s: int = 0,
    ) -> list[Utterance]:
        """Store what was said, in its session; waits and tries again while the disk is full."""
        while True:
            conversation = await self._conversation(device, room, drafts[0].start_ms)
            async with conversation.lock:
                if conversation.over:
                    continue
                try:
                    return await self._add(conversation, device, room, engine, drafts, resume, late_s)
                except UnknownSessionError:  # the owner deleted it: what follows is a new conversation
                    self._open.pop(device, None)

    async def _add(
        self,
        conversation: Conversation,
        device: str,
        room: str,
        engine: str,
        drafts: Sequence[Draft],
        resume: ResumePoint | None,
        late_s: int,
    ) -> list[Utterance]:
        keys = range(conversation.next_key, conversation.next_key + len(drafts))
        voices = [
            (key, draft.voice, (draft.end_ms - draft.start_ms) / 1000)
            for key, draft in zip(keys, drafts, strict=True)
        ]
        # Clustering a long session anew takes a tenth of a second, in which packets come.
        assigned = await asyncio.to_thread(conversation.book.add, voices)
        conversation.next_key = keys.stop
        changed = {
            conversation.ids[key]: label for key, label in assigned.changed.items() if key in conversation.ids
        }
        conversation.tones.relabel(assigned.changed)
        new = [
            line(
                draft,
                session_id=conversation.session.id,
                device=device,
                room=room,
                speaker=assigned.labels[key],
                engine=engine,
                tone=conversation.tones.tone(key, assigned.labels[key], draft.sounding),
            )
            for key, draft in zip(keys, drafts, strict=True)
        ]
        stored = await self._until_it_works(lambda: self._store.commit(new, resume, changed))
        conversation.ids.update(zip(keys, (utterance.id for utterance in stored), strict=True))
        conversation.end_ms = max(conversation.end_ms, stored[-1].end_ms)
        conversation.active_s = time.monotonic()
        for utterance in stored:
            self._bus.publish(UtteranceAdded(utterance=utterance, late_s=late_s))
        if changed:
            labels = {str(id_): label for id_, label in changed.items()}
            self._bus.publish(SpeakersChanged(session_id=conversation.session.id, speakers=labels))
        await self._refresh(conversation, changed=bool(changed))
        return stored

    async def _until_it_works(self, write: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                done = await write()
            except UnknownSessionError:
                raise
            except StoreError as problem:
                self._warn("disk", f"{problem}. New text waits and is tried again")
                await asyncio.sleep(RETRY_S)
            else:
                self._warn("disk", None)
                return done

    async def _refresh(self, conversation: Conversation, *, changed: bool) -> None:
        """Publish the session when its speakers are others than before."""
        try:
            session = await self._store.session(conversation.session.id)
        except StoreError as problem:  # the words are stored; only the page's summary is older
            self._warn("disk", str(problem))
            return
        if session is None:
            return
        before = conversation.session
        conversation.session = session
        if changed or session.speakers != before.speakers:
            self._bus.publish(SessionChanged(session=session))

    async def _conversation(self, device: str, room: str, start_ms: int) -> Conversation:
        conversation = self._open.get(device)
        if conversation is None:
            session = await self._until_it_works(lambda: self._store.begin_session(device, room, start_ms))
            conversation = self._open[device] = Conversation(session, self._diarizer().open_book())
            self._bus.publish(SessionChanged(session=session))
        return conversation

    async def end_quiet(self, busy: Callable[[str], bool]) -> None:
        """End the sessions that were quiet for long enough; `busy`: a device still has text to come."""
        limit = time.monotonic() - self._config.quiet_s
        for device, conversation in tuple(self._open.items()):
            if conversation.active_s < limit and not busy(device):
                await self._end(device)

    async def end(self, session_id: int) -> None:
        """The owner ends a conversation; no error when it is over already."""
        for device, conversation in tuple(self._open.items()):
            if conversation.session.id == session_id:
                await self._end(device)

    async def end_all(self) -> None:
        """The hub stops."""
        for device in tuple(self._open):
            await self._end(device)

    async def _end(self, device: str) -> None:
        conversation = self._open.pop(device, None)
        if conversation is None:
            return
        id_ = conversation.session.id
        try:
            async with conversation.lock:  # what is being added still belongs to it
                conversation.over = True
                changed = await self._settled(conversation)
                session, relabelled = await self._store.settle_session(id_, conversation.end_ms, changed)
        except UnknownSessionError:
            return  # the owner deleted it
        except StoreError as problem:
            # The next start of the hub ends it at its last utterance, which is the same, with its labels as
            # they are.
            self._warn("disk", str(problem))
            return
        if relabelled:
            labels = {str(utterance): label for utterance, label in relabelled.items()}
            self._bus.publish(SpeakersChanged(session_id=id_, speakers=labels))
        self._bus.publish(SessionChanged(session=session))

    async def _settled(self, conversation: Conversation) -> dict[int, tuple[str, str]]:
        """Who said what, clustered anew over the whole session: utterance id to (label before, label now)."""
        before = await self._store.speakers(conversation.session.id)
        keys = {key: id_ for key, id_ in conversation.ids.items() if id_ in before}
        had = {key: before[id_] for key, id_ in keys.items()}
        try:
            settled = await asyncio.to_thread(conversation.book.settle, had)
        except Exception:
            # An engine's fault must not keep a session open for ever.
            _log.exception("the speakers of session %s stay as they were", conversation.session.id)
            self._warn("speakers", f"{conversation.session.room}: speakers stay as they were: see the log")
            return {}
        self._warn("speakers", None)
        return {
            id_: (before[id_], settled[key])
            for key, id_ in keys.items()
            if settled.get(key, before[id_]) != before[id_]
        }
