"""`minerva release keygen` and `keyset`: who may sign."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from minerva_tools.commands.release.common import PassphraseOption, passphrase, show_keyset

keysets = typer.Typer(help="Make and rotate the set of keys that devices trust.", no_args_is_help=True)


def keygen(
    file: Annotated[Path, typer.Argument(help="For the private key, as anna.pem.", show_default=False)],
    passphrase_file: PassphraseOption = None,
) -> None:
    """Make a signing key: the private half encrypted in FILE, the public one beside it in a .pub file."""
    from minerva.keyset import key_id

    from minerva_tools.release import keys

    public = keys.generate(file, passphrase(passphrase_file, f"A passphrase for {file}", confirm=True))
    print(f"{file}: private, keep it off the hub. {public}: for the key set. The key's id:", file=sys.stderr)
    print(key_id(keys.load_public(public)))


@keysets.command("new")
def keyset_new(
    public: Annotated[list[Path], typer.Argument(help=".pub files, 1 to 8.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("keys.json"),
    threshold: Annotated[int, typer.Option(min=1, max=8, help="How many of them must sign.")] = 1,
) -> None:
    """Make the first key set, which the hub and every device is given by USB."""
    from minerva_tools.release import keys

    text = keys.keyset_text(1, threshold, [keys.load_public(path) for path in public])
    keys.write_new(out, text)
    show_keyset(keys.load_keyset(out))


@keysets.command("rotate")
def keyset_rotate(
    old: Annotated[Path, typer.Argument(help="The key set in force.", show_default=False)],
    public: Annotated[list[Path], typer.Argument(help=".pub files of the new set.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The new key set.", show_default=False)],
    rotation: Annotated[
        Path, typer.Option(help="The rotation, which old and new keys sign.", show_default=False)
    ],
    threshold: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=8,
            help="How many of the new set must sign; else as many as of OLD.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make the key set that follows OLD; `sign` its rotation, then `build` releases with it."""
    from minerva_tools.release import keys, signing
    from minerva_tools.release.texts import Rotation

    before = keys.load_keyset(old)
    wanted = before.threshold if threshold is None else threshold
    text = keys.keyset_text(before.version + 1, wanted, [keys.load_public(path) for path in public])
    keys.write_new(out, text)
    keys.write_new(rotation, signing.rotation_file(Rotation(text, ())))
    after = keys.load_keyset(out)
    show_keyset(after)
    print(
        f"Now {before.threshold} of the old set and {after.threshold} of the new one sign it: "
        f"minerva release sign {rotation} --key FILE.pem",
        file=sys.stderr,
    )


@keysets.command("show")
def keyset_show(file: Annotated[Path, typer.Argument(help="A key set.", show_default=False)]) -> None:
    """Show who may sign."""
    from minerva_tools.release import keys

    show_keyset(keys.load_keyset(file))
