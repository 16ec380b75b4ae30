"""`minerva emulate`: the firmware's crates on emulated chips."""

from __future__ import annotations

from typing import Annotated

import typer


def emulate(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHIP", help="Of rv32imafc, cortex-m4f, rv32imc, xtensa; else all.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object and nothing else.")] = False,
) -> None:
    """Run the firmware's crates under QEMU; exit 1 if a hash differs or a limit is missed."""
    from minerva_tools import emulation
    from minerva_tools.emulation import report

    found = emulation.emulate(names or [])
    if as_json:
        print(report.as_json(found))
    else:
        report.show(found)
    if not found.ok:
        raise typer.Exit(1)
