"""Serial ports: which one a device is on, and why one cannot be opened, with what to do about it."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from minerva_hub.errors import UserError

# USB vendors of ESP32 boards: Espressif itself, and the makers of the serial chips beside it.
VENDORS: Final = {0x303A: "Espressif", 0x10C4: "CP210x", 0x1A86: "CH34x", 0x0403: "FTDI"}


class PortError(UserError):
    """A serial port cannot be used; the text says what to do."""


@dataclass(frozen=True)
class Port:
    """A serial port as the computer names it."""

    path: str
    description: str


def usb_ports() -> list[Port]:
    """The USB serial ports; those of known makers of boards alone, where there are any."""
    from serial.tools.list_ports import comports

    on_usb = [port for port in comports() if port.vid is not None]
    known = [port for port in on_usb if port.vid in VENDORS]
    return [
        Port(port.device, f"{VENDORS.get(port.vid, 'unknown maker')}, {port.description}")
        for port in sorted(known or on_usb, key=lambda port: str(port.device))
    ]


def choose(
    given: str | None,
    *,
    found: Callable[[], Sequence[Port]] = usb_ports,
    ask: Callable[[Sequence[Port]], int] | None = None,
) -> str:
    """The port to use: the one given, the only one there is, or the one that `ask` picks by its index.

    PortError: there is none, or there are several and nobody to ask.
    """
    if given is not None:
        return given
    ports = found()
    if not ports:
        raise PortError(
            "no device on USB: plug it in with a cable that carries data (many only charge), or name its "
            "port with --port"
        )
    if len(ports) == 1:
        return ports[0].path
    if ask is not None:
        return ports[ask(ports)].path
    listed = "; ".join(f"--port {port.path} ({port.description})" for port in ports)
    raise PortError(f"there are {len(ports)} devices on USB; choose one: {listed}")


def problem_of(port: str) -> PortError:
    """Why `port`, which just could not be opened, could not."""
    try:
        handle = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as reason:
        return explain(port, reason)
    try:
        if not os.isatty(handle):
            return PortError(f"{port} is no serial port")
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as reason:
        return explain(port, reason)
    finally:
        os.close(handle)
    return PortError(f"{port} could not be opened, but can be now; try again")


def explain(port: str, reason: OSError) -> PortError:
    """What an error of opening or locking `port` means, and what to type."""
    if reason.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return PortError(f"there is no port {port}; `minerva device ports` lists those there are")
    if reason.errno in (errno.EACCES, errno.EPERM):
        return PortError(f"{port}: you may not use this port. {_right(port)}")
    if reason.errno in (errno.EBUSY, errno.EAGAIN):
        return PortError(
            f"{port} is in use by another program (minerva device logs or shell, a serial monitor, an IDE?); "
            f"close that first. What it is: fuser -v {port}"
        )
    return PortError(f"{port} cannot be opened: {reason.strerror}")


def _right(port: str) -> str:
    if sys.platform == "darwin":
        return "Close what has it open, and check that your user owns it: ls -l " + port
    try:
        group = grp.getgrgid(os.stat(port).st_gid).gr_name
    except (OSError, KeyError):
        group = "dialout"
    if group == "root":
        group = "uucp" if os.path.exists("/etc/arch-release") else "dialout"
    return f'Type: sudo usermod -aG {group} "$USER"   then log out and in again'
