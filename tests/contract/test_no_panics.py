"""The Rust wire crate cannot panic: its compiled code, optimised as for a board, refers to no panic."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware_rs"
# Each way to panic ends in one of these: core::panicking, slice_index_fail, unwrap_failed, as mangled.
PANICS = ("panic", "_fail", "unreachable")
# Without LTO, so that the library holds machine code.
OPTIONS = (
    "--quiet",
    "--locked",
    "--release",
    "--config",
    'profile.release.lto="off"',
    "--message-format=json",
)


def test_no_panic_is_referred_to() -> None:
    for tool in ("cargo", "nm"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here: the compiled wire crate is not looked at")
    made = subprocess.run(
        ["cargo", "build", "-p", "minerva-wire", *OPTIONS],
        cwd=FIRMWARE,
        stdout=subprocess.PIPE,
        timeout=300,
        check=True,
    )
    messages = [json.loads(line) for line in made.stdout.splitlines()]
    files = next(m["filenames"] for m in messages if m.get("target", {}).get("name") == "minerva_wire")
    library = next(name for name in files if name.endswith(".rlib"))
    listed = subprocess.run(
        ["nm", "--undefined-only", library], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    symbols = [line.split()[-1] for line in listed.splitlines() if " U " in line]
    assert any("core3fmt" in symbol for symbol in symbols), listed  # it is the machine code, and nm read it
    assert [symbol for symbol in symbols if any(word in symbol for word in PANICS)] == []
