"""Updates over the link: the hub's word that there is something to fetch, and what a device says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ddi_hub import new_release
from link_hub import until
from linkpeer import LinkPeer
from minerva_hub.app import Hub
from minerva_hub.events import DeviceInfo
from minerva_hub.rollouts import Plan, Target

FIRMWARE = {"name": "minerva", "version": "0.1.0", "variant": "micropython", "board": "virtual"}

Connect = Callable[..., Awaitable[LinkPeer]]


def info(hub: Hub) -> DeviceInfo:
    device = hub.fleet.find("kitchen")
    assert device is not None
    return device.info


async def rolled_out(hub: Hub) -> int:
    release = await hub.store.updates.add_release(new_release("0.2.0", "d" * 64, {"files.bin": b"x"}))
    await hub.fleet.refresh()
    return (await hub.rollouts.start(release.id, Target(devices=("kitchen",)), Plan())).id


async def test_a_device_hears_of_a_rollout_when_it_begins_and_when_it_links(
    hub: tuple[Hub, str], peer: Connect
) -> None:
    here, connect = hub[0], peer
    linked = await connect()
    assert (await linked.hello(firmware=FIRMWARE))["type"] == "welcome"
    id_ = await rolled_out(here)
    assert await linked.hear("update") == {"type": "update", "action": "check"}
    again = await connect()
    await again.hello(firmware=FIRMWARE)
    assert await again.hear("update") == {"type": "update", "action": "check"}
    await here.rollouts.change(id_, "stop")
    third = await connect()
    await third.hello(firmware=FIRMWARE)
    await third.say(health(n=1))
    assert (await third.hear("update", "ack"))["type"] == "ack"  # there is nothing for it any more


def health(**fields: Any) -> dict[str, Any]:
    return {
        "type": "health", "n": 0, "time_ms": 2000, "uptime_s": 2, "heap_free": 1000, "drops": {},
        "version": "0.1.0", "slot": "a", "mode": "full", "mute": "off", "kind": "pcm_s16le",
    } | fields  # fmt: skip


async def test_what_a_device_says_of_its_update_is_shown(hub: tuple[Hub, str], peer: Connect) -> None:
    linked = await peer()
    await linked.hello(firmware=FIRMWARE)
    await until(lambda: info(hub[0]).version == "0.1.0")
    await linked.say({"type": "update", "state": "downloading", "version": "0.2.0", "progress": 40})
    await until(lambda: info(hub[0]).update is not None)
    update = info(hub[0]).update
    assert update is not None
    assert (update.state, update.version, update.progress) == ("downloading", "0.2.0", 40)
    await linked.say(health(version="0.2.0", slot="b"))
    await until(lambda: info(hub[0]).slot == "b")
    assert info(hub[0]).version == "0.2.0"
