"""What the web layer needs from the rest of the hub; the application injects it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from minerva_hub.bus import Bus
from minerva_hub.download import ModelJobs
from minerva_hub.events import DeviceInfo, HubHealth, Mode
from minerva_hub.releases import Releases
from minerva_hub.rollouts import Rollouts
from minerva_hub.rollouts.shelf import Shelf
from minerva_hub.store import Store


class FleetFace(Protocol):
    """The registered devices and what can be asked of them.

    The commands raise UserError or PeerError, whose text says what stands in the way (offline, muted at its
    button, above the ceiling, a mode that the device lacks).
    """

    def devices(self) -> Sequence[DeviceInfo]:
        """Every registered device, online or not."""

    async def set_mute(self, device_id: str, on: bool) -> DeviceInfo:
        """Mute a device or end a mute that the hub made."""

    async def set_mode(self, device_id: str, mode: Mode) -> DeviceInfo:
        """Ask a device for a privacy mode at or below its ceiling."""

    async def end_session(self, session_id: int) -> None:
        """End a conversation now rather than after the quiet minutes; no error when it is over already."""


@dataclass(frozen=True, kw_only=True)
class Updating:
    """What receives releases, what brings them to devices, and where their files are."""

    releases: Releases
    rollouts: Rollouts
    shelf: Shelf


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Everything that a handler may touch."""

    store: Store
    bus: Bus
    fleet: FleetFace
    updates: Updating
    models: ModelJobs
    health: Callable[[], HubHealth]


FACES = web.AppKey("faces", Faces)
