"""What is said when a port cannot be used, and when nobody answers there."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from minerva_tools.usb import board
from minerva_tools.usb.ports import Port, PortError, choose, explain

Minerva = Callable[..., tuple[int, str, str]]
ONE, TWO = Port("/dev/ttyACM0", "Espressif, one"), Port("/dev/ttyACM1", "CP210x, two")


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port at which nobody answers."""
    host, slave = pty.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(host)
    os.close(slave)


def test_the_only_device_is_taken_and_several_are_asked_about() -> None:
    assert choose("/dev/x", found=lambda: []) == "/dev/x"
    assert choose(None, found=lambda: [ONE]) == ONE.path
    assert choose(None, found=lambda: [ONE, TWO], ask=lambda shown: shown.index(TWO)) == TWO.path
    with pytest.raises(
        PortError, match=r"2 devices.*--port /dev/ttyACM0 \(Espressif, one\); --port /dev/ttyACM1"
    ):
        choose(None, found=lambda: [ONE, TWO])
    with pytest.raises(PortError, match="no device on USB: plug it in"):
        choose(None, found=lambda: [])


@pytest.mark.parametrize("command", [["info"], ["deploy"], ["logs"], ["shell"]])
def test_a_port_that_is_not_there(minerva: Minerva, command: list[str]) -> None:
    code, out, err = minerva("device", *command, "--port", "/dev/ttyNONE7")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("minerva: there is no port /dev/ttyNONE7")


def test_no_ports_are_said_to_be_none(minerva: Minerva, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [])
    code, out, err = minerva("device", "ports")
    assert (code, out) == (0, "") and "no serial port on USB" in err and "cable" in err


def test_a_file_is_no_port(minerva: Minerva, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = minerva("device", "info", "--port", str(tmp_path / "file"))
    assert code == 1 and "is no serial port" in err


@pytest.mark.parametrize("command", [["info"], ["logs"]])
def test_a_port_that_another_program_has(minerva: Minerva, silent_port: str, command: list[str]) -> None:
    holder = os.open(silent_port, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        code, _, err = minerva("device", *command, "--port", silent_port)
    finally:
        os.close(holder)
    assert code == 1 and "in use by another program" in err and f"fuser -v {silent_port}" in err


def test_a_port_that_one_may_not_use(monkeypatch: pytest.MonkeyPatch, silent_port: str) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    said = str(explain(silent_port, PermissionError(errno.EACCES, "Permission denied")))
    assert "you may not use this port" in said and "sudo usermod -aG " in said and '"$USER"' in said
    assert "usermod -aG root" not in said
    monkeypatch.setattr("sys.platform", "darwin")
    assert "usermod" not in str(explain(silent_port, PermissionError(errno.EACCES, "Permission denied")))


def test_a_refused_port_is_explained_by_why_it_cannot_be_opened(
    monkeypatch: pytest.MonkeyPatch, minerva: Minerva, silent_port: str
) -> None:
    opened = os.open

    def refuse(path: object, *more: int, **options: object) -> int:
        if path == silent_port:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    code, _, err = minerva("device", "info", "--port", silent_port)
    assert code == 1 and "you may not use this port" in err


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch, minerva: Minerva, silent_port: str) -> None:
    monkeypatch.setattr(board, "PROMPT_S", (0.2, 0.2))
    monkeypatch.setattr(board, "BYTE_S", 0.2)
    code, out, err = minerva("device", "info", "--firmware", "micropython", "--port", silent_port)
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert "no MicroPython prompt within 0.4 s" in err and "minerva device flash" in err
