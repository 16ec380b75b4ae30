"""HTTP requests over a Stream, one connection at a time, kept for the next request to the same server."""

from minerva.errors import LinkError, TryLaterError
from minerva.http import Answer, request
from minerva.hw.stream import Stream
from minerva.port import const, sleep_ms, ticks_diff, ticks_ms

_READ_BYTES = const(1024)
_WINDOW_MS = const(60000)
_LEAST_BYTES = const(64 * 60)  # in each window: a server that gives less trickles
_LOOK_MS = const(10)


class Interrupted(Exception):
    """`stop()` said that the request is to be broken off."""


class Fetcher:
    """Requests to the update server of `server` (settings.UpdateServer). `alive()` is called while it waits.

    `received` counts every byte of the answers, their headers included; `window_ms` is for tests.
    """

    def __init__(self, server, alive, window_ms: int = _WINDOW_MS):
        self.received = 0
        self._server = server
        self._alive = alive
        self._window_ms = window_ms
        self._stream = None
        self._buffer = bytearray(_READ_BYTES)
        self._view = memoryview(self._buffer)

    @property
    def open(self) -> bool:
        """Whether a connection stands."""
        return self._stream is not None

    def close(self) -> None:
        """Give the connection back; harmless twice."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def get(self, path: str, limit: int) -> bytearray:
        """The body of a GET, at most `limit` bytes. LinkError, UpdateError (TryLaterError: too_slow)."""
        body = bytearray()
        await self._ask("GET", path, None, Answer(body.extend, limit), None)
        return body

    async def send(self, method: str, path: str, data: bytes) -> bytearray:
        """The body of the answer to a POST or PUT of JSON; raises as `get`."""
        body = bytearray()
        await self._ask(method, path, data, Answer(body.extend, _READ_BYTES), None)
        return body

    async def range(self, path: str, first: int, last: int, total: int, sink, stop) -> None:
        """Bytes first…last of `total` to `sink(view)`; raises as both, Interrupted when `stop()`."""
        await self._ask("GET", path, None, Answer(sink, 0, (first, last, total)), stop)

    async def _ask(self, method: str, path: str, data: "bytes | None", answer: Answer, stop) -> None:
        wanted = answer.wanted or (-1, -1, 0)
        server = self._server
        head = request(method, server.host, server.port, path, server.token, data, wanted[0], wanted[1])
        kept = self._stream is not None
        try:
            try:
                await self._exchange(head, answer, stop)
            except LinkError:
                # A connection that was kept may have been closed meanwhile: nobody answered the request.
                if not kept or answer.begun:
                    raise
                self.close()
                await self._exchange(head, answer, stop)
        except BaseException:
            self.close()
            raise
        if not answer.keep:
            self.close()

    async def _exchange(self, head: bytes, answer: Answer, stop) -> None:
        server = self._server
        if self._stream is None:
            secure = server.scheme == "https"
            self._stream = await Stream.open(
                server.host,
                server.port,
                server.ca if secure else "",
                server.server_name if secure else "",
                self._alive,
            )
        stream = self._stream
        sent = 0
        out = bytearray(head)
        began = ticks_ms()
        had = self.received
        while not answer.done:
            self._alive()
            if stop is not None and stop():
                raise Interrupted
            if sent < len(out):
                sent += stream.write(out, sent, len(out))
            size = stream.read_into(self._buffer)
            if size:
                self.received += size
                if answer.feed(self._view[:size]) < size:
                    answer.keep = False  # more than an answer: whatever it is, it is not for the next request
                await sleep_ms(0)
            if ticks_diff(ticks_ms(), began) > self._window_ms:
                if self.received - had < _LEAST_BYTES:
                    raise TryLaterError(
                        "too_slow",
                        "the update server gave %d bytes in %d s; %d are the least"
                        % (self.received - had, self._window_ms // 1000, _LEAST_BYTES),
                    )
                began = ticks_ms()
                had = self.received
            if not size:
                await sleep_ms(_LOOK_MS)
