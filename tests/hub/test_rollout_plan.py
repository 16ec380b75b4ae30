"""What a rollout decides: stages, thresholds, and who is left out. Nothing runs here."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from ddi_hub import new_release
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.errors import UserError
from minerva_hub.events import ActionState, DeviceInfo, Release, Rollout, StageInfo
from minerva_hub.rollouts import Plan
from minerva_hub.rollouts.plan import check, decide, stages, suits

HOUSE = [f"d{n}" for n in range(40)]


def sizes(devices: list[str], plan: Plan, **kwargs: object) -> list[int]:
    found = Counter(stage for _, stage in stages(devices, plan, salt="x", **kwargs))  # type: ignore[arg-type]
    return [found[stage] for stage in range(len(found))]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Plan(), [4, 36]),
        (Plan(canary_percent=1), [1, 39]),
        (Plan(canary_percent=100), [40]),
        (Plan(canary_count=3, steps=(25, 50, 100)), [3, 7, 10, 20]),
        (
            Plan(canary_count=15, steps=(25, 50, 100)),
            [15, 5, 20],
        ),  # a step that the canaries fill is left out
        (Plan(canary_count=99), [40]),
    ],
)
def test_shares(plan: Plan, expected: list[int]) -> None:
    check(plan)
    assert sizes(HOUSE, plan) == expected


def test_a_canary_group_is_the_first_stage() -> None:
    plan = Plan(canary_group="lab")
    found = stages(HOUSE, plan, salt="x", canaries=("d7", "d3", "elsewhere"))
    assert {id_ for id_, stage in found if stage == 0} == {"d3", "d7"}
    with pytest.raises(UserError, match="no device of the canary group lab"):
        stages(HOUSE, plan, salt="x", canaries=("elsewhere",))


def test_the_canaries_are_the_same_again_and_others_for_another_release() -> None:
    def canaries(salt: str, devices: list[str]) -> set[str]:
        return {id_ for id_, stage in stages(devices, Plan(canary_count=5), salt=salt) if stage == 0}

    assert canaries("one", HOUSE) == canaries("one", HOUSE[::-1])
    assert canaries("one", HOUSE) != canaries("two", HOUSE)


@given(st.integers(1, 300), st.integers(1, 100), st.lists(st.integers(1, 99), max_size=5, unique=True))
def test_every_device_is_in_one_stage_and_no_stage_is_empty(
    count: int, percent: int, steps: list[int]
) -> None:
    devices = [f"d{n}" for n in range(count)]
    plan = Plan(canary_percent=percent, steps=(*sorted(steps), 100))
    check(plan)
    found = stages(devices, plan, salt="s")
    assert sorted(id_ for id_, _ in found) == sorted(devices)
    used = {stage for _, stage in found}
    assert used == set(range(len(used)))


@pytest.mark.parametrize("steps", [(50,), (100, 50), (50, 50, 100), (100, 100)])
def test_steps_that_do_not_rise_to_100(steps: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="do not rise to 100"):
        check(Plan(steps=steps))


def rollout(present: int, *counts: dict[ActionState, int], success: int = 75, error: int = 20) -> Rollout:
    return Rollout(
        id=1, release=1, version="1", target="all devices", state="running", reason="", created_ms=0,
        changed_ms=0, stage=present, success_percent=success, error_percent=error, silent_s=3600,
        stages=tuple(StageInfo(stage=n, devices=devices) for n, devices in enumerate(counts)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([{"offered": 4}, {"planned": 9}], "wait"),
        ([{"success": 2, "running": 2}, {"planned": 9}], "wait"),
        ([{"success": 3, "running": 1}, {"planned": 9}], "next"),  # 75 %: the fourth may be away for weeks
        ([{"success": 3, "failure": 1}, {"planned": 9}], "failed"),
        ([{"success": 9, "failure": 1}, {"planned": 9}], "next"),
        ([{"failure": 1, "running": 9}, {"planned": 9}], "wait"),
        ([{"success": 8, "failure": 2}, {"planned": 9}], "failed"),
        ([{"canceled": 4}, {"planned": 9}], "unproven"),  # removed, or a newer rollout took them all
        ([{"canceling": 4}, {"planned": 9}], "wait"),
        ([{"success": 3, "canceling": 2}, {"planned": 9}], "wait"),
        ([{"success": 3, "failure": 1, "canceled": 9}, {"planned": 9}], "failed"),
        ([{"canceled": 3, "running": 1}, {"planned": 9}], "wait"),
        ([{"success": 1, "canceled": 3}, {"planned": 9}], "next"),
    ],
)
def test_the_first_of_two_stages(counts: list[dict[ActionState, int]], expected: str) -> None:
    assert decide(rollout(0, *counts)) == expected


@pytest.mark.parametrize(
    ("counts", "success", "error", "expected"),
    [
        ({"success": 5, "failure": 1}, 90, 20, "short"),
        ({"success": 5, "failure": 1, "running": 1}, 90, 20, "wait"),
        ({"success": 2, "failure": 1}, 75, 50, "short"),
    ],
)
def test_a_stage_that_can_never_succeed_ends_the_rollout(
    counts: dict[ActionState, int], success: int, error: int, expected: str
) -> None:
    assert decide(rollout(0, counts, {"planned": 9}, success=success, error=error)) == expected


def test_a_later_stage_that_was_taken_away_is_passed_over_once_the_release_is_proven() -> None:
    assert decide(rollout(1, {"success": 2}, {"canceled": 4}, {"planned": 9})) == "next"
    assert decide(rollout(1, {"canceled": 2}, {"canceled": 4}, {"planned": 9})) == "unproven"


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["success", "failure", "canceled"]), st.integers(0, 5)),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 100),
    st.integers(1, 100),
)
def test_no_rollout_waits_for_nobody_and_none_goes_on_unproven(
    counts: list[dict[ActionState, int]], success: int, error: int
) -> None:
    found = decide(rollout(0, *counts, success=success, error=error))
    assert found != "wait"
    if found == "next":
        assert any(stage.get("success") for stage in counts)


def test_the_last_stage() -> None:
    assert decide(rollout(1, {"success": 4}, {"offered": 1, "success": 8})) == "wait"
    assert decide(rollout(1, {"success": 4}, {"failure": 1, "success": 8})) == "finish"
    assert decide(rollout(1, {"success": 3, "running": 1}, {"success": 9})) == "wait"
    assert decide(rollout(1, {"success": 3, "failure": 1}, {"success": 8, "running": 1})) == "failed"


def test_a_single_device() -> None:
    assert sizes(["only"], Plan()) == [1]
    assert decide(rollout(0, {"offered": 1})) == "wait"
    assert decide(rollout(0, {"success": 1})) == "finish"
    assert decide(rollout(0, {"failure": 1})) == "failed"


def test_who_is_left_out() -> None:
    release = Release(id=1, **msgspec.structs.asdict(new_release("1", "0", {})))
    assert suits(release, DeviceInfo(id="a", room="A")) is None  # it never said what it is: it decides itself
    assert suits(release, DeviceInfo(id="a", room="A", variant="micropython", board="virtual")) is None
    assert "runs rust" in str(suits(release, DeviceInfo(id="a", room="A", variant="rust", board="virtual")))
    assert "is a xiao" in str(
        suits(release, DeviceInfo(id="a", room="A", variant="micropython", board="xiao"))
    )
