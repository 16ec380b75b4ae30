"""Listening for the network: TLS whose handshakes are bounded per address, in number and in time.

And plain HTTP for listed addresses, which the others cannot even connect to.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress

from aiohttp import web

_log = logging.getLogger(__name__)

HANDSHAKE_S = 10.0  # an ESP32 takes 2 s over poor Wi-Fi, its certificate chain included
MAX_HANDSHAKES = 64  # in progress: each may hold some 50 kB and costs a signature, about 0.2 ms
MAX_OF_ADDRESS = 16  # of them; a browser opens six connections at once
MAX_OPEN = 2048  # connections in all, plain ones too: 1000 links, as many pages and programs
MAX_OPEN_OF_ADDRESS = 1024  # so that one address cannot take every place; a router may stand for all devices
MAX_LISTED = 128  # a few programs, each with a stream, a microphone and some requests at once
FILES = 4096  # file descriptors that those need, with the database's and the recognisers'
SHUTDOWN_S = 3.0  # so long the other side may take to say goodbye
BACKLOG = 128
ACCEPT_RETRY_S = 1.0  # after the system ran out of file descriptors
_SHORT_OF = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class _Site(web.BaseSite):
    """An aiohttp site on given sockets, which looks at who comes before a request is read.

    `drops` counts what was turned away, by the name that `_refusal` gives, or never ended its handshake.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        sockets: list[socket.socket],
        drops: Counter[str],
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(runner, ssl_context=context)
        self._sockets = sockets
        self._drops = drops
        self._accepting: list[asyncio.Task[None]] = []
        self._handshakes: set[asyncio.Task[None]] = set()
        self._of_address: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """The address listened on, as a URL."""
        scheme = "http" if self._ssl_context is None else "https"
        return f"{scheme}://{self._sockets[0].getsockname()[0]}:{self.port}"

    @property
    def port(self) -> int:
        """The TCP port, the same on all addresses."""
        return int(self._sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to accept."""
        await super().start()
        for listening in self._sockets:
            listening.listen(BACKLOG)
            listening.setblocking(False)
            task = asyncio.create_task(self._accept(listening), name="accept")
            self._accepting.append(task)

    async def stop(self) -> None:
        """Close the sockets and drop the handshakes in progress; connections go on until the runner ends."""
        for task in (*self._accepting, *self._handshakes):
            task.cancel()
        await asyncio.gather(*self._accepting, *self._handshakes, return_exceptions=True)
        for listening in self._sockets:
            listening.close()
        await super().stop()

    def _refusal(self, address: str) -> str:
        """The drop that one more connection from there is; empty when it is taken."""
        raise NotImplementedError

    def _connections(self) -> Collection[web.RequestHandler]:
        server = self._runner.server
        assert server is not None  # noqa: S101 - BaseSite checked it
        return server.connections

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listening)
            except OSError as problem:
                if problem.errno not in _SHORT_OF:  # the client went before it was taken
                    continue
                _log.warning("no connection can be taken for %g s: %s", ACCEPT_RETRY_S, problem)
                await asyncio.sleep(ACCEPT_RETRY_S)
                continue
            address = str(peer[0])
            refusal = self._refusal(address)
            if refusal:
                self._drops[refusal] += 1
                connection.close()
                continue
            self._of_address[address] += 1
            task = asyncio.create_task(self._handshake(connection, address), name="handshake")
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _handshake(self, connection: socket.socket, address: str) -> None:
        server = self._runner.server
        assert server is not None  # noqa: S101 - BaseSite checked it
        context = self._ssl_context
        try:
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(
                server,
                connection,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_S if context else None,
                ssl_shutdown_timeout=SHUTDOWN_S if context else None,
            )
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            self._drops["tls_failed"] += context is not None
        finally:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]


class TlsSite(_Site):
    """TLS for the network."""

    def __init__(
        self,
        runner: web.AppRunner,
        sockets: list[socket.socket],
        context: ssl.SSLContext,
        drops: Counter[str],
    ) -> None:
        super().__init__(runner, sockets, drops, context)

    def _refusal(self, address: str) -> str:
        return "tls_crowded" if self._crowded(address) else ""

    def _crowded(self, address: str) -> bool:
        """Whether one more connection from there would be too many."""
        if len(self._handshakes) >= MAX_HANDSHAKES or self._of_address[address] >= MAX_OF_ADDRESS:
            return True
        connections = self._connections()
        if len(connections) < min(MAX_OPEN, MAX_OPEN_OF_ADDRESS):
            return False
        peers = Counter(_peer(one.transport) for one in connections)
        return len(connections) >= MAX_OPEN or peers[address] >= MAX_OPEN_OF_ADDRESS


class ListedSite(_Site):
    """Plain HTTP for the addresses that `admits` says, of the face called `face`."""

    def __init__(
        self,
        runner: web.AppRunner,
        sockets: list[socket.socket],
        drops: Counter[str],
        admits: Callable[[str], bool],
        face: str,
    ) -> None:
        super().__init__(runner, sockets, drops)
        self._admits = admits
        self._face = face

    def _refusal(self, address: str) -> str:
        if not self._admits(address):
            return f"{self._face}_refused"
        return f"{self._face}_crowded" if len(self._connections()) >= MAX_LISTED else ""


def _peer(transport: asyncio.BaseTransport | None) -> str:
    """The address at the other end; empty when the connection has ended."""
    name = None if transport is None else transport.get_extra_info("peername")
    return str(name[0]) if name else ""


def allow_files(count: int = FILES) -> None:
    """Let this process have as many files and connections open, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets for `host` (empty: every address, IPv4 and IPv6) on one port; OSError as the system says."""
    if host:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        addresses = [(family, where[0]) for family, _, _, _, where in found]
    else:
        addresses = [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]  # noqa: S104 - this is its purpose
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys(addresses):
            try:
                sockets.append(_bind(family, str(address), port))
            except OSError as problem:
                # A machine without IPv6 is served on IPv4.
                if host or not sockets or problem.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
            port = sockets[0].getsockname()[1]
    except OSError:
        for one in sockets:
            one.close()
        raise
    return sockets


def _bind(family: int, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    with suppress(OSError):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
