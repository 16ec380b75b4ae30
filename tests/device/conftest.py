"""Interpreters to run device code under; one that is not to be had skips, and says why."""

from __future__ import annotations

import pytest
from minerva_tools.virtual import Interpreter

from tests.device.device_runs import MICROPYTHONS, interpreter_for

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


@pytest.fixture(params=[f"micropython-{arch}" for arch in MICROPYTHONS])
def micropython(request: pytest.FixtureRequest) -> Interpreter:
    return interpreter_for(request.param)
