"""What the routes of releases, groups and rollouts do: parsed parameters in, records out."""

from __future__ import annotations

from minerva_hub.events import Group, ReleasesChanged, Rollout
from minerva_hub.rollouts.plan import MAX_TARGETS
from minerva_hub.web import params
from minerva_hub.web import update_params as shapes
from minerva_hub.web.handlers import Call, Plain, known_device
from minerva_hub.web.problems import ApiError

HISTORY = 100  # actions, and messages, of a device in one answer

OfItem = Call[shapes.ItemPath, params.Nothing, None]
Change = Call[shapes.ItemPath, params.Nothing, params.Nothing]


async def releases(call: Plain) -> shapes.ReleaseList:
    """All releases that devices may be updated to, newest first."""
    return shapes.ReleaseList(items=tuple(await call.faces.store.updates.releases()))


async def refused_releases(call: Plain) -> shapes.RefusedList:
    """The newest uploads that were refused, and why."""
    return shapes.RefusedList(items=tuple(await call.faces.store.updates.refused()))


async def delete_release(call: OfItem) -> None:
    """Remove a release, its files and its ended rollouts; not while a rollout uses it."""
    await call.faces.updates.releases.remove(call.path.id)
    call.faces.bus.publish(ReleasesChanged())


async def keyset(call: Plain) -> shapes.KeysState:
    """The key set that releases must be signed by."""
    return shapes.KeysState(trusted=await call.faces.updates.releases.trusted())


async def set_keyset(call: Call[params.Nothing, params.Nothing, shapes.KeysBody]) -> shapes.KeysState:
    """Trust the owner's first key set; later ones come with releases, or with `replace`.

    On the hub's own machine only: whose code runs in the house is not a matter of a password.
    """
    if not call.local:
        raise ApiError(403, "local_only", "whose releases are trusted is settled on the hub's own machine")
    kept = await call.faces.updates.releases.trust(call.body.text.encode(), replace=call.body.replace)
    call.faces.bus.publish(ReleasesChanged())
    return shapes.KeysState(trusted=kept)


async def groups(call: Plain) -> shapes.GroupList:
    """All groups of devices."""
    return shapes.GroupList(items=tuple(await call.faces.store.updates.groups()))


async def set_group(call: Call[shapes.GroupPath, params.Nothing, shapes.GroupBody]) -> Group:
    """Make a group, or give it other devices."""
    return await call.faces.store.updates.set_group(call.path.name, call.body.devices)


async def delete_group(call: Call[shapes.GroupPath, params.Nothing, None]) -> None:
    """Forget a group; its devices and their rollouts stay."""
    await call.faces.store.updates.remove_group(call.path.name)


async def rollouts(call: Plain) -> shapes.RolloutList:
    """All rollouts, newest first, with their devices counted by stage and state."""
    return shapes.RolloutList(items=tuple(await call.faces.store.updates.rollouts()))


async def start_rollout(call: Call[params.Nothing, params.Nothing, shapes.RolloutBody]) -> Rollout:
    """Begin a rollout: the canaries are offered the release at once."""
    body = call.body
    return await call.faces.updates.rollouts.start(body.release, body.target, body.plan)


async def rollout(call: OfItem) -> shapes.RolloutDetails:
    """A rollout with each of its devices."""
    updates = call.faces.store.updates
    found = await updates.rollouts(id_=call.path.id)
    if not found:
        raise ApiError(404, "unknown", f"there is no rollout {call.path.id}")
    devices = await updates.actions(rollout=call.path.id, limit=MAX_TARGETS)
    return shapes.RolloutDetails(rollout=found[0], devices=tuple(devices))


async def pause_rollout(call: Change) -> Rollout:
    """Offer the release to nobody else for now; devices that began go on."""
    return await call.faces.updates.rollouts.change(call.path.id, "pause")


async def resume_rollout(call: Change) -> Rollout:
    """Go on with a paused rollout."""
    return await call.faces.updates.rollouts.change(call.path.id, "resume")


async def stop_rollout(call: Change) -> Rollout:
    """Stop a rollout for good: what no device has begun is canceled, the others are asked to give it up."""
    return await call.faces.updates.rollouts.change(call.path.id, "stop")


async def device_updates(call: Call[params.DevicePath, params.Nothing, None]) -> shapes.DeviceUpdates:
    """The updates of a device and what it said about them, newest first."""
    known_device(call.faces, call.path.id)
    updates = call.faces.store.updates
    return shapes.DeviceUpdates(
        actions=tuple(await updates.actions(device=call.path.id, limit=HISTORY)),
        feedback=tuple(await updates.history(call.path.id, HISTORY)),
        attributes=await updates.attributes(call.path.id),
    )
