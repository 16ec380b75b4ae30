"""Decides, and does nothing: who is in which stage of a rollout, and whether it goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from minerva_hub.errors import UserError
from minerva_hub.events import ActionState, DeviceInfo, Record, Release, Rollout
from minerva_hub.store.campaigns import Verdict

MAX_TARGETS = 5000  # devices of one rollout: above what a hub links
MAX_STAGES = 10
OPEN: tuple[ActionState, ...] = ("planned", "offered", "running", "canceling")

Percent = Annotated[int, Meta(ge=1, le=100)]


class Target(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which devices: those of `group`, those named in `devices`, or all of them when neither is given."""

    group: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    devices: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_TARGETS)] | None = None


class Plan(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a rollout goes: the canaries first, then up to each share of `steps`, the last of which is 100.

    The canaries are the members of `canary_group`, or `canary_count` devices, or `canary_percent` of them. A
    stage is followed by the next when `success_percent` of its devices run the release and passed its health
    gate; the rollout stops when `error_percent` of a stage failed. A device that says nothing for `silent_s`
    is shown as silent; it counts as pending, never as failed.
    """

    canary_percent: Percent = 10
    canary_count: Annotated[int, Meta(ge=1, le=MAX_TARGETS)] | None = None
    canary_group: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    steps: Annotated[tuple[Percent, ...], Meta(min_length=1, max_length=MAX_STAGES)] = (100,)
    success_percent: Percent = 75
    error_percent: Percent = 20
    silent_s: Annotated[int, Meta(ge=60, le=30 * 86400)] = 3600


def check(plan: Plan) -> None:
    """UserError for steps that do not rise to 100, or two ways to choose the canaries."""
    if plan.steps[-1] != 100 or any(a >= b for a, b in pairwise(plan.steps)):
        raise UserError(f"the steps {', '.join(map(str, plan.steps))} do not rise to 100")
    if plan.canary_group is not None and plan.canary_count is not None:
        raise UserError("give either a canary group or a canary count")


def suits(release: Release, info: DeviceInfo) -> str | None:
    """Why a device cannot take a release, as far as the device has said what it is; None: it may."""
    if info.variant and info.variant != release.variant:
        return f"runs {info.variant}; the release is for {release.variant}"
    if info.board and info.board not in release.boards:
        return f"is a {info.board}; the release is for {', '.join(release.boards)}"
    return None


def stages(
    devices: Sequence[str], plan: Plan, *, salt: str, canaries: Collection[str] = ()
) -> tuple[tuple[str, int], ...]:
    """(device, stage) of every device. The order is drawn from `salt`: the same again for the same release.

    `canaries` are the members of the plan's canary group. There is at least one canary, and no empty stage.
    """
    order = sorted(devices, key=lambda id_: hashlib.sha256(f"{salt} {id_}".encode()).digest())
    if plan.canary_group is not None:
        order.sort(key=lambda id_: id_ not in canaries)
        first = sum(id_ in canaries for id_ in order)
        if not first:
            raise UserError(f"no device of the canary group {plan.canary_group} is among the rollout's")
    elif plan.canary_count is not None:
        first = min(plan.canary_count, len(order))
    else:
        first = -(-len(order) * plan.canary_percent // 100)
    ends = [first]
    for share in plan.steps:
        end = -(-len(order) * share // 100)
        if end > ends[-1]:
            ends.append(end)
    found = []
    for index, id_ in enumerate(order):
        found.append((id_, next(stage for stage, end in enumerate(ends) if index < end)))
    return tuple(found)


def decide(rollout: Rollout) -> Verdict:
    """Whether a rollout waits, opens its next stage, stops and why, or is finished.

    A device whose update was canceled counts neither way; one that is asked to give it up may still come to
    the end of it. Errors count in every stage that was opened, also in those before the present one. The next
    stage needs devices that run the release: one whose devices were all taken away has shown nothing.
    """
    last = max((stage.stage for stage in rollout.stages), default=0)
    for stage in rollout.stages:
        failed, total = stage.devices.get("failure", 0), _counting(stage.devices)
        if failed and failed * 100 >= rollout.error_percent * total:
            return "failed"
    present = next((stage.devices for stage in rollout.stages if stage.stage == rollout.stage), {})
    if rollout.stage < last:
        if not _counting(present):
            proven = any(stage.devices.get("success") for stage in rollout.stages)
            return "next" if proven else "unproven"
        if present.get("success", 0) * 100 >= rollout.success_percent * _counting(present):
            return "next"
        return "wait" if any(present.get(state) for state in OPEN) else "short"
    waits = any(stage.devices.get(state) for stage in rollout.stages for state in OPEN)
    return "wait" if waits else "finish"


def _counting(devices: Mapping[ActionState, int]) -> int:
    return sum(count for state, count in devices.items() if state != "canceled")
