"""A TCP or TLS connection that never waits: what can be read or written now, and the rest later.

asyncio's own streams are not used: their drain() hangs on ESP32-S3 boards with octal PSRAM (micropython
#16029), and each wait of theirs allocates. MicroPython and CPython differ only in this module.
"""

import errno
import select
import socket

from minerva.errors import HubError, LinkError
from minerva.port import MICROPYTHON, const, sleep_ms, ticks_diff, ticks_ms

if MICROPYTHON:
    import tls

    _WOULD_WAIT = ()
else:
    import ssl as tls

    # With TLS, CPython has its own way to say that it would have to wait.
    _WOULD_WAIT = (tls.SSLWantReadError, tls.SSLWantWriteError)  # type: ignore

_CONNECT_TIMEOUT_MS = const(10000)
_LOOK_MS = const(10)

_CUT_OFF = const(-0x7280)  # Mbed TLS: the connection ended without a farewell

# What Mbed TLS or OpenSSL say, and what that means for whoever wrote the settings.
_MEANINGS = (
    (
        ("signed by the trusted CA", "local issuer", "self-signed", "signature failure"),
        "the certificate is not signed by ca in settings.json",
    ),
    (("expected CN", "mismatch"), "the certificate is not for server_name in settings.json"),
    (("SSL record", "WRONG_VERSION"), "whoever listens there does not speak TLS"),
)

# What a non-blocking call says when it would have to wait.
_AGAIN = (errno.EAGAIN, errno.EINPROGRESS, errno.EALREADY)


def _client_context(ca: str):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED  # type: ignore - a plain number there
    try:
        if MICROPYTHON:
            context.load_verify_locations(ca.encode())
        else:
            context.load_verify_locations(cadata=ca)  # type: ignore - PEM is text there
    except (OSError, ValueError) as e:
        raise HubError("settings.json: ca cannot be used (%s)" % e)
    return context


async def _connect(host: str, port: int, alive):
    """A connected, non-blocking socket."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    except OSError as e:
        raise LinkError("%s: no such name (%s)" % (host, e))
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        try:
            sock.connect(address)
        except OSError as e:
            if e.errno not in _AGAIN:
                raise
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        began = ticks_ms()
        while True:
            for _, happened in poll.poll(0):
                if happened & (select.POLLERR | select.POLLHUP):
                    raise LinkError("%s port %d: nobody listens" % (host, port))
                return sock
            if ticks_diff(ticks_ms(), began) > _CONNECT_TIMEOUT_MS:
                raise LinkError(
                    "%s port %d: no answer within %d s" % (host, port, _CONNECT_TIMEOUT_MS // 1000)
                )
            alive()
            await sleep_ms(_LOOK_MS)
    except OSError as e:
        sock.close()
        raise LinkError("%s port %d: %s" % (host, port, e))
    except LinkError:
        sock.close()
        raise


class Stream:
    """An open connection; its calls raise LinkError when it is gone, HubError when TLS refuses.

    `secure`: by TLS, which keeps what the network did not take; only the same bytes may follow then.
    """

    def __init__(self, sock, name: str, secure: bool = False):
        self.secure = secure
        self._sock = sock
        self._name = name

    @staticmethod
    async def open(host: str, port: int, ca: str, server_name: str, alive) -> "Stream":
        """Connect; with a `ca` (PEM) by TLS: the peer must prove `server_name` by it, whatever its address.

        The TLS handshake goes on while reading and writing: its refusal comes as HubError from there.
        `alive()` is called while it waits.
        """
        sock = await _connect(host, port, alive)
        if ca:
            try:
                sock = _client_context(ca).wrap_socket(
                    sock, server_hostname=server_name, do_handshake_on_connect=False
                )
            except (OSError, ValueError) as e:
                sock.close()
                raise _refused(server_name, e)
            except HubError:
                sock.close()
                raise
        return Stream(sock, server_name or host, bool(ca))

    def read_into(self, buf: "bytearray") -> int:
        """Bytes read into `buf` now, 0 when there are none yet."""
        try:
            size = self._sock.readinto(buf) if MICROPYTHON else self._sock.recv_into(buf)
        except _WOULD_WAIT:
            return 0
        except (OSError, ValueError) as e:
            return self._trouble(e)
        if size is None:
            return 0
        if size == 0:
            raise LinkError("%s closed the connection" % self._name)
        return size

    def write(self, buf: "bytearray", start: int, end: int) -> int:
        """Bytes of buf[start:end] that were taken now, perhaps 0."""
        try:
            if MICROPYTHON:
                return self._sock.write(buf, start, end - start) or 0
            return self._sock.send(memoryview(buf)[start:end])
        except _WOULD_WAIT:
            return 0
        except (OSError, ValueError) as e:
            return self._trouble(e)

    def _trouble(self, e) -> int:
        if isinstance(e, OSError) and e.errno in _AGAIN:
            return 0
        if _is_tls(e):
            raise _refused(self._name, e)
        raise LinkError("%s: connection lost (%s)" % (self._name, e))

    def close(self) -> None:
        """Give the socket back; harmless twice."""
        try:
            self._sock.close()
        except OSError:
            pass  # it was broken already


def _is_tls(e) -> bool:
    if not MICROPYTHON:
        return isinstance(e, tls.SSLError) and not isinstance(e, tls.SSLEOFError)  # type: ignore
    # mbedtls errors: ValueError, or OSError with a code below every errno
    return isinstance(e, ValueError) or ((e.errno or 0) < -255 and e.errno != _CUT_OFF)


def _refused(name: str, e) -> HubError:
    said = " ".join(str(e).split())
    for words, meaning in _MEANINGS:
        for word in words:
            if word in said:
                return HubError("%s: TLS refused, %s" % (name, meaning))
    return HubError("%s: TLS refused, not proved by ca and server_name in settings.json (%s)" % (name, said))
