"""The client's side of RFC 6455 as bytes in, frames out. Pure; hw/link.py owns the socket.

Outgoing frames are built and masked in the caller's own buffer, so that sending audio allocates nothing.
"""

import binascii
import hashlib
import os
import struct

from minerva.errors import HubError
from minerva.port import const, micropython, ptr8
from minerva.wire import MAX_MEDIA, MAX_TEXT

TEXT = 1
BINARY = 2
CLOSE = 8
PING = 9
PONG = 10

ROOM = 8  # bytes that a frame's header needs before its payload: 2, a 16-bit size, the mask
_MAX_PAYLOAD = const(65535)
_MAX_CONTROL = const(125)  # RFC 6455, 5.5
# An answer to the handshake is a dozen short lines; aiohttp's has about 250 bytes.
_MAX_RESPONSE = const(2048)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def new_key() -> bytes:
    """A fresh Sec-WebSocket-Key."""
    return binascii.b2a_base64(os.urandom(16)).strip()


def request(host: str, port: int, path: str, subprotocol: str, key: bytes) -> bytes:
    """The HTTP request that asks for a WebSocket."""
    shown = "[%s]" % host if ":" in host else host
    return (
        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\nSec-WebSocket-Key: %s\r\n\r\n"
        % (path, shown, port, subprotocol, key.decode())
    ).encode()


def check_response(data: bytes, subprotocol: str, key: bytes) -> int:
    """The answer to `request` -> bytes it takes, or 0 while incomplete; HubError when it is no yes."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > _MAX_RESPONSE:
            raise HubError("answer to the WebSocket request exceeds %d bytes" % _MAX_RESPONSE)
        return 0
    lines = data[:end].split(b"\r\n")
    status = lines[0].split(b" ", 2)
    if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or status[1] != b"101":
        raise HubError("not a Minerva hub: it answers %r" % lines[0][:60])
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    digest = hashlib.sha1(key + _GUID).digest()  # noqa: S324 - the algorithm of RFC 6455, no secret
    want = binascii.b2a_base64(digest).strip()
    if headers.get(b"sec-websocket-accept") != want:
        raise HubError("not a Minerva hub: wrong Sec-WebSocket-Accept")
    if headers.get(b"sec-websocket-protocol") != subprotocol.encode():
        raise HubError("unsupported_version: the hub does not speak %s" % subprotocol)
    return end + 4


@micropython.viper
def _mask(buf: ptr8, at: int, size: int, key: ptr8):
    i = 0
    while i < size:
        buf[at + i] = int(buf[at + i]) ^ int(key[i & 3])
        i += 1


class Masker:
    """Keys for outgoing frames from a block of the system's randomness, refilled now and then."""

    def __init__(self):
        self._pool = b""
        self._at = 0
        self._key = bytearray(4)

    def frame(self, buf: "bytearray", opcode: int, size: int) -> int:
        """Frame the payload in buf[ROOM:ROOM+size] in place; returns where the frame starts."""
        if size > _MAX_PAYLOAD:
            raise ValueError("payload of %d bytes exceeds %d" % (size, _MAX_PAYLOAD))
        if self._at + 4 > len(self._pool):
            self._pool = os.urandom(256)
            self._at = 0
        for i in range(4):
            self._key[i] = buf[ROOM - 4 + i] = self._pool[self._at + i]
        self._at += 4
        if size < 126:
            start = ROOM - 6
            buf[start + 1] = 0x80 | size
        else:
            start = ROOM - 8
            buf[start + 1] = 0x80 | 126
            buf[start + 2] = size >> 8
            buf[start + 3] = size & 0xFF
        buf[start] = 0x80 | opcode
        _mask(buf, ROOM, size, self._key)
        return start


class FrameReader:
    """Bytes from the hub in any portions -> [(opcode, payload)]; fragments are joined, lengths bounded."""

    def __init__(self):
        self._data = bytearray()
        self._message = bytearray()
        self._opcode = 0

    def feed(self, data: "bytes | memoryview") -> list:
        """Whole messages and control frames that are complete now; HubError on a broken frame."""
        self._data.extend(data)
        out = []
        at = 0
        while True:
            taken = self._frame(at, out)
            if not taken:
                break
            at += taken
        if at:
            self._data = self._data[at:]
        return out

    def _frame(self, at: int, out: list) -> int:
        data = self._data
        have = len(data) - at
        if have < 2:
            return 0
        first = data[at]
        opcode = first & 15
        size = data[at + 1]
        if first & 0x70 or size & 0x80:
            raise HubError("frame with reserved bits or a mask from the hub")
        head = 2
        if size == 126:
            if have < 4:
                return 0
            size = struct.unpack_from(">H", data, at + 2)[0]
            head = 4
        elif size == 127:
            raise HubError("frame of 65536 bytes or more from the hub; at most %d are allowed" % MAX_MEDIA)
        self._check(first, opcode, size)
        if have < head + size:
            return 0
        payload = bytes(data[at + head : at + head + size])
        if opcode >= CLOSE:
            out.append((opcode, payload))
        elif first & 0x80 and opcode:
            out.append((opcode, payload))
        else:
            if opcode:
                self._opcode = opcode
            self._message.extend(payload)
            if first & 0x80:
                out.append((self._opcode, bytes(self._message)))
                self._message = bytearray()
                self._opcode = 0
        return head + size

    def _check(self, first: int, opcode: int, size: int) -> None:
        if opcode >= CLOSE:
            if opcode > PONG or size > _MAX_CONTROL or not first & 0x80:
                raise HubError("control frame %d of %d bytes; %d are allowed" % (opcode, size, _MAX_CONTROL))
            return
        if opcode > BINARY or (opcode == 0) != (self._opcode != 0):
            raise HubError("frame with opcode %d out of place" % opcode)
        limit = MAX_TEXT if (opcode or self._opcode) == TEXT else MAX_MEDIA
        if len(self._message) + size > limit:
            raise HubError(
                "message of %d bytes from the hub exceeds the %d-byte limit"
                % (len(self._message) + size, limit)
            )
