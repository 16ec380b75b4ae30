"""`minerva models`: the models there are, which of them are on this disk, and bringing them here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from minerva_hub.errors import UserError

from minerva_tools.options import Loaded, with_settings

if TYPE_CHECKING:
    from minerva_hub.models import Model
    from minerva_hub.models.checking import Status

app = typer.Typer(
    help="Models of speech, speakers, sounds and tone; fetched only by `pull`, or on the page.",
    no_args_is_help=True,
)
Names = Annotated[list[str], typer.Argument(help="Models by name.", show_default=False)]


@app.command(name="list")
@with_settings("models")
def list_(loaded: Loaded, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the models, their licences and sizes, and which are on this disk."""
    from minerva_hub.models import checking, info, listing

    folder = loaded.config.models.path
    found = [(model, checking.status(folder, model)) for model in listing.catalogue()]
    if as_json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode([info.describe(*one) for one in found])).decode())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "for", "MB", "licence", "here", "what to know", box=None, pad_edge=False)
    for model, status in found:
        table.add_row(
            model.name, model.stage, str(model.size_mb), model.licence, info.WORDS[status.state], model.note
        )
    Console().print(table, markup=False)
    print(f"in {folder}", file=sys.stderr)


@app.command()
@with_settings("models")
def pull(names: Names, loaded: Loaded) -> None:
    """Download models, going on with what a pull before left; Ctrl-C keeps what came."""
    from minerva_hub.download import check_pullable
    from minerva_hub.models import find_model

    wanted = [find_model(name) for name in names]
    for model in wanted:
        check_pullable(model)
    for model in wanted:
        print(f"{model.name}: {model.licence}, about {model.size_mb} MB from {model.source}", file=sys.stderr)
        try:
            status = asyncio.run(_pull(model, loaded.config.models.path))
        except KeyboardInterrupt:
            raise UserError(f"{model.name}: stopped; what came is kept, pull again to go on") from None
        print(f"{model.name}: {_outcome(status)}", file=sys.stderr)


async def _pull(model: Model, folder: Path) -> Status:
    from minerva_hub.download import Fetcher, pull

    with _bar() as tell:
        async with Fetcher() as fetcher:
            return await pull(model, folder, fetcher, tell)


def _outcome(status: Status) -> str:
    files = status.record.files.values() if status.record else ()
    unstated = [one for one in files if one.trust == "recorded"]
    if not unstated:
        return "ready; every file has the hash that is stated for it"
    return (
        f"ready; upstream states no hash for {len(unstated)} of {len(files)} files, so theirs are recorded "
        "now and hold from now on"
    )


@app.command()
@with_settings("models")
def verify(
    loaded: Loaded,
    names: Annotated[
        list[str] | None, typer.Argument(help="Models by name; else all.", show_default=False)
    ] = None,
) -> None:
    """Hash the files of models and compare; exit status 1 when one is damaged."""
    from minerva_hub.models import checking, find_model, listing, records

    folder = loaded.config.models.path
    wanted = [find_model(name) for name in names or ()] or [
        model
        for model in listing.catalogue()
        if checking.status(folder, model).state not in ("absent", "partial")
    ]
    if not wanted:
        print(f"there are no models in {folder}", file=sys.stderr)
        return
    damaged = 0
    with records.busy(folder):
        for model in wanted:
            try:
                with _bar() as tell:
                    status = checking.verify(folder, model, tell)
            except OSError as error:
                raise UserError(f"{model.name} cannot be read: {error}") from error
            damaged += status.state != "ready"
            print(f"{model.name}: {status.reason or 'good'}", file=sys.stderr)
    if damaged:
        raise typer.Exit(1)


@app.command()
@with_settings("models")
def remove(
    names: Names,
    loaded: Loaded,
    forget: Annotated[
        bool, typer.Option("--forget", help="Also forget their hashes: the next pull records anew.")
    ] = False,
) -> None:
    """Remove models from this disk."""
    from minerva_hub.models import checking, find_model

    for model in [find_model(name) for name in names]:
        there = checking.remove(loaded.config.models.path, model, forget=forget)
        print(f"{model.name}: {'removed' if there else 'was not here'}", file=sys.stderr)


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int | None], None]]:
    """A progress bar on standard error, for those who watch."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def tell(name: str, done: int, of: int | None) -> None:
            bar.update(task, description=name, completed=done, total=of)

        yield tell
