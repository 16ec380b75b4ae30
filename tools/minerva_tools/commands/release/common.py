"""What several commands of `minerva release` ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from minerva_hub.errors import UserError

if TYPE_CHECKING:
    from minerva.keyset import KeySet

MAX_SECRET = 1024

FolderArgument = Annotated[Path, typer.Argument(help="The release's folder.", show_default=False)]
KeySetOption = Annotated[Path, typer.Option("--keyset", help="Key set file.", show_default=False)]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(help="File whose first line is the passphrase; else it is asked for.", show_default=False),
]


def first_line(path: Path) -> str:
    """The secret in a file; UserError when there is none."""
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(MAX_SECRET).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"{path}: cannot be read: {problem}") from problem
    if not line:
        raise UserError(f"{path}: its first line is empty")
    return line


def passphrase(path: Path | None, prompt: str, *, confirm: bool = False) -> str:
    """From the file, else from who sits there."""
    if path is not None:
        return first_line(path)
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))


def show_keyset(held: KeySet) -> None:
    """Print a key set for people."""
    from minerva.keyset import key_id

    print(f"key set {held.version}: {held.threshold} of {len(held.keys)} must sign")
    for key in held.keys:
        print(f"  {key_id(key)}  {key.hex()}")
