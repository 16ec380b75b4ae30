"""Interpreters to run device code under; one that is not to be had skips, and says why."""

from __future__ import annotations

import pytest
from minerva_tools.virtual import Interpreter, choose_interpreter, find_micropython

MICROPYTHONS = ("native", "i386")


def interpreter_for(name: str) -> Interpreter:
    """`cpython`, `micropython-native` or `micropython-i386`; skips where it cannot be had."""
    if name == "cpython":
        return choose_interpreter("cpython")
    arch = name.removeprefix("micropython-")
    if find_micropython(arch) is None:
        pytest.skip(f"no MicroPython for {arch} here: scripts/get-micropython.sh {arch}")
    return choose_interpreter("micropython", arch=arch)


ALL = [
    pytest.param("cpython"),
    *(pytest.param(f"micropython-{arch}", marks=pytest.mark.mpy) for arch in MICROPYTHONS),
]


@pytest.fixture(params=ALL)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    return interpreter_for(request.param)


@pytest.fixture
def i386() -> Interpreter:
    return interpreter_for("micropython-i386")
