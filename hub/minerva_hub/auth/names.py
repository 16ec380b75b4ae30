"""Under which names and addresses this machine is reached on its network."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

from minerva_hub.errors import ConfigError

ZONES = ("local", "lan", "home.arpa", "fritz.box")  # what home networks call their machines
MAX_NAMES = 16  # given by the owner: the certificate goes to each device at each connection
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def own_names(given: str = "") -> tuple[str, ...]:
    """The machine's host name in the usual zones, its addresses, and those in `given`, apart by blanks.

    ConfigError where one of `given` is neither a host name nor an address. Sends nothing.
    """
    host = socket.gethostname().lower()
    bare = host.partition(".")[0]
    names = [host, bare, *(f"{bare}.{zone}" for zone in ZONES), *lan_addresses()]
    return _unique([*parse_names(given), *(name for name in names if _is_name(name))])


def parse_names(given: str) -> tuple[str, ...]:
    """The names of setting server.names; ConfigError says which is none."""
    names = [_canonical(name) for name in given.lower().split()]
    if len(names) > MAX_NAMES:
        raise ConfigError(f"server.names has {len(names)} names; allowed are {MAX_NAMES}")
    for name in names:
        if not _is_name(name):
            raise ConfigError(f"server.names: {name!r} is neither a host name nor an IP address")
    return _unique(names)


def lan_addresses() -> tuple[str, ...]:
    """The addresses that this machine sends from, IPv4 first; none without a network."""
    found = []
    # "Connecting" a datagram socket chooses the route and sends nothing; the addresses are of documentation.
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue  # no route of that family
    return tuple(address for address in found if not ipaddress.ip_address(address).is_unspecified)


def _is_name(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return 0 < len(name) <= 253 and all(_LABEL.fullmatch(label) for label in name.split("."))
    return "%" not in name  # a scope means something on this machine only


def _canonical(name: str) -> str:
    """An address as everybody writes it; a name stays as it is."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
