"""Campaigns over the real store, with devices that speak DDI."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ddi_hub import UpdateServer, new_release, update_server
from minerva_hub.errors import ConflictError, UnknownItemError, UserError
from minerva_hub.events import DeviceChanged, DeviceRecord, RolloutChanged
from minerva_hub.fleet import Device
from minerva_hub.rollouts import Plan, Rollouts, Target
from minerva_hub.rollouts import plan as planning

HOUSE = tuple(f"d{n}" for n in range(10))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[UpdateServer]:
    async with update_server(tmp_path) as running:
        await running.add_devices(*HOUSE)
        yield running


async def of_stage(server: UpdateServer, rollout: int, stage: int) -> list[str]:
    found = await server.store.updates.actions(rollout=rollout, limit=1000)
    return [action.device for action in found if action.stage == stage]


class Peer:
    """The wire of a device that is linked."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        self.heard.append(message)

    def close(self, code: str, text: str) -> None:
        self.heard.append({"type": "close", "code": code})


def link(server: UpdateServer, id_: str) -> Peer:
    peer = Peer()
    device = server.fleet.find(id_)
    assert isinstance(device, Device)
    server.fleet.connected(device, peer)
    return peer


async def test_the_canaries_first_then_the_rest(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_count=2)
    canaries = await of_stage(server, rollout.id, 0)
    assert Counter((await server.states(rollout.id)).values()) == {"offered": 2, "planned": 8}
    others = [id_ for id_ in HOUSE if id_ not in canaries]
    for id_ in others:
        assert "deploymentBase" not in await server.links(id_)
    for id_ in canaries:
        await server.update(id_)
    for id_ in others:
        await server.update(id_)
    now = await server.rollout(rollout.id)
    assert (now.state, now.stage, now.stages[1].devices) == ("finished", 1, {"success": 8})


async def test_a_failing_release_stops_at_the_canaries(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_count=3)
    first, second, third = await of_stage(server, rollout.id, 0)
    begun = await server.take(second)
    action = await server.take(first)
    assert await server.say(first, action, "closed", "failure", details=["health gate: no welcome"]) == 200
    now = await server.rollout(rollout.id)
    assert (now.state, now.reason) == ("stopped", "too many devices failed")
    states = await server.states(rollout.id)
    assert (states[first], states[second], states[third]) == ("failure", "canceling", "canceled")
    assert [states[id_] for id_ in HOUSE if id_ not in (first, second, third)] == ["canceled"] * 7
    assert "deploymentBase" not in await server.links(third)
    links = await server.links(second)  # it may still give up what it began
    assert links["cancelAction"].endswith(f"/cancelAction/{begun}") and "deploymentBase" not in links


async def test_pause_and_resume(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_count=2)
    begun, waits = await of_stage(server, rollout.id, 0)
    action = await server.take(begun)
    offered = (await server.links(waits))["deploymentBase"]
    paused = await server.rollouts.change(rollout.id, "pause")
    assert paused.state == "paused"
    assert "deploymentBase" not in await server.links(waits)
    assert (await server.ask(waits, offered)).status == 404
    assert "deploymentBase" in await server.links(begun)  # what was begun is not left half-way
    assert await server.say(begun, action, "closed", "success") == 200
    assert (await server.rollout(rollout.id)).stage == 0
    with pytest.raises(ConflictError, match="is paused: pause is for one that is running"):
        await server.rollouts.change(rollout.id, "pause")
    await server.rollouts.change(rollout.id, "resume")
    await server.update(waits)
    assert (await server.rollout(rollout.id)).stage == 1


async def test_a_paused_rollout_goes_on_where_it_is_when_resumed(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_count=1)
    (canary,) = await of_stage(server, rollout.id, 0)
    action = await server.take(canary)
    await server.rollouts.change(rollout.id, "pause")
    assert await server.say(canary, action, "closed", "success") == 200
    assert (await server.rollouts.change(rollout.id, "resume")).stage == 1


async def test_an_emergency_stop(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_count=3)
    done, begun, late = await of_stage(server, rollout.id, 0)
    await server.update(done)
    action, too_late = await server.take(begun), await server.take(late)
    stopped = await server.rollouts.change(rollout.id, "stop")
    assert (stopped.state, stopped.reason) == ("stopped", "the owner stopped it")
    cancel = await (await server.ask(begun, f"/cancelAction/{action}")).json(content_type=None)
    assert cancel == {"id": str(action), "cancelAction": {"stopId": str(action)}}
    assert (await server.ask(begun, f"/deploymentBase/{action}")).status == 404
    assert await server.say(begun, action, "closed", "success", about="cancelAction") == 200
    assert await server.say(late, too_late, "rejected", about="cancelAction") == 200
    assert await server.say(late, too_late, "closed", "success") == 200  # it was on trial already
    states = await server.states(rollout.id)
    assert (states[done], states[begun], states[late]) == ("success", "canceled", "success")
    for wish in ("pause", "resume", "stop"):
        with pytest.raises(ConflictError):
            await server.rollouts.change(rollout.id, wish)  # type: ignore[arg-type]


async def test_the_newer_rollout_has_a_device(server: UpdateServer) -> None:
    old = await server.start(await server.add_release("0.2.0"), HOUSE[:3], canary_percent=100)
    begun = await server.take("d0")
    new = await server.start(await server.add_release("0.3.0"), HOUSE[:2], canary_percent=100)
    states = await server.states(old.id)
    assert (states["d0"], states["d1"], states["d2"]) == ("canceling", "canceled", "offered")
    assert "cancelAction" in await server.links("d0")  # first the old one is given up
    assert await server.say("d0", begun, "canceled", about="cancelAction") == 200
    await server.update("d0")
    await server.update("d1")
    assert (await server.rollout(new.id)).state == "finished"
    await server.update("d2")
    assert (await server.rollout(old.id)).state == "finished"


async def test_a_later_stage_of_an_older_rollout_takes_nothing_back(server: UpdateServer) -> None:
    old = await server.start(await server.add_release("0.2.0"), canary_count=1)
    (canary,) = await of_stage(server, old.id, 0)
    new = await server.start(
        await server.add_release("0.3.0"), [id_ for id_ in HOUSE if id_ != canary], canary_percent=100
    )
    await server.update(canary)
    assert Counter((await server.states(old.id)).values()) == {"success": 1, "canceled": 9}
    assert Counter((await server.states(new.id)).values()) == {"offered": 9}
    assert (await server.rollout(old.id)).state == "finished"


async def test_devices_that_say_nothing_are_pending_and_shown(
    server: UpdateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from minerva_hub.store import updates

    rollout = await server.start(await server.add_release(), canary_count=4, silent_s=60)
    for id_ in (await of_stage(server, rollout.id, 0))[:3]:
        await server.update(id_)
    real = updates.now_ms()
    monkeypatch.setattr(updates, "now_ms", lambda: real + 61_000)
    now = await server.rollout(rollout.id)
    assert (now.stage, now.silent) == (1, 7)  # three of four were enough; the fourth and stage 1 are silent
    assert not any("failure" in stage.devices for stage in now.stages)
    silent = [a for a in await server.store.updates.actions(rollout=rollout.id, limit=100) if a.silent]
    assert len(silent) == 7 and {action.state for action in silent} == {"offered"}


async def test_everything_outlives_a_restart(tmp_path: Path) -> None:
    async with update_server(tmp_path) as server:
        await server.add_devices(*HOUSE)
        rollout = await server.start(await server.add_release(), canary_count=2)
        first, second = await of_stage(server, rollout.id, 0)
        await server.update(first)
        action = await server.take(second)
    async with update_server(tmp_path) as server:
        await server.fleet.refresh()
        assert await server.say(second, action, "closed", "success") == 200
        assert (await server.rollout(rollout.id)).stage == 1
        for id_ in HOUSE:
            if id_ not in (first, second):
                await server.update(id_)
        assert (await server.rollout(rollout.id)).state == "finished"
        assert len(await server.store.updates.history("d0")) == 2
        async with campaigns(server.rollouts):  # what devices show is known again
            found = await until(
                _now(lambda: [info.update for info in server.fleet.devices()]),
                lambda shown: None not in shown,
            )
        assert [update.state for update in found] == ["success"] * len(HOUSE)


async def test_a_step_that_a_crash_left_out_is_made_up_for(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_count=1)
    (canary,) = await of_stage(server, rollout.id, 0)
    action = await server.take(canary)
    from minerva_hub.events import Feedback

    said = Feedback(action=action, at_ms=1, execution="closed", finished="success")
    await server.store.updates.tell(canary, said)  # the hub died before it went on
    assert (await server.rollout(rollout.id)).stage == 0
    async with campaigns(server.rollouts):
        await until(lambda: server.rollout(rollout.id), lambda now: now.stage == 1)


async def until(ask: Any, good: Any) -> Any:
    async with asyncio.timeout(10):
        while not good(found := await ask()):
            await asyncio.sleep(0.02)
    return found


class campaigns:
    """Runs the campaigns while it lasts."""

    def __init__(self, rollouts: Rollouts) -> None:
        self._rollouts = rollouts

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._rollouts.run())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def test_linked_devices_are_told_to_ask(server: UpdateServer) -> None:
    peers = {id_: link(server, id_) for id_ in HOUSE}
    rollout = await server.start(await server.add_release(), canary_count=2)
    canaries = await of_stage(server, rollout.id, 0)
    check = {"type": "update", "action": "check"}
    assert {id_ for id_, peer in peers.items() if peer.heard == [check]} == set(canaries)
    assert all(not peer.heard for id_, peer in peers.items() if id_ not in canaries)
    for id_ in canaries:
        await server.update(id_)
    assert all(check in peer.heard for peer in peers.values())


async def test_a_device_that_links_later_is_told_to_ask(server: UpdateServer) -> None:
    server.fleet.on_linked = server.rollouts.linked
    rollout = await server.start(await server.add_release(), canary_count=1)
    (canary,) = await of_stage(server, rollout.id, 0)
    other = next(id_ for id_ in HOUSE if id_ != canary)
    with server.bus.subscribe() as events:
        async with campaigns(server.rollouts), asyncio.timeout(10):
            while not isinstance(await anext(events), RolloutChanged):
                pass  # until it is under way
            idle, peer = link(server, other), link(server, canary)
            await until(_now(lambda: peer.heard), bool)
    assert peer.heard == [{"type": "update", "action": "check"}] and not idle.heard


def _now(ask: Any) -> Any:
    async def asked() -> Any:
        return ask()

    return asked


async def test_news_of_a_rollout_are_told_and_progress_is_the_devices(server: UpdateServer) -> None:
    release = await server.add_release()
    with server.bus.subscribe(1000) as events:
        async with campaigns(server.rollouts):
            rollout = await server.start(release, canary_percent=100)
            action = await server.take("d0")
            assert await server.say("d0", action, "proceeding", details=["fetching"], cnt=1, of=4) == 200
            seen: list[Any] = []
            async with asyncio.timeout(10):
                while not (
                    any(isinstance(e, DeviceChanged) and e.device.update for e in seen)
                    and any(
                        isinstance(e, RolloutChanged) and e.rollout.stages[0].devices.get("running")
                        for e in seen
                    )
                ):
                    seen.append(await anext(events))
    told = [e.device.update for e in seen if isinstance(e, DeviceChanged) and e.device.update]
    assert [(t.state, t.progress, t.action, t.version, t.detail) for t in told] == [
        ("running", 25, action, "0.2.0", "fetching")
    ]
    assert [e.rollout.id for e in seen if isinstance(e, RolloutChanged)][-1] == rollout.id


async def test_groups_and_named_devices(server: UpdateServer) -> None:
    release = await server.add_release()
    await server.store.updates.set_group("upstairs", ["d1", "d2", "d1"])
    of_group = await server.rollouts.start(release.id, Target(group="upstairs"), Plan())
    assert of_group.target == "group upstairs" and set(await server.states(of_group.id)) == {"d1", "d2"}
    named = await server.rollouts.start(release.id, Target(devices=("d3", "d4")), Plan())
    assert named.target == "d3, d4"
    for target, error in [
        (Target(group="cellar"), UnknownItemError),
        (Target(devices=("ghost",)), UnknownItemError),
        (Target(group="upstairs", devices=("d1",)), UserError),
    ]:
        with pytest.raises(error):
            await server.rollouts.start(release.id, target, Plan())
    with pytest.raises(UnknownItemError, match="no release 99"):
        await server.rollouts.start(99, Target(), Plan())
    with pytest.raises(UnknownItemError, match="no device 'ghost'"):
        await server.store.updates.set_group("upstairs", ["d1", "ghost"])
    assert [g.devices for g in await server.store.updates.groups()] == [("d1", "d2")]


async def test_a_device_of_another_kind_is_left_out_and_named(server: UpdateServer) -> None:
    device = server.fleet.find("d1")
    assert device is not None
    device.update(variant="rust", board="virtual")
    release = await server.add_release()
    rollout = await server.start(release)
    assert rollout.skipped == {"d1": "runs rust; the release is for micropython"}
    assert "d1" not in await server.states(rollout.id)
    with pytest.raises(UserError, match=r"no device of d1 takes release 0\.2\.0: d1 runs rust"):
        await server.start(release, ["d1"])


async def test_a_device_that_is_removed_holds_up_nothing(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_count=2)
    away, there = await of_stage(server, rollout.id, 0)
    await server.store.updates.set_group("both", [away, there])
    await server.store.remove_device(away)
    assert (await server.store.updates.groups())[0].devices == (there,)
    await server.update(there)
    assert (await server.rollout(rollout.id)).stage == 1


async def test_a_rollout_whose_canaries_are_all_removed_goes_no_further(server: UpdateServer) -> None:
    rollout = await server.start(await server.add_release(), canary_count=1)
    (canary,) = await of_stage(server, rollout.id, 0)
    await server.take(canary)
    await server.store.remove_device(canary)
    await server.store.updates.advance(planning.decide)
    now = await server.rollout(rollout.id)
    assert (now.state, now.stage) == ("stopped", 0) and "no device is left" in now.reason
    assert set((await server.states(rollout.id)).values()) == {"canceled"}


async def test_a_rollout_whose_canaries_a_newer_one_took_goes_no_further(server: UpdateServer) -> None:
    old = await server.start(await server.add_release("0.2.0"), canary_count=1)
    (canary,) = await of_stage(server, old.id, 0)
    await server.start(await server.add_release("0.3.0"), [canary])
    now = await server.rollout(old.id)
    assert (now.state, now.stage) == ("stopped", 0)
    assert set((await server.states(old.id)).values()) == {"canceled"}


async def test_a_stage_that_falls_short_with_nobody_left_stops_the_rollout(server: UpdateServer) -> None:
    rollout = await server.start(
        await server.add_release(), canary_count=3, success_percent=90, error_percent=50
    )
    canaries = await of_stage(server, rollout.id, 0)
    await server.update(canaries[0], "failure")
    for id_ in canaries[1:]:
        await server.update(id_)
    now = await server.rollout(rollout.id)
    assert (now.state, now.stage) == ("stopped", 0) and "too few devices" in now.reason


async def test_a_release_for_new_boards_is_not_rolled_out(server: UpdateServer) -> None:
    release = msgspec.structs.replace(new_release("9.9.9", "f" * 64, {}), kind="image", abi="esp32s3-full")
    kept = await server.store.updates.add_release(release)
    with pytest.raises(ConflictError, match="for new boards"):
        await server.start(kept)


async def test_a_device_that_was_just_added_is_a_device(server: UpdateServer) -> None:
    """Another process writes it into the database; the fleet looks there every few seconds."""
    record = DeviceRecord(id="loft", room="Loft", token_hash="x", created_ms=0)
    await server.store.add_device(record)
    rollout = await server.start(await server.add_release(), ["loft"])
    assert await server.states(rollout.id) == {"loft": "offered"}


async def test_a_release_in_use_is_not_removed(server: UpdateServer) -> None:
    release = await server.add_release()
    rollout = await server.start(release, ["d0"])
    with pytest.raises(ConflictError, match=f"rollout {rollout.id} uses release"):
        await server.store.updates.remove_release(release.id)
    action = await server.take("d0")
    await server.rollouts.change(rollout.id, "stop")
    with pytest.raises(ConflictError):  # the device may still be fetching it
        await server.store.updates.remove_release(release.id)
    assert await server.say("d0", action, "canceled", about="cancelAction") == 200
    await server.store.updates.remove_release(release.id)
    assert await server.store.updates.rollouts() == []
    with pytest.raises(UnknownItemError):
        await server.store.updates.remove_release(release.id)


async def test_the_history_of_a_device_is_bounded(server: UpdateServer) -> None:
    await server.start(await server.add_release(), ["d0"])
    action = await server.take("d0")
    for n in range(60):
        assert await server.say("d0", action, "proceeding", details=[f"step {n}"], cnt=n, of=60) == 200
    history = await server.store.updates.history("d0", limit=1000)
    assert len(history) == 50 and history[0].details == ("step 59",)
    (found,) = await server.store.updates.actions(device="d0")
    assert (found.progress, found.detail) == (98, "step 59")
