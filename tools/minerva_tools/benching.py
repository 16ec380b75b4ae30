"""Finds the benches, runs them, and shows what they gave."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from types import ModuleType

import msgspec
from minerva_hub.errors import UserError

from minerva_tools import bench
from minerva_tools.measure import Result, conditions


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `minerva bench --json` prints."""

    ok: bool
    conditions: dict[str, str | int]
    results: tuple[Result, ...]


def available(package: ModuleType = bench) -> dict[str, str]:
    """The benches' names and modules."""
    found = pkgutil.iter_modules(package.__path__)
    return {info.name: f"{package.__name__}.{info.name}" for info in found if not info.name.startswith("_")}


def run(
    names: Sequence[str],
    package: ModuleType = bench,
    *,
    seed: int | None = None,
    voices: Sequence[str] | None = None,
) -> Report:
    """Run the named benches (none: all), in the order given, each result named `bench.result`.

    A bench that fails counts as one that misses its limit; the others still run. With a seed or voices, each
    makes its material from those. UserError: no such bench, or one that takes no seed or no voices.
    """
    benches = available(package)
    for name in names:
        if name not in benches:
            raise UserError(f"there is no bench {name!r}; there are {', '.join(benches)}")
    options: dict[str, object] = {} if seed is None else {"seed": seed}
    if voices is not None:
        options["voices"] = tuple(voices)
    for name in (names or benches) if options else ():
        known = inspect.signature(importlib.import_module(benches[name]).run).parameters
        for option in options:
            if option not in known:
                raise UserError(f"bench {name} takes no {option}")
    results: list[Result] = []
    for name in dict.fromkeys(names or benches):
        began = time.monotonic()
        print(f"{name}…", file=sys.stderr, flush=True)
        results += _run_one(name, benches[name], options)
        print(f"{name}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
    return Report(ok=all(r.ok for r in results), conditions=conditions(), results=tuple(results))


def _run_one(name: str, module: str, options: Mapping[str, object]) -> Iterable[Result]:
    results: list[Result] = []
    try:
        with redirect_stdout(sys.stderr):  # standard output is the report's
            for result in importlib.import_module(module).run(**options):
                results.append(msgspec.structs.replace(result, name=f"{name}.{result.name}"))
        if not results:
            raise ValueError("it measured nothing")
    except Exception as exc:
        if not isinstance(exc, UserError):
            traceback.print_exc()
        results.append(
            Result(
                name=name, value=None, unit="", ok=False, conditions="", error=str(exc) or type(exc).__name__
            )
        )
    return results


def as_json(report: Report) -> str:
    """The report as one JSON object."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def show(report: Report) -> None:
    """Print the report for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table("bench", "value", "limit", "", "conditions", box=None, pad_edge=False)
    for column in (1, 2):
        table.columns[column].justify = "right"
    for result in report.results:
        sign = {"upper": "≤ ", "lower": "≥ ", None: ""}[result.limit_is]
        table.add_row(
            result.name,
            "none" if result.value is None else f"{_number(result.value)} {result.unit}",
            "" if result.limit is None else f"{sign}{_number(result.limit)} {result.unit}",
            "[red]misses[/red]" if not result.ok else "ok" if result.limit is not None else "",
            _escaped(result.error or result.conditions),
        )
    console = Console()
    console.print(table)
    console.print(", ".join(f"{k} {v}" for k, v in report.conditions.items()), markup=False, highlight=False)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
