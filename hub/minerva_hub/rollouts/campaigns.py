"""Runs the campaigns: what the owner asks and what devices say goes to the store, and on from there.

Nothing is kept here that a restart would miss: the store decides under its write lock, with plan.decide.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Literal, Protocol

from minerva_hub.bus import Bus
from minerva_hub.errors import ConflictError, StoreError, UnknownItemError, UserError
from minerva_hub.events import DeviceInfo, Feedback, Release, Rollout, RolloutChanged, UpdateState
from minerva_hub.rollouts import plan as planning
from minerva_hub.rollouts.plan import Plan, Target
from minerva_hub.store import Store
from minerva_hub.store.campaigns import NewRollout
from minerva_hub.store.deliveries import Told

_log = logging.getLogger(__name__)

TELL_S = 0.5  # a rollout is told to the page at most so often
TICK_S = 60.0  # how soon devices that fell silent, or were removed, show in a rollout


class Devices(Protocol):
    """What rollouts need of the registry of devices."""

    def devices(self) -> Sequence[DeviceInfo]:
        """Every registered device."""

    def check_updates(self, device_id: str) -> bool:
        """Tell a device to ask its update server now; False when it is not linked."""

    def updating(self, device_id: str, state: UpdateState) -> None:
        """Show how far a device's update is."""


class Rollouts:
    """The campaigns of a hub; `run` goes on with them until it is cancelled."""

    def __init__(self, store: Store, bus: Bus, devices: Devices) -> None:
        self._store = store
        self._updates = store.updates
        self._bus = bus
        self._devices = devices
        self._dirty: set[int] = set()  # rollouts whose news are to be told
        self._woken: set[str] = set()  # devices that linked: have they anything to fetch?
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Go on with the campaigns, tell of them, and wake devices, until cancelled."""
        begun = False
        while True:
            try:
                if not begun:
                    await self._begin()
                    begun = True
                await self._round()
            except StoreError:
                _log.exception("the rollouts could not be read; that is tried again in %g s", TICK_S)
            await asyncio.sleep(TELL_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK_S)

    async def _begin(self) -> None:
        """Take up what another run of the hub left, and what happened before this one."""
        for id_, state in (await self._updates.latest()).items():
            self._devices.updating(id_, state)
        await self._advance()
        self._woken.update(device.id for device in self._devices.devices() if device.online)

    async def _round(self) -> None:
        ticked = not self._wake.is_set()
        self._wake.clear()
        if ticked:
            await self._advance()
            self._dirty.update(rollout.id for rollout in await self._updates.rollouts(open_only=True))
        woken, self._woken = self._woken, set()
        if woken:
            self._tell_devices(woken & set(await self._updates.waiting()))
        dirty, self._dirty = self._dirty, set()
        for id_ in sorted(dirty):
            for rollout in await self._updates.rollouts(id_=id_):
                self._bus.publish(RolloutChanged(rollout=rollout))

    def linked(self, device_id: str) -> None:
        """A device has linked: it is told to ask if there is anything for it, so that it need not poll."""
        self._woken.add(device_id)
        self._wake.set()

    def removed(self, device_id: str) -> None:
        """A device was removed from the registry, and its open updates with it."""
        self._note(())
        self._wake.set()

    def _note(self, ids: Iterable[int]) -> None:
        self._dirty.update(ids)
        self._wake.set()

    def _tell_devices(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            self._devices.check_updates(id_)

    async def _advance(self) -> None:
        changed = await self._updates.advance(planning.decide)
        if changed:
            self._note(changed)
            self._tell_devices(await self._updates.waiting())

    async def start(self, release_id: int, target: Target, plan: Plan) -> Rollout:
        """Begin a rollout. UserError or UnknownItemError: no such release, group or device, or none suits."""
        planning.check(plan)
        release = await self._updates.release(release_id)
        if release is None:
            raise UnknownItemError(f"there is no release {release_id}")
        if release.abi.endswith("-full"):
            raise ConflictError(
                f"release {release.version} is for new boards, which are flashed with it: no device takes it "
                "for an update"
            )
        if release.expires_s <= time.time():
            raise ConflictError(
                f"release {release.version} has expired: devices that know the time refuse it"
            )
        ids, words = await self._targets(target)
        said = {device.id: device for device in self._devices.devices()}
        skipped = {
            id_: why for id_ in ids if id_ in said and (why := planning.suits(release, said[id_])) is not None
        }
        rest = [id_ for id_ in ids if id_ not in skipped]
        if not rest:
            why = "; ".join(f"{id_} {text}" for id_, text in list(skipped.items())[:5])
            raise UserError(
                f"no device of {words} takes release {release.version}" + (f": {why}" if why else "")
            )
        canaries = () if plan.canary_group is None else await self._group(plan.canary_group)
        made = await self._updates.add_rollout(
            NewRollout(
                release=release_id,
                target=words,
                success_percent=plan.success_percent,
                error_percent=plan.error_percent,
                silent_s=plan.silent_s,
                stages=planning.stages(rest, plan, salt=release.digest, canaries=canaries),
                skipped=skipped,
            )
        )
        self._note([made.id])
        await self._advance()
        self._tell_devices(await self._updates.waiting())
        return made

    async def _targets(self, target: Target) -> tuple[list[str], str]:
        # As the database has them: one that was just added is not known to the fleet yet.
        known = {device.id for device in await self._store.devices()}
        if target.group is not None and target.devices is not None:
            raise UserError("give either a group or devices")
        if target.devices is not None:
            ids, words = sorted(set(target.devices)), "the devices named"
            for id_ in ids:
                if id_ not in known:
                    raise UnknownItemError(f"there is no device {id_!r}")
            if len(ids) <= 3:
                words = ", ".join(ids)
        elif target.group is not None:
            ids, words = [i for i in await self._group(target.group) if i in known], f"group {target.group}"
        else:
            ids, words = sorted(known), "all devices"
        if len(ids) > planning.MAX_TARGETS:
            raise UserError(f"{words}: {len(ids)} devices; a rollout takes at most {planning.MAX_TARGETS}")
        return ids, words

    async def _group(self, name: str) -> tuple[str, ...]:
        for group in await self._updates.groups():
            if group.name == name:
                return group.devices
        raise UnknownItemError(f"there is no group {name!r}")

    async def change(self, id_: int, wish: Literal["pause", "resume", "stop"]) -> Rollout:
        """Pause, resume or stop a rollout for good. UnknownItemError, ConflictError."""
        await self._updates.change_rollout(id_, wish)
        self._note([id_])
        await self._advance()
        self._tell_devices(await self._updates.waiting())
        (now,) = await self._updates.rollouts(id_=id_)
        return now

    async def take(self, device_id: str, action: int) -> Release | None:
        """The release of a device's action, which has begun then; None: it has no such one."""
        release = await self._updates.take(device_id, action)
        if release is not None:
            for found in await self._updates.actions(id_=action):
                self._note([found.rollout])
        return release

    async def tell(self, device_id: str, said: Feedback, *, of_cancel: bool) -> Told:
        """Take what a device says about one of its actions, and go on with the rollout."""
        told = await self._updates.tell(device_id, said, of_cancel=of_cancel)
        if told.reply == "ok":
            self._note([told.rollout])
            detail = said.details[-1] if said.details else ""
            self._devices.updating(
                device_id,
                UpdateState(
                    state=told.state,
                    at_ms=said.at_ms,
                    version=told.version,
                    progress=told.progress,
                    action=said.action,
                    detail=detail,
                ),
            )
            if told.state in ("success", "failure", "canceled"):
                await self._advance()
        return told
