"""`minerva bench`: measure, and compare with the limits."""

from __future__ import annotations

import pkgutil
from typing import Annotated

import typer

from minerva_tools import bench as benches

# By their files: no bench is imported for --help.
NAMES = sorted(m.name for m in pkgutil.iter_modules(benches.__path__) if not m.name.startswith("_"))


def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help=f"Of {', '.join(NAMES)}; else all.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Make other material from it; for benches that do: der, gate, sounds.",
            show_default=False,
        ),
    ] = None,
    voices: Annotated[
        str | None,
        typer.Option(
            help="Other voices to judge by, apart by commas, as flite/slt,espeak/m1; for der.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object and nothing else.")] = False,
) -> None:
    """Run the benches and compare with their limits; exit 1 if one misses its limit."""
    from minerva_tools import benching

    chosen = None if voices is None else [voice.strip() for voice in voices.split(",")]
    report = benching.run(names or [], seed=seed, voices=chosen)
    if as_json:
        print(benching.as_json(report))
    else:
        benching.show(report)
    if not report.ok:
        raise typer.Exit(1)
