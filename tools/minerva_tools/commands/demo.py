"""`minerva demo`: a hub and virtual devices that hear a conversation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from minerva_tools.options import Loaded, with_settings


@with_settings("server", "transcribe", "diarize", "segment")
def demo(
    loaded: Loaded,
    once: Annotated[bool, typer.Option("--once", help="Play it once, then stop.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --once: print one JSON object, and nothing else.")
    ] = False,
    script: Annotated[
        Path | None, typer.Option(help="Conversation to render with flite instead of the bundled one.")
    ] = None,
    voices: Annotated[str, typer.Option(help="With --script: flite voices of its speakers.")] = "rms,slt,awb",
    seed: Annotated[int, typer.Option(min=0, help="With --script: seed of its pauses and noise.")] = 0,
) -> None:
    """Start a hub with virtual devices that hear a conversation, and print the page's address."""
    if as_json and not once:
        raise typer.BadParameter("--json reports on a conversation that was played --once")
    names = tuple(filter(None, (name.strip() for name in voices.split(","))))
    from minerva_tools.demo import run_demo

    result = run_demo(
        loaded.config,
        once=once,
        script=script,
        voices=names,
        seed=seed,
        say=lambda line: print(line, file=sys.stderr if as_json else sys.stdout, flush=True),
    )
    if as_json:
        import msgspec

        print(msgspec.json.encode(result).decode())
