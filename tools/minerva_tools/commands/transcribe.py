"""`minerva transcribe`: audio files through the hub's pipeline, without devices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from minerva_hub.errors import AudioFileError, UserError

from minerva_tools.options import Loaded, with_settings

if TYPE_CHECKING:
    from minerva_hub.exports import Format
    from minerva_hub.pipeline.files import FileTranscript

_TOGETHER = ("txt", "rttm")  # formats of which several may follow each other on standard output


@with_settings("transcribe", "diarize", "segment")
def transcribe(
    files: Annotated[list[Path], typer.Argument(help="Audio or video files.", show_default=False)],
    loaded: Loaded,
    fmt: Annotated[
        str, typer.Option("--format", metavar="txt|srt|vtt|json|rttm", help="What to write.")
    ] = "txt",
    output: Annotated[
        Path | None,
        typer.Option(help="File to write, or folder for several; else standard output.", show_default=False),
    ] = None,
) -> None:
    """Write down who said what in audio files."""
    from minerva_hub.exports import FORMATS, export

    chosen = next((known for known in FORMATS if known == fmt), None)
    if chosen is None:
        raise UserError(f"--format {fmt}: allowed is {', '.join(FORMATS)}")
    if output is None and len(files) > 1 and chosen not in _TOGETHER:
        raise UserError(f"several {fmt} files cannot share the standard output; give --output FOLDER")
    targets = _targets(files, chosen, output)
    failed = 0
    rough = ""
    for file, target in zip(files, targets, strict=True):
        try:
            found = _transcribe(file, loaded)
        except AudioFileError as exc:
            print(f"minerva: {exc}", file=sys.stderr)
            failed += 1
            continue
        if found.engine.state == "rough" and found.engine.reason != rough:
            rough = found.engine.reason
            print(f"{found.engine.name}: {rough}", file=sys.stderr)
        body = export(found.session, found.utterances, chosen, name=file.stem).body
        if target is None:
            sys.stdout.write(body)
            sys.stdout.flush()
        else:
            _write(target, body)
        if found.problem:
            print(f"minerva: {found.problem}", file=sys.stderr)
            failed += 1
    if failed:
        raise typer.Exit(1)


def _targets(files: list[Path], fmt: Format, output: Path | None) -> list[Path | None]:
    """Where each file's text goes; UserError when two would meet, or one would overwrite its audio."""
    if output is None:
        return [None] * len(files)
    if len(files) == 1 and not output.is_dir():
        targets = [output]
    else:
        targets = [output / f"{file.stem}.{fmt}" for file in files]
        twice = next((target for target in targets if targets.count(target) > 1), None)
        if twice:
            raise UserError(f"two of the files would both be written to {twice}; transcribe them apart")
    for target in targets:
        if any(target.resolve() == file.resolve() for file in files):
            raise UserError(f"{target} would overwrite the audio; choose another --output")
    return list(targets)


def _transcribe(file: Path, loaded: Loaded) -> FileTranscript:
    """What was said, with a progress bar for those who watch."""
    from minerva_hub.pipeline.files import transcribe_file
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(file.name, total=None)

        def progress(done_s: float, of_s: float | None) -> None:
            bar.update(task, completed=done_s, total=of_s)

        return transcribe_file(file, loaded.config, progress=progress)


def _write(target: Path, body: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(body, encoding="utf-8")
    except OSError as exc:
        raise UserError(f"{target} cannot be written: {exc.strerror}") from exc
    print(target, file=sys.stderr)
