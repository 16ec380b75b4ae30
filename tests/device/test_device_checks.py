"""The pure modules under MicroPython with 64-bit and 32-bit integers, and under CPython: the same checks."""

from __future__ import annotations

import audioop
import json
import random
import re
import struct
from pathlib import Path

import pytest
from device_runs import ON_DEVICE, run_script
from minerva_tools.virtual import Interpreter

MODULES = sorted(p.stem for p in ON_DEVICE.glob("*_checks.py"))


@pytest.mark.parametrize("module", MODULES)
def test_checks(interpreter: Interpreter, module: str, tmp_path: Path) -> None:
    said = run_script(interpreter, ON_DEVICE / "runner.py", ON_DEVICE, module, cwd=tmp_path)
    assert "0 failed" in said


def test_every_pure_subject_has_checks() -> None:
    assert set(MODULES) >= {
        "boot_checks",
        "backoff_checks",
        "clock_checks",
        "dsp_checks",
        "gate_checks",
        "hub_lines_checks",
        "link_checks",
        "privacy_checks",
        "recorder_checks",
        "release_checks",
        "ring_checks",
        "session_checks",
        "settings_checks",
        "slots_checks",
        "websocket_checks",
        "wire_checks",
    }


def test_no_section_of_the_vectors_is_forgotten() -> None:
    """Each has its check, which fails where it does not come to the section's end (on_device/runner.py)."""
    sections = json.loads((ON_DEVICE / "../../vectors/ota.json").read_text())
    code = "".join((ON_DEVICE / f"{module}.py").read_text() for module in MODULES)
    assert sorted(re.findall(r"^def check_section_(\w+)\(\)", code, re.MULTILINE)) == sorted(sections)


def difficult_pcm() -> bytes:
    """Speech-like noise, silence, full-scale squares, extremes: what takes every branch of the encoder."""
    rng = random.Random(5)
    values = [int(rng.gauss(0, 400)) for _ in range(3200)]
    values += [0] * 320
    values += [32767 if i % 9 < 4 else -32768 for i in range(1600)]
    values += [rng.choice((-32768, 32767, 0, 1, -1)) for _ in range(1600)]
    values += [int(32767 * (i / 1600) * (-1) ** i) for i in range(1600)]
    return struct.pack(f"<{len(values)}h", *values)


def test_adpcm_is_audioops_bit_for_bit(interpreter: Interpreter, tmp_path) -> None:
    pcm = difficult_pcm()
    (tmp_path / "in.pcm").write_bytes(pcm)
    run_script(interpreter, ON_DEVICE / "encode.py", tmp_path / "in.pcm", tmp_path / "out.adpcm")
    state: tuple[int, int] | None = None
    want = b""
    for at in range(0, len(pcm), 640):
        want += struct.pack("<hH", *(state or (0, 0)))
        coded, state = audioop.lin2adpcm(pcm[at : at + 640], 2, state)
        want += coded
    assert (tmp_path / "out.adpcm").read_bytes() == want
