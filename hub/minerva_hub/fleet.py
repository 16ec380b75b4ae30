"""The registered devices: how they are, what the owner wants of them, and the commands to them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec
from minerva.wire import MODES

from minerva_hub.bus import Bus
from minerva_hub.errors import PeerError, StoreError, UserError
from minerva_hub.events import (
    DeviceChanged,
    DeviceInfo,
    DeviceRecord,
    DeviceRemoved,
    Gap,
    Mode,
    UpdateState,
)
from minerva_hub.store import Store

_log = logging.getLogger(__name__)

ANSWER_S = 3.0  # a device on a poor Wi-Fi answers well within this
REGISTRY_S = 2.0  # how soon a device added or removed by the command shows
AUDIO_MODES = ("speech", "full")
Media = Literal["audio", "features"]


class Wire(Protocol):
    """What the fleet needs of a device's connection."""

    def send(self, message: dict[str, Any]) -> None:
        """Queue a control message; never blocks."""

    def close(self, code: str, text: str) -> None:
        """End the connection with a fatal error."""


class Device:
    """One registered device: its record, how it is, and its connection while it has one."""

    def __init__(self, record: DeviceRecord, gaps: int) -> None:
        self.record = record
        self.wire: Wire | None = None
        self.info = DeviceInfo(id=record.id, room=record.room, gaps=gaps)
        self.permit_changed_s = 0.0  # monotonic; when less became allowed
        self.wishing = asyncio.Lock()  # two wishes at once must not undo each other
        self._changed = asyncio.Event()

    def update(self, **fields: Any) -> bool:
        """Change fields of `info`; True when one has another value now."""
        before = self.info
        self.info = msgspec.structs.replace(before, **fields)
        self.note_permits(self.permits(before))
        self._changed.set()
        self._changed = asyncio.Event()
        return self.info != before

    def permits(self, info: DeviceInfo | None = None) -> frozenset[Media]:
        """Which media the mode in force, as reported and as wished, allows.

        A device that is asked for `features` may send them before it reports the mode; audio is refused from
        the order on.
        """
        info = info or self.info
        modes = {mode for mode in (info.mode, self.record.mode) if mode is not None}
        if info.mute != "off" or self.record.muted or info.mode is None:
            return frozenset()
        if modes <= set(AUDIO_MODES):
            return frozenset({"audio"})
        return frozenset({"features"}) if modes <= {"features", *AUDIO_MODES} else frozenset()

    def note_permits(self, before: frozenset[Media]) -> None:
        """Remember when less became allowed than `before`: what is under way then is no offence yet."""
        if before - self.permits():
            self.permit_changed_s = time.monotonic()

    def may_be_heard(self) -> bool:
        """Whether the mode in force, as reported and as wished, allows levels and events."""
        return (
            self.info.mute == "off"
            and not self.record.muted
            and self.info.mode != "mute"
            and self.record.mode != "mute"
        )

    async def wait(self, until: Callable[[DeviceInfo], bool]) -> bool:
        """Wait until `info` is as asked; False when that takes longer than ANSWER_S."""
        try:
            async with asyncio.timeout(ANSWER_S):
                while not until(self.info):
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


class Fleet:
    """All registered devices, kept in step with the store."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._devices: dict[str, Device] = {}
        self.on_removed: Callable[[str], None] = lambda id_: None
        self.on_linked: Callable[[str], None] = lambda id_: None

    async def refresh(self) -> None:
        """Take over what the command added to or removed from the registry."""
        records = {record.id: record for record in await self._store.devices()}
        counts = await self._store.gap_counts()
        for id_ in [id_ for id_ in self._devices if id_ not in records]:
            self._forget(id_)
        for id_, record in records.items():
            known = self._devices.get(id_)
            if known is not None and known.record.token_hash != record.token_hash:
                self._forget(id_)  # removed and added again meanwhile: another device as far as we know
                known = None
            if known is None:
                self._devices[id_] = Device(record, counts.get(id_, 0))
                self._publish(self._devices[id_])

    async def watch(self) -> None:
        """Refresh for ever; the task is cancelled when the hub stops."""
        while True:
            await asyncio.sleep(REGISTRY_S)
            try:
                await self.refresh()
            except StoreError:
                _log.exception("the registry could not be read; it is tried again in %g s", REGISTRY_S)

    def _forget(self, id_: str) -> None:
        device = self._devices.pop(id_)
        if device.wire is not None:
            device.wire.close("unauthorized", f"{id_} was removed from this hub")
        self.on_removed(id_)
        self._bus.publish(DeviceRemoved(id=id_))

    def _publish(self, device: Device) -> None:
        self._bus.publish(DeviceChanged(device=device.info))

    def devices(self) -> list[DeviceInfo]:
        """Every registered device, online or not, by id."""
        return [self._devices[id_].info for id_ in sorted(self._devices)]

    @property
    def online(self) -> int:
        """How many devices are connected."""
        return sum(device.info.online for device in self._devices.values())

    def get(self, id_: str) -> Device:
        """A registered device; UserError when there is none."""
        try:
            return self._devices[id_]
        except KeyError:
            known = ", ".join(sorted(self._devices)) or "none yet"
            raise UserError(f"no device {id_!r} is registered; known: {known}") from None

    def find(self, id_: str) -> Device | None:
        """A registered device, or None."""
        return self._devices.get(id_)

    # --- what links report ----------------------------------------------------------------------------------

    def connected(self, device: Device, wire: Wire, **fields: Any) -> None:
        """A device said hello; an older connection of it is told and closed."""
        if device.wire is not None:
            device.wire.close("replaced", f"{device.record.id} connected again; the newer connection wins")
        device.wire = wire
        now = time.time_ns() // 1_000_000
        device.update(online=True, problem=None, since_ms=now, last_seen_ms=now, **fields)
        self._publish(device)
        self.on_linked(device.record.id)

    def disconnected(self, device: Device, wire: Wire, problem: str | None) -> None:
        """A connection ended; nothing happens when a newer one took its place."""
        if device.wire is not wire:
            return
        device.wire = None
        now = time.time_ns() // 1_000_000
        device.update(online=False, since_ms=now, last_seen_ms=now, problem=problem, rssi_dbm=None)
        self._publish(device)

    def reported(self, device: Device, **fields: Any) -> None:
        """A device reported its state."""
        device.update(last_seen_ms=time.time_ns() // 1_000_000, **fields)
        self._publish(device)

    def mute_changed(self, device: Device, state: str) -> None:
        """A device's mute changed. The button ended its own: what the owner muted here is muted again."""
        before = device.info.mute
        self.reported(device, mute=state)
        if state == "off" and device.record.muted and device.wire is not None:
            if before == "button":
                device.permit_changed_s = time.monotonic()  # what it sends until it hears this is no offence
            device.wire.send({"type": "mute", "on": True})

    def refused(self, id_: str, problem: str) -> None:
        """Somebody tried to connect as this device and was refused: the owner should see why."""
        device = self._devices.get(id_)
        if device is not None and device.update(problem=problem):
            self._publish(device)

    def lost(self, gap: Gap) -> None:
        """A gap of a device was recorded."""
        device = self._devices.get(gap.device)
        if device is not None:
            device.update(gaps=device.info.gaps + 1)
            self._publish(device)

    # --- updates --------------------------------------------------------------------------------------------

    def check_updates(self, device_id: str) -> bool:
        """Tell a device to ask its update server now, rather than when its time comes. False: not linked."""
        device = self._devices.get(device_id)
        if device is None or device.wire is None:
            return False
        device.wire.send({"type": "update", "action": "check"})
        return True

    def updating(self, device_id: str, state: UpdateState) -> None:
        """Show how far a device's update is; one that was removed meanwhile is ignored."""
        device = self._devices.get(device_id)
        if device is not None and device.update(update=state):
            self._publish(device)

    # --- what people ask ------------------------------------------------------------------------------------

    async def set_mute(self, device_id: str, on: bool) -> DeviceInfo:
        """Mute a device or end the hub's mute. One that is offline is muted when it comes back.

        UserError: unknown, or muted at its button. PeerError "timeout": it is online and does not answer.
        """
        device = self.get(device_id)
        if not on and device.info.mute == "button":
            raise UserError(f"{device_id} was muted at its button; only the button ends that")
        await self._wish(device, muted=on)
        if device.wire is not None:
            device.wire.send({"type": "mute", "on": on})
            if not await device.wait(lambda info: (info.mute != "off") == on):
                raise PeerError("timeout", f"{device_id} did not confirm the mute within {ANSWER_S:g} s")
        return device.info

    async def set_mode(self, device_id: str, mode: Mode) -> DeviceInfo:
        """Ask a device for a privacy mode. One that is offline takes it when it comes back.

        UserError: unknown device, above its ceiling, a mode it lacks. PeerError "timeout": no answer.
        """
        device = self.get(device_id)
        info = device.info
        if info.ceiling is not None and MODES.index(mode) > MODES.index(info.ceiling):
            raise UserError(
                f"{mode} is above the ceiling {info.ceiling} of {device_id}; its button or USB raises that"
            )
        if info.modes and mode not in info.modes:
            raise UserError(f"{device_id} has no mode {mode}; it has {', '.join(info.modes)}")
        await self._wish(device, mode=mode)
        if device.wire is not None:
            device.wire.send({"type": "config", "mode": mode})
            if not await device.wait(lambda info: info.mode == mode):
                raise PeerError("timeout", f"{device_id} did not take mode {mode} within {ANSWER_S:g} s")
        return device.info

    async def _wish(self, device: Device, **wish: Any) -> None:
        # Kept before it is sent: a hub that dies in between must not open up what the owner closed.
        async with device.wishing:
            record = msgspec.structs.replace(device.record, **wish)
            await self._store.set_wish(record.id, record.mode, record.muted)
            before = device.permits()
            device.record = record
        device.note_permits(before)
