"""Lists of addresses in the settings: who may use a port that knows no password."""

from __future__ import annotations

import ipaddress
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_NETWORKS: Final = 64  # a household has fewer machines that run such programs
WIDEST: Final = {4: 8, 6: 32}  # bits that are given at least; less names the internet rather than a network


def allowed_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, apart by blanks. ValueError names the one that is none, or too wide."""
    words = text.split()
    if len(words) > MAX_NETWORKS:
        raise ValueError(f"{len(words)} addresses; at most {MAX_NETWORKS} are allowed")
    return tuple(_network(word) for word in words)


def is_address(host: str) -> bool:
    """Whether a host is a bare address, of IPv4 or IPv6."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _network(word: str) -> Network:
    try:
        network = ipaddress.ip_network(word)
    except ValueError as problem:
        raise ValueError(
            f"{word!r} is no address or network, as 192.168.1.20 or 192.168.1.0/24 ({problem})"
        ) from problem
    if network.prefixlen < WIDEST[network.version]:
        raise ValueError(f"{word!r} names more than a network: /{WIDEST[network.version]} is the widest")
    return network
