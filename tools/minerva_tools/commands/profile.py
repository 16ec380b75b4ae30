"""`minerva profile`: where the hub's time goes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from minerva_tools.options import Loaded, with_settings

DEVICES = 2


@with_settings("segment", "transcribe", "diarize", "tone")
def profile(
    loaded: Loaded,
    audio: Annotated[
        Path | None, typer.Argument(help="An audio file; else the bundled conversation.", show_default=False)
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="How much of it each device plays, in real time; else all.", show_default=False),
    ] = None,
    devices: Annotated[int, typer.Option(min=1, max=64, help="Virtual devices that play it.")] = DEVICES,
    flame: Annotated[
        Path | None,
        typer.Option(help="Write a flame graph: .svg, or .folded for other tools.", show_default=False),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Write the decision record, NNNN-NAME.md.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object and nothing else.")] = False,
) -> None:
    """Run the real hub on audio, and say what each stage costs and whether mel/MFCC is a bottleneck."""
    import datetime

    import msgspec
    from minerva_hub.errors import UserError
    from rich.console import Console
    from rich.table import Table

    from minerva_tools import profiling

    if flame is not None and flame.suffix not in (".svg", ".folded"):
        raise UserError(f"--flame {flame}: the name must end in .svg or .folded")
    number = "" if record is None else record.name[:4]
    if record is not None and not (number.isdigit() and record.suffix == ".md"):
        raise UserError(f"--record {record}: a decision record is called NNNN-NAME.md")
    found = profiling.profile(audio, loaded.config, seconds=seconds, devices=devices)
    folded = {tuple(names): spent for names, spent in found.sampled.folded}
    if flame is not None:
        title = f"minerva hub, {found.source}, {found.devices} devices"
        text = profiling.svg(folded, title) if flame.suffix == ".svg" else profiling.folded_text(folded)
        flame.write_text(text, encoding="utf-8")
    if record is not None:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        record.write_text(profiling.record(found, number, today), encoding="utf-8")
    verdict = profiling.judge(found)
    if as_json:
        rows = profiling.rows(found)
        print(msgspec.json.encode({"profile": found, "rows": rows, "verdict": verdict}).decode())
        return
    table = Table(title=f"For each second of audio ({found.audio_s:.0f} s, {found.source})")
    table.add_column("stage")
    for column in ("CPU ms", "waiting ms", "share of CPU"):
        table.add_column(column, justify="right")
    for row in profiling.rows(found):
        table.add_row(row.stage, f"{row.cpu_ms:.2f}", f"{row.wait_ms:.2f}", f"{row.share:.1%}")
    Console().print(table)
    for name, ms in found.backends_ms.items():
        print(f"log-mel by {name}: {ms:.3f} ms")
    for name, why in found.skipped.items():
        print(f"log-mel by {name}: not compared, {why}")
    print(verdict.text)
    if flame is not None:
        print(f"Flame graph: {flame}", file=sys.stderr)
