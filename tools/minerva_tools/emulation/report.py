"""What the targets printed, compared with this computer, with docs/protocol.md and with the limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from minerva_tools.emulation.building import ROOT
from minerva_tools.emulation.running import Printed
from minerva_tools.emulation.targets import HOST, Target
from minerva_tools.measure import Result, at_most

PROTOCOL = ROOT / "docs" / "protocol.md"
MEL64_INSTRUCTIONS = 60_000  # a hop, where there is an FPU: 2.5 % of a 240 MHz core's 10 ms
MEL64_BYTES = 8192  # state, stack and static memory, beside the tables
WIDTH = 120
_SELF_TEST = re.compile(r"^`self_test`.*?`([0-9a-f]{16})`", re.DOTALL | re.MULTILINE)


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One target: what it printed, or why it did not run."""

    about: str
    skipped: str | None = None
    hashes: dict[str, str] = {}
    numbers: dict[str, int] = {}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `minerva emulate --json` prints. `ok`: no limit is missed, and at least one chip ran."""

    ok: bool
    conditions: dict[str, str | int]
    targets: dict[str, Ran]
    results: tuple[Result, ...]


def documented_self_test(page: Path = PROTOCOL) -> str | None:
    """The hash of the known signal's features as the protocol states it."""
    stated = _SELF_TEST.search(page.read_text(encoding="utf-8"))
    return stated[1] if stated else None


def compare(host: Printed, chips: Mapping[Target, Printed], documented: str | None) -> Iterable[Result]:
    """Each limit's result, named `target.figure`."""
    stated = host.hashes.get("mel64.self_test")
    wrong = [] if stated == documented else [f"{stated}; documented is {documented}"]
    yield _differing(f"{HOST.name}.self_test", wrong, "as in docs/protocol.md")
    yield at_most(f"{HOST.name}.wire.wrong", host.numbers["wire.wrong"], "vectors", 0, "tests/vectors")
    for target, printed in chips.items():
        found, name = printed.numbers, target.name
        names = sorted(host.hashes.keys() | printed.hashes.keys())
        unequal = [key for key in names if host.hashes.get(key) != printed.hashes.get(key)]
        yield _differing(f"{name}.hashes", unequal, f"{len(names)} hashes, as the host's")
        yield at_most(f"{name}.wire.wrong", found["wire.wrong"], "vectors", 0, "tests/vectors")
        yield at_most(
            f"{name}.calibration.off_by", found["calibration.off_by"], "instructions", 1, "of 200000"
        )
        yield at_most(f"{name}.mel64.working_bytes", working_bytes(found), "B", MEL64_BYTES,
                      "state, stack, .data and .bss")  # fmt: skip
        if target.fpu:
            yield at_most(f"{name}.mel64.instructions_max", found["mel64.instructions_max"], "instructions",
                          MEL64_INSTRUCTIONS, "a hop of 10 ms, -O3, fat LTO")  # fmt: skip


def working_bytes(found: Mapping[str, int]) -> int:
    """What mel64 takes beside tables; all static memory of the program is laid at its door."""
    static = found["memory.data_bytes"] + found["memory.bss_bytes"]
    return found["mel64.state_bytes"] + found["mel64.stack_bytes"] + static


def _differing(name: str, what: list[str], conditions: str) -> Result:
    result = at_most(name, len(what), "differ", 0, conditions)
    return msgspec.structs.replace(result, error=", ".join(what)) if what else result


def as_json(report: Report) -> str:
    """The report as one JSON object."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def show(report: Report) -> None:
    """Print the report for people: a row for each figure, a column for each target, then the limits."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if console.width < WIDTH:  # a long line is better than a number cut short
        console = Console(highlight=False, width=WIDTH)
    ran = {name: target for name, target in report.targets.items() if not target.skipped}
    table = Table("", *ran, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for figure in _figures(ran.values()):
        table.add_row(figure, *(_number(target.numbers.get(figure)) for target in ran.values()))
    console.print(table)
    limits = Table("limit", "value", "at most", "", "", box=None, pad_edge=False)
    limits.columns[0].no_wrap = True
    for result in report.results:
        sign = "ok" if result.ok else "[red]misses[/red]"
        limit = f"{_number(result.limit)} {result.unit}"
        text = escape(result.error or result.conditions)
        limits.add_row(result.name, _number(result.value), limit, sign, text)
    console.print(limits)
    for name, target in report.targets.items():
        text = f"left out: {target.skipped}" if target.skipped else target.about
        console.print(f"{name}: {text}", style="yellow" if target.skipped else None, markup=False)
    shown = ("cpu", "system", "host rustc", "chips")
    console.print(", ".join(f"{key} {report.conditions[key]}" for key in shown), markup=False)


def _figures(targets: Iterable[Ran]) -> list[str]:
    """Every number's name, in the order in which a chip prints them; the host prints fewer."""
    return max((list(target.numbers) for target in targets), key=len, default=[])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
