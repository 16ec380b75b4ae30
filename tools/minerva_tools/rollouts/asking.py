"""Asks a hub to begin, show and change rollouts, and to keep groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Literal

import msgspec
from minerva_hub.errors import UserError
from minerva_hub.events import Action, Group, Release, Rollout

from minerva_tools.rest import HubAddress, HubRest

EVERY_S: Final = 1.0


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout and each of its devices."""

    rollout: Rollout
    devices: tuple[Action, ...]


def chosen(releases: Sequence[Release], named: str) -> Release:
    """The release with that number, or with that version; UserError: none, or more than one."""
    found = [one for one in releases if str(one.id) == named] or [
        one for one in releases if one.version == named
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        known = ", ".join(f"{one.id} ({one.version})" for one in releases) or "none yet"
        raise UserError(f"the hub has no release {named!r}; it has {known}")
    several = ", ".join(f"{one.id} for {'/'.join(one.boards)}" for one in found)
    raise UserError(f"{len(found)} releases have version {named}: {several}; give the number of one")


async def start(address: HubAddress, named: str, target: dict[str, Any], plan: dict[str, Any]) -> Rollout:
    """Begin a rollout of the release named by its number or version."""
    async with HubRest(address) as hub:
        listed = msgspec.convert((await hub.call("GET", "/api/releases"))["items"], tuple[Release, ...])
        body = {"release": chosen(listed, named).id, "target": target, "plan": plan}
        return msgspec.convert(await hub.call("POST", "/api/rollouts", json=body), Rollout)


async def listing(address: HubAddress) -> tuple[Rollout, ...]:
    """All rollouts, newest first."""
    async with HubRest(address) as hub:
        return msgspec.convert((await hub.call("GET", "/api/rollouts"))["items"], tuple[Rollout, ...])


async def details(address: HubAddress, id_: int) -> Details:
    """One rollout with its devices."""
    async with HubRest(address) as hub:
        return msgspec.convert(await hub.call("GET", f"/api/rollouts/{id_}"), Details)


async def change(address: HubAddress, id_: int, wish: Literal["pause", "resume", "stop"]) -> Rollout:
    """Pause, resume or stop a rollout."""
    async with HubRest(address) as hub:
        return msgspec.convert(await hub.call("POST", f"/api/rollouts/{id_}/{wish}", json={}), Rollout)


async def watch(address: HubAddress, id_: int) -> AsyncIterator[Rollout]:
    """How a rollout stands, each time that it changed, until it is finished or stopped."""
    before: Rollout | None = None
    async with HubRest(address) as hub:
        while True:
            now = msgspec.convert((await hub.call("GET", f"/api/rollouts/{id_}"))["rollout"], Rollout)
            if now != before:
                yield now
            if now.state in ("finished", "stopped"):
                return
            before = now
            await asyncio.sleep(EVERY_S)


async def groups(address: HubAddress) -> tuple[Group, ...]:
    """All groups."""
    async with HubRest(address) as hub:
        return msgspec.convert((await hub.call("GET", "/api/groups"))["items"], tuple[Group, ...])


async def set_group(address: HubAddress, name: str, devices: Sequence[str]) -> Group:
    """Make a group, or give it other devices."""
    async with HubRest(address) as hub:
        answer = await hub.call("PUT", f"/api/groups/{name}", json={"devices": list(devices)})
        return msgspec.convert(answer, Group)


async def remove_group(address: HubAddress, name: str) -> None:
    """Forget a group."""
    async with HubRest(address) as hub:
        await hub.call("DELETE", f"/api/groups/{name}")
