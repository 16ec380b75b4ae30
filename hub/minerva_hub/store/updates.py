"""The store's part for updates: releases, groups, rollouts, and what devices are offered and say."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Literal

from minerva_hub.events import (
    Action,
    Feedback,
    Group,
    NewRelease,
    RefusedRelease,
    Release,
    Rollout,
    UpdateState,
)
from minerva_hub.store import campaigns, deliveries, releases
from minerva_hub.store.campaigns import Decide, NewRollout
from minerva_hub.store.database import Database
from minerva_hub.store.deliveries import Told, Work


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Updates:
    """Releases and rollouts. Every write is on disk when its call returns; any call may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add_release(self, new: NewRelease, rotated: tuple[int, str] | None = None) -> Release:
        """Store a verified release, and the key set (version, text) that its rotation leads to, or neither.

        ConflictError when its manifest is here already, or another key set came meanwhile.
        """
        at_ms = now_ms()

        def add(conn: sqlite3.Connection) -> Release:
            made = releases.add_release(conn, new)
            if rotated is not None:
                releases.set_key_set(conn, *rotated, at_ms, replace=False)
            return made

        return await self._db.write(add)

    async def releases(self) -> list[Release]:
        """All releases, newest first."""
        return await self._db.read(releases.releases)

    async def release(self, id_: int) -> Release | None:
        """One release."""
        return await self._db.read(lambda conn: releases.release(conn, id_))

    async def remove_release(self, id_: int) -> Release:
        """Forget a release and its ended rollouts; UnknownItemError, ConflictError while one goes on."""
        return await self._db.write(lambda conn: releases.remove_release(conn, id_))

    async def add_refused(self, refused: RefusedRelease) -> None:
        """Note a refused upload."""
        await self._db.write(lambda conn: releases.add_refused(conn, refused))

    async def refused(self) -> list[RefusedRelease]:
        """The newest refused uploads, newest first."""
        return await self._db.read(releases.refused)

    async def key_set(self) -> tuple[str, int] | None:
        """The text of the trusted key set and since when, or None."""
        return await self._db.read(releases.key_set)

    async def set_key_set(self, version: int, text: str, *, replace: bool = False) -> None:
        """Trust a key set whose signatures the caller checked; ConflictError: it is not newer."""
        at_ms = now_ms()
        await self._db.write(lambda conn: releases.set_key_set(conn, version, text, at_ms, replace=replace))

    async def set_group(self, name: str, devices: Sequence[str]) -> Group:
        """Make a group or change its devices; UnknownItemError, ConflictError."""
        return await self._db.write(lambda conn: releases.set_group(conn, name, devices))

    async def groups(self) -> list[Group]:
        """All groups by name."""
        return await self._db.read(releases.groups)

    async def remove_group(self, name: str) -> None:
        """Forget a group; UnknownItemError."""
        await self._db.write(lambda conn: releases.remove_group(conn, name))

    async def set_attributes(self, device: str, attributes: dict[str, str]) -> None:
        """Keep what a device says of itself."""
        at_ms = now_ms()
        await self._db.write(lambda conn: releases.set_attributes(conn, device, attributes, at_ms))

    async def attributes(self, device: str) -> dict[str, str]:
        """What a device said of itself."""
        return await self._db.read(lambda conn: releases.attributes(conn, device))

    async def add_rollout(self, new: NewRollout) -> Rollout:
        """Begin a rollout with its first stage open; UnknownItemError: no such release."""
        at_ms = now_ms()
        id_ = await self._db.write(lambda conn: campaigns.add_rollout(conn, new, at_ms))
        (made,) = await self.rollouts(id_=id_)
        return made

    async def rollouts(self, *, id_: int | None = None, open_only: bool = False) -> list[Rollout]:
        """Rollouts, newest first, with their counts."""
        at_ms = now_ms()
        return await self._db.read(lambda conn: campaigns.rollouts(conn, at_ms, id_=id_, open_only=open_only))

    async def change_rollout(self, id_: int, wish: Literal["pause", "resume", "stop"]) -> None:
        """Pause, resume or stop a rollout; UnknownItemError, ConflictError."""
        at_ms = now_ms()
        await self._db.write(lambda conn: campaigns.change(conn, id_, wish, at_ms))

    async def advance(self, decide: Decide) -> list[int]:
        """Go on with every open rollout as `decide` says; the ids of those that changed."""
        at_ms = now_ms()
        return await self._db.write(lambda conn: campaigns.advance(conn, decide, at_ms))

    async def actions(
        self,
        *,
        id_: int | None = None,
        rollout: int | None = None,
        device: str | None = None,
        limit: int = 100,
    ) -> list[Action]:
        """Actions of a rollout by stage and device, or of a device, newest first."""
        at_ms = now_ms()
        return await self._db.read(
            lambda conn: campaigns.actions(conn, at_ms, id_=id_, rollout=rollout, device=device, limit=limit)
        )

    async def work(self, device: str) -> Work:
        """What a device is to do."""
        return await self._db.read(lambda conn: deliveries.work(conn, device))

    async def take(self, device: str, action: int) -> Release | None:
        """The release of a device's action, which has begun then; None: not its, or not any more."""
        at_ms = now_ms()

        def fetch(conn: sqlite3.Connection) -> Release | None:
            id_ = deliveries.take(conn, device, action, at_ms)
            return None if id_ is None else releases.release(conn, id_)

        return await self._db.write(fetch)

    async def canceling(self, device: str, action: int) -> bool:
        """Whether a device is asked to give this action up."""
        return await self._db.read(lambda conn: deliveries.canceling(conn, device, action))

    async def fetchable(self, device: str, release: int) -> Release | None:
        """A release that was offered to a device, or None."""
        return await self._db.read(
            lambda conn: (
                releases.release(conn, release) if deliveries.may_fetch(conn, device, release) else None
            )
        )

    async def tell(self, device: str, said: Feedback, *, of_cancel: bool = False) -> Told:
        """Take what a device says about an action."""
        at_ms = now_ms()
        return await self._db.write(
            lambda conn: deliveries.tell(conn, device, said, of_cancel=of_cancel, now_ms=at_ms)
        )

    async def latest(self) -> dict[str, UpdateState]:
        """How far the newest update of each device is, by device."""
        return await self._db.read(deliveries.latest)

    async def waiting(self) -> list[str]:
        """The devices that have something to ask the update server for."""
        return await self._db.read(deliveries.waiting)

    async def history(self, device: str, limit: int = 100) -> list[Feedback]:
        """What a device told the update server, newest first."""
        return await self._db.read(lambda conn: deliveries.history(conn, device, limit))
