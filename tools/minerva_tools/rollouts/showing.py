"""Rollouts for people: one line each, or a table of stages and devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from minerva_hub.events import Group, Rollout

from minerva_tools.rollouts.asking import Details

_WORDS = {
    "planned": "waiting",
    "offered": "offered",
    "running": "under way",
    "canceling": "asked to give it up",
    "success": "updated",
    "failure": "failed",
    "canceled": "canceled",
}


def one_line(rollout: Rollout) -> str:
    """`rollout 3: 0.2.0 to all devices, running, stage 1 of 2: 4 updated, 3 under way, 1 silent`."""
    counts: Counter[str] = Counter()
    for stage in rollout.stages:
        counts.update(stage.devices)
    parts = [f"{counts[state]} {word}" for state, word in _WORDS.items() if counts[state]]
    if rollout.silent:
        parts.append(f"{rollout.silent} silent")
    if rollout.skipped:
        parts.append(f"{len(rollout.skipped)} left out")
    state = rollout.state + (f" ({rollout.reason})" if rollout.reason else "")
    return (
        f"rollout {rollout.id}: {rollout.version} to {rollout.target}, {state}, "
        f"stage {rollout.stage + 1} of {len(rollout.stages)}: {', '.join(parts)}"
    )


def show_details(found: Details) -> None:
    """Print a rollout and its devices."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(one_line(found.rollout), markup=False, highlight=False)
    table = Table("device", "stage", "state", "%", "said last", box=None, pad_edge=False)
    for one in found.devices:
        state = _WORDS[one.state] + (", silent" if one.silent else "")
        progress = "" if one.progress is None else str(one.progress)
        table.add_row(*map(escape, (one.device, str(one.stage + 1), state, progress, one.detail)))
    console.print(table)
    for id_, why in found.rollout.skipped.items():
        console.print(f"{id_} is left out: it {why}", markup=False, highlight=False)


def show_rollouts(rollouts: Sequence[Rollout]) -> None:
    """Print a line for each."""
    print("\n".join(map(one_line, rollouts)) or "No rollouts yet: minerva rollout start VERSION")


def show_groups(groups: Sequence[Group]) -> None:
    """Print a line for each."""
    lines = [f"{group.name}: {', '.join(group.devices) or 'no devices'}" for group in groups]
    print("\n".join(lines) or "No groups yet: minerva group set NAME DEVICE…")
