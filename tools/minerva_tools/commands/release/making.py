"""`minerva release build`, `sign` and `verify`: work for a machine that needs no network."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from minerva_hub.errors import UserError

from minerva_tools.commands.release.common import (
    FolderArgument,
    KeySetOption,
    PassphraseOption,
    passphrase,
)

if TYPE_CHECKING:
    from minerva.keyset import KeySet

    from minerva_tools.release.texts import Release, Rotation

MARCH = "xtensawin"  # of the boards that device/boards has
CHIP = "esp32s3"
DAYS = 365


def build(
    folder: Annotated[Path, typer.Argument(help="The folder to make.", show_default=False)],
    keyset: KeySetOption,
    security_version: Annotated[
        int, typer.Option(min=0, help="Raise it when a release closes a hole: devices refuse lower ones.")
    ],
    version: Annotated[str | None, typer.Option(help="Else the project's own.", show_default=False)] = None,
    board: Annotated[
        list[str] | None,
        typer.Option(
            help="A board it is for; else all of MicroPython's but the virtual one.", show_default=False
        ),
    ] = None,
    source: Annotated[
        bool, typer.Option("--source", help="The application as source, not compiled.")
    ] = False,
    march: Annotated[
        str | None, typer.Option(help="Processor to compile the application for.", show_default=MARCH)
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            help="A whole firmware instead: an image, or an ELF file with --chip.", show_default=False
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="The image is for a new board: bootloader, partitions and all.")
    ] = False,
    chip: Annotated[str | None, typer.Option(help="The image's chip.", show_default=False)] = None,
    variant: Annotated[
        str | None, typer.Option(help="The image's firmware: rust or micropython.", show_default=False)
    ] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option(help="Id of a key that is to sign; else all of the key set.", show_default=False),
    ] = None,
    rotation: Annotated[
        list[Path] | None,
        typer.Option(help="A signed rotation that leads to the key set; oldest first.", show_default=False),
    ] = None,
    created: Annotated[
        int | None,
        typer.Option(min=0, help="Unix seconds; else SOURCE_DATE_EPOCH, else now.", show_default=False),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it may be installed.")] = DAYS,
) -> None:
    """Build a release of the application in device/, or of an image; the same bytes from the same input."""
    import minerva
    from minerva.keyset import key_id

    from minerva_tools.release import files, keys
    from minerva_tools.release.building import Description
    from minerva_tools.release.building import build as build_release
    from minerva_tools.release.files import boards
    from minerva_tools.virtual import device_folder

    trusted = keys.load_keyset(keyset)
    ids = [key_id(key) for key in trusted.keys]
    strangers = sorted(set(signer or []) - set(ids))
    if strangers:
        raise UserError(f"--signer {strangers[0]}: {keyset} has the keys {', '.join(ids)}")
    rotations = _rotations(rotation or [], trusted, keyset)
    _check_options(image, chip, variant, source=source, march=march, full=full)
    if signer and len(set(signer)) < trusted.threshold:
        raise UserError(
            f"--signer names {len(set(signer))} of the keys; {trusted.threshold} must sign by {keyset}"
        )
    at = _created() if created is None else created
    if image is None:
        wanted = board or boards(device_folder())
        content = files.application(device_folder(), wanted, None if source else march or MARCH)
    else:
        content = files.full_image(image) if full else files.image(image, chip)
        wanted = files.boards_of_image(device_folder(), board, content.abi, variant or "")
    release, made = build_release(
        folder,
        Description(
            version=version or minerva.__version__,
            security_version=security_version,
            kind="application" if image is None else "image",
            variant=variant or "micropython",
            boards=tuple(wanted),
            created=at,
            expires=at + days * 86_400,
            keys=tuple(signer or ids),
        ),
        content,
        rotations,
    )
    print(
        f"{release.folder}: {made.name} {made.version}, {made.kind} for {', '.join(made.boards)} "
        f"({made.abi}), {len(made.files)} files of {made.total:,} bytes. "
        f"{trusted.threshold} of {', '.join(made.keys)} must sign it.",
        file=sys.stderr,
    )


def _check_options(
    image: Path | None, chip: str | None, variant: str | None, *, source: bool, march: str | None, full: bool
) -> None:
    """UserError for options that would be passed over, and for an image that says not what it is."""
    if image is None:
        for name, given in (("--full", full), ("--chip", chip), ("--variant", variant)):
            if given:
                raise UserError(f"{name} says what --image FILE is, and there is none")
        if source and march is not None:
            raise UserError("--source takes the application as it is; --march compiles it: give one of them")
        return
    if source or march is not None:
        raise UserError("--source and --march are for the application; --image FILE is taken as it is")
    if variant not in ("rust", "micropython"):
        raise UserError(f"--image {image}: say what firmware it is, --variant rust or --variant micropython")


def _created() -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not given:
        return int(time.time())
    if not given.isdecimal():
        raise UserError(f"SOURCE_DATE_EPOCH is {given!r}; it must be Unix seconds")
    return int(given)


def _rotations(paths: list[Path], trusted: KeySet, keyset: Path) -> list[Rotation]:
    """The chain, checked as far as its own links go; UserError where a device would refuse it."""
    from minerva.keyset import parse

    from minerva_tools.release import signing

    found = [signing.load_rotation(path) for path in paths]
    for one, path in zip(found, paths, strict=True):
        lacking = signing.lacks(one)
        if lacking:
            raise UserError(
                f"{path}: {lacking} more of the new key set must sign it; devices would refuse every release "
                "that it comes with (minerva release sign)"
            )
    for before, after, path in zip(found, found[1:], paths[1:], strict=False):
        missing = signing.rotation_state(parse(before.keyset), after)
        if missing is not None:
            raise UserError(f"{path}: {missing}")
    if found and found[-1].keyset != trusted.data:
        raise UserError(f"{paths[-1]} leads to another key set than {keyset}")
    return found


def sign(
    what: Annotated[Path, typer.Argument(help="A release's folder, or a rotation.", show_default=False)],
    key: Annotated[Path, typer.Option(help="The private key's file.", show_default=False)],
    passphrase_file: PassphraseOption = None,
    keyset: Annotated[
        Path | None,
        typer.Option(
            help="Key set in force (of a rotation the old one): says whether that is enough.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Add a signature; each of several people does it with a key of their own."""
    from minerva_tools.release import keys, signing
    from minerva_tools.release.texts import Release

    private = keys.load(key, passphrase(passphrase_file, f"The passphrase of {key}"))
    is_release = what.is_dir()
    signed = (
        signing.sign_release(Release(what), private) if is_release else signing.sign_rotation(what, private)
    )
    print(f"{what}: signed by {', '.join(signed.by)}", file=sys.stderr)
    if keyset is None:
        return
    trusted = keys.load_keyset(keyset)
    missing = (
        _release_state(Release(what), trusted)
        if is_release
        else signing.rotation_state(trusted, signing.load_rotation(what))
    )
    print(f"Enough for {keyset}." if missing is None else f"Not enough yet: {missing}", file=sys.stderr)


def _release_state(release: Release, trusted: KeySet) -> str | None:
    from minerva_hub.releases import ReleaseRefusedError

    from minerva_tools.release.checking import check

    try:
        check(release, trusted)
    except ReleaseRefusedError as refused:
        return f"{refused} ({refused.code})"
    return None


def verify(
    folder: FolderArgument,
    keyset: KeySetOption,
    board: Annotated[
        str | None,
        typer.Option(help="Check it for this board; else for any that it names.", show_default=False),
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="That device's firmware; else micropython.", show_default=False)
    ] = None,
    abi: Annotated[
        str | None, typer.Option(help="What it runs; else of the boards that there are.", show_default=False)
    ] = None,
    security_version: Annotated[int, typer.Option(min=0, help="The highest it has confirmed.")] = 0,
    at: Annotated[
        int | None, typer.Option(min=0, help="Unix seconds on its clock; else now.", show_default=False)
    ] = None,
    no_clock: Annotated[bool, typer.Option("--no-clock", help="It does not know the time.")] = False,
) -> None:
    """Check a release as a device would, its files included; exit 1 and the code when it is refused."""
    from minerva_hub.releases import ReleaseRefusedError

    from minerva_tools.release import keys
    from minerva_tools.release.checking import Device, check
    from minerva_tools.release.texts import Release, parse_manifest

    if board is None and (variant or abi):
        raise UserError(f"--{'variant' if variant else 'abi'} is of a device: say its --board too")
    release = Release(folder)
    if board is None:
        meant = parse_manifest(keys.read(release.manifest), str(release.manifest))
        board, variant, abi, named = meant.boards[0], meant.variant, meant.abi, False
    else:
        variant, named = variant or "micropython", True
    device = Device(
        variant=variant,
        board=board,
        abi=abi or _abi(release, variant),
        security_version=security_version,
        utc_s=None if no_clock else int(time.time()) if at is None else at,
    )
    try:
        found, now = check(release, keys.load_keyset(keyset), device)
    except ReleaseRefusedError as refused:
        print(f"{folder}: refused, {refused.code}: {refused}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(
        f"{folder}: {found.name} {found.version} is good"
        + (f" for {board}" if named else "")
        + f"; the key set in force afterwards is {now.version}"
    )


def _abi(release: Release, variant: str) -> str:
    """What the boards of device/boards take of this kind of release."""
    from minerva_tools.release import files, keys
    from minerva_tools.release.texts import parse_manifest

    found = parse_manifest(keys.read(release.manifest), str(release.manifest))
    return CHIP if variant == "rust" or found.kind == "image" else files.application_abi(MARCH)
