"""tests/vectors/sounds.bin and the Rust firmware's weights are what their generators give."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from minerva_tools.sounds import rust

GENERATOR = Path(__file__).parents[1] / "vectors" / "make_sound_vectors.py"


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_the_vectors_are_what_their_generator_gives() -> None:
    done = subprocess.run([sys.executable, GENERATOR, "--check"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_firmwares_weights_are_those_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert rust.main(["--check"]) == 0, capsys.readouterr().err
