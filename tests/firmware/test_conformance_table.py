"""docs/conformance.md is what the suite makes of it, and the suite covers what it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "conformance_table.py"), "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_every_part_of_the_protocol_has_its_rows() -> None:
    table = (ROOT / "docs" / "conformance.md").read_text()
    areas = {line.removeprefix("## ") for line in table.splitlines() if line.startswith("## ")}
    assert areas >= {
        "Link", "Refusal", "Bad input", "Resend", "Modes", "Ceiling", "Mute", "Events", "Health", "Time",
        "Settings", "Gate", "Codecs", "Features", "Microphone",
    }  # fmt: skip
