"""A board on USB for tests, under each MicroPython that is to be had."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from minerva_tools.release.keys import keyset_text
from minerva_tools.virtual import choose_interpreter, find_micropython

from tests.fakes.usb_board import UsbBoard

PARAMS = [pytest.param(arch, marks=pytest.mark.mpy, id=arch) for arch in ("native", "i386")]


def plug(flash: Path, arch: str = "native", **variables: str) -> UsbBoard:
    """A board whose flash is the folder; skips where there is no such MicroPython."""
    if find_micropython(arch) is None:
        pytest.skip(f"no MicroPython for {arch} here: scripts/get-micropython.sh {arch}")
    flash.mkdir(exist_ok=True)
    return UsbBoard(flash, choose_interpreter("micropython", arch=arch), variables=variables)


def copied(said: str) -> tuple[int, int, int]:
    """(files copied, of how many, removed) as `deploy` reports them."""
    found = re.search(r"(\d+) of (\d+) files copied, \d+ bytes, (\d+) removed", said)
    assert found is not None, said
    return int(found[1]), int(found[2]), int(found[3])


def trusting(*keys) -> bytes:
    return keyset_text(1, 1, [key.public_key().public_bytes_raw() for key in keys])
