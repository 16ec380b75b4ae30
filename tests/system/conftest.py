"""Fixtures of the system tests: what runs the devices."""

from __future__ import annotations

import pytest
from minerva_tools.virtual import Interpreter, choose_interpreter

from tests.device.conftest import ALL, interpreter_for


@pytest.fixture(params=ALL)
def each_interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """Every interpreter that a device may run under, one after the other."""
    return interpreter_for(request.param)


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    """The real MicroPython where one can be had, CPython otherwise; `make test` says which."""
    return choose_interpreter()
