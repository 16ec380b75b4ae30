"""The store's interface: records in and out, asynchronous, from one event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from minerva_hub.errors import StoreBusyError, StoreFullError
from minerva_hub.events import (
    DeviceRecord,
    Gap,
    Mode,
    NewSound,
    NewUtterance,
    ResumePoint,
    Session,
    Sound,
    Utterance,
)
from minerva_hub.store import sessions, timeline
from minerva_hub.store.database import Database
from minerva_hub.store.enrolments import Enrolments
from minerva_hub.store.logins import Logins
from minerva_hub.store.updates import Updates

log = logging.getLogger(__name__)

FILE_NAME = "minerva.db"
_NOTHING: Mapping[int, str] = MappingProxyType({})


class Store:
    """The timeline and the registry.

    `logins` has the login, `updates` releases and rollouts, `enrolments` the voices of people whom the
    owner enrolled.

    Every write is on disk on return. Any call may raise StoreError; a write on a full disk raises
    StoreFullError, stores nothing and may be tried again. Other processes may read and write the same file
    meanwhile.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self.logins = Logins(database)
        self.updates = Updates(database)
        self.enrolments = Enrolments(database)

    @classmethod
    async def open(cls, folder: Path, *, max_bytes: int | None = None) -> Store:
        """Open, or make, the database in `folder`; `max_bytes` bounds its size.

        Raises NewerDatabaseError, leaving the file as it is, when a newer Minerva wrote it.
        """
        loop = asyncio.get_running_loop()
        store = cls(await asyncio.to_thread(Database, folder / FILE_NAME, loop, max_bytes))
        await store._purge()
        return store

    async def close(self) -> None:
        """Finish the writes under way and close the file."""
        await self._db.close()

    @property
    def hub_id(self) -> str:
        """The hub's random id, 16 hex digits, made when the database was."""
        return self._db.hub_id

    async def add_device(self, record: DeviceRecord) -> None:
        """Register a device; StoreError when its id is taken."""
        await self._db.write(lambda conn: sessions.add_device(conn, record))

    async def devices(self) -> list[DeviceRecord]:
        """All registered devices, by id."""
        return await self._db.read(sessions.devices)

    async def device(self, id_: str) -> DeviceRecord | None:
        """One device."""
        found = await self._db.read(lambda conn: sessions.devices(conn, id_))
        return found[0] if found else None

    async def renew_device(self, id_: str, token_hash: str, room: str) -> bool:
        """Give a device another token, which voids the old one, and a room. False: there is none such."""
        return await self._db.write(lambda conn: sessions.renew_device(conn, id_, token_hash, room))

    async def remove_device(self, id_: str) -> bool:
        """Forget a device; what it heard stays. False: there was none."""
        return await self._db.write(lambda conn: sessions.remove_device(conn, id_))

    async def set_wish(self, id_: str, mode: Mode | None, muted: bool) -> None:
        """Keep the privacy mode (None: the device's own) and the mute that the owner chose for a device."""
        await self._db.write(lambda conn: sessions.set_wish(conn, id_, mode, muted))

    async def begin_session(self, device: str, room: str, start_ms: int) -> Session:
        """Begin a conversation."""
        return await self._db.write(lambda conn: sessions.begin_session(conn, device, room, start_ms))

    async def end_session(self, id_: int, end_ms: int) -> Session:
        """End a conversation; UnknownSessionError when the owner deleted it."""
        return await self._db.write(lambda conn: sessions.end_session(conn, id_, end_ms))

    async def settle_session(
        self, id_: int, end_ms: int, changed: Mapping[int, tuple[str, str]]
    ) -> tuple[Session, dict[int, str]]:
        """End a conversation and relabel its utterances (id to label before and now), all or nothing.

        Returns it with what was relabelled: an utterance whose label is not the one before keeps it, for
        somebody changed it meanwhile. UnknownSessionError when the owner deleted the conversation.
        """
        return await self._db.write(lambda conn: sessions.settle_session(conn, id_, end_ms, changed))

    async def speakers(self, session_id: int) -> dict[int, str]:
        """Whose each utterance of a conversation is: id to label."""
        return await self._db.read(lambda conn: sessions.speakers(conn, session_id))

    async def open_sessions(self) -> list[Session]:
        """Sessions that have no end yet, oldest first."""
        return await self._db.read(sessions.open_sessions)

    async def session(self, id_: int) -> Session | None:
        """One session."""
        return await self._db.read(lambda conn: sessions.session(conn, id_))

    async def sessions(
        self,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        device: str | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> list[Session]:
        """Sessions that touch [since_ms, until_ms), newest first; `before_id` pages on from that session."""
        return await self._db.read(
            lambda conn: sessions.sessions(conn, since_ms, until_ms, device, limit, before_id)
        )

    async def delete_session(self, id_: int) -> bool:
        """Delete a conversation so that its text is nowhere in the files any more. False: there was none.

        On a full disk the last traces go at the next deletion or start.
        """
        deleted = await self._db.write(lambda conn: sessions.delete_session(conn, id_))
        await self._purge()
        return deleted

    async def _purge(self) -> None:
        try:
            if await self._db.write(sessions.purge):
                await self._db.empty_log()
        except (StoreFullError, StoreBusyError) as exc:
            log.warning("words of deleted conversations stay in the search index for now: %s", exc)

    async def commit(
        self,
        utterances: Sequence[NewUtterance],
        resume: ResumePoint | None,
        changed: Mapping[int, str] = _NOTHING,
    ) -> list[Utterance]:
        """Store utterances, relabel older ones (id to speaker) and move the resume point, all or nothing.

        UnknownSessionError when the owner deleted the session meanwhile; ids in `changed` that are gone are
        ignored.
        """
        return await self._db.write(lambda conn: timeline.commit(conn, utterances, resume, changed))

    async def save_resume(self, point: ResumePoint) -> None:
        """Move a resume point forwards (u32 serial arithmetic); one that lies behind is ignored."""
        await self._db.write(lambda conn: sessions.save_resume(conn, point))

    async def resume(self, device: str, boot_id: str, stream: int) -> ResumePoint | None:
        """The last settled packet of a stream; only the newest few boots of a device are kept."""
        return await self._db.read(lambda conn: sessions.resume(conn, device, boot_id, stream))

    async def utterances(
        self,
        *,
        session_id: int | None = None,
        q: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        device: str | None = None,
        speaker: str | None = None,
        limit: int = 100,
        before_id: int | None = None,
        after_id: int | None = None,
    ) -> list[Utterance]:
        """The newest `limit` utterances that begin in [since_ms, until_ms) and fit the rest, oldest first.

        `q`: every word occurs, the last one as a prefix, without regard to case and accents; any text is
        allowed and a blank one asks nothing. `before_id` pages back in time from that utterance (nothing when
        it is gone); `after_id` gives instead the first `limit` that were committed later, in that order.
        ValueError: `limit` outside 1 to MAX_ROWS, or both ids.
        """
        return await self._db.read(
            lambda conn: timeline.utterances(
                conn, session_id, q, since_ms, until_ms, device, speaker, limit, before_id, after_id
            )
        )

    async def add_sound(self, sound: NewSound) -> Sound:
        """Store a sound event."""
        return await self._db.write(lambda conn: timeline.add_sound(conn, sound))

    async def sounds(
        self,
        since_ms: int | None = None,
        until_ms: int | None = None,
        device: str | None = None,
        limit: int = 100,
    ) -> list[Sound]:
        """The newest `limit` sounds that begin in [since_ms, until_ms), oldest first."""
        return await self._db.read(lambda conn: timeline.sounds(conn, since_ms, until_ms, device, limit))

    async def add_gap(self, gap: Gap) -> None:
        """Record a stretch of audio that was lost."""
        await self._db.write(lambda conn: timeline.add_gap(conn, gap))

    async def gaps(
        self, device: str | None = None, since_ms: int | None = None, limit: int = 100
    ) -> list[Gap]:
        """The newest `limit` gaps that end after `since_ms`, oldest first."""
        return await self._db.read(lambda conn: timeline.gaps(conn, device, since_ms, limit))

    async def gap_counts(self) -> dict[str, int]:
        """Gaps so far for each device that has any."""
        return await self._db.read(timeline.gap_counts)
