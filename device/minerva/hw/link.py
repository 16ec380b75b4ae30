"""A WebSocket over a Stream, one frame in the making at a time; the application decides what to say."""

from minerva import websocket
from minerva.errors import LinkError
from minerva.hw.stream import Stream
from minerva.port import const, sleep_ms, ticks_diff, ticks_ms
from minerva.websocket import BINARY, CLOSE, PING, PONG, ROOM, TEXT
from minerva.wire import MAX_TEXT, SUBPROTOCOL

_HANDSHAKE_TIMEOUT_MS = const(15000)  # TLS on an ESP32-S3 takes one to two seconds of it
_LOOK_MS = const(10)
_READ_BYTES = const(512)

# What a frame in the making tells of.
CONTROL = 0
HEARD = 1  # of sound, in words
AUDIO = 2


class Link:
    """An open WebSocket. `buffer[ROOM:]` takes the payload of the next binary frame while not `busy`."""

    def __init__(self, stream: Stream):
        self.buffer = bytearray(ROOM + MAX_TEXT)
        self._stream = stream
        self._masker = websocket.Masker()
        self._reader = websocket.FrameReader()
        self._input = bytearray(_READ_BYTES)
        self._view = memoryview(self._input)
        self._start = 0
        self._at = 0
        self._end = 0
        self._carries = CONTROL
        self._held = False  # TLS may have a part of the frame that it did not take
        self._spoilt = ""
        self._pong = None
        self._early = ()  # frames that came in one piece with the handshake's answer

    @staticmethod
    async def open(settings, alive) -> "Link":
        """Connect to settings.url and shake hands, `alive()` meanwhile; LinkError or HubError."""
        secure = settings.scheme == "wss"
        stream = await Stream.open(
            settings.host,
            settings.port,
            settings.ca if secure else "",
            settings.server_name if secure else "",
            alive,
        )
        link = Link(stream)
        try:
            await link._shake_hands(settings, alive)
        except LinkError:
            stream.close()
            raise
        return link

    async def _shake_hands(self, settings, alive) -> None:
        key = websocket.new_key()
        self._say(websocket.request(settings.host, settings.port, settings.path, SUBPROTOCOL, key))
        answer = bytearray()
        began = ticks_ms()
        while True:
            self.flush()
            size = 0 if self.busy else self._stream.read_into(self._input)
            if size:
                answer.extend(self._view[:size])
                taken = websocket.check_response(bytes(answer), SUBPROTOCOL, key)
                if taken:
                    self._early = self._reader.feed(bytes(answer[taken:]))
                    return
            elif ticks_diff(ticks_ms(), began) > _HANDSHAKE_TIMEOUT_MS:
                raise LinkError(
                    "%s: no handshake within %d s" % (settings.host, _HANDSHAKE_TIMEOUT_MS // 1000)
                )
            else:
                alive()
                await sleep_ms(_LOOK_MS)

    def reserve(self, size: int) -> None:
        """Make room for binary payloads of `size` bytes; not while busy."""
        if len(self.buffer) < ROOM + size:
            self.buffer = bytearray(ROOM + size)

    @property
    def busy(self) -> bool:
        """Whether a frame is not yet written whole."""
        return self._at < self._end

    def _say(self, data: bytes) -> None:
        self.buffer[: len(data)] = data
        self._start = self._at = 0
        self._end = len(data)

    def _send(self, opcode: int, size: int, carries: int) -> None:
        self._start = self._at = self._masker.frame(self.buffer, opcode, size)
        self._end = ROOM + size
        self._carries = carries
        self._held = False

    def _send_copy(self, opcode: int, data: bytes, carries: int) -> None:
        self.buffer[ROOM : ROOM + len(data)] = data
        self._send(opcode, len(data), carries)

    def send_text(self, text: str, heard: bool = False) -> None:
        """Begin to send a control message, which tells of sound if `heard`; not while busy."""
        self._send_copy(TEXT, text.encode(), HEARD if heard else CONTROL)

    def send_packet(self, size: int) -> None:
        """Begin to send the packet in buffer[ROOM:ROOM+size]; not while busy. Allocates nothing."""
        self._send(BINARY, size, AUDIO)

    def withdraw(self, mute: bool) -> int:
        """Take back the frame in the making if it is AUDIO, in a `mute` HEARD too; what it was, else CONTROL.

        A frame that has begun is finished. TLS keeps what it could not write, and would send it sooner or
        later: then the link ends instead.
        """
        if not self.busy or self._at > self._start or self._carries == CONTROL:
            return CONTROL
        if self._carries == HEARD and not mute:
            return CONTROL
        if self._held:
            self._spoilt = "closed here: TLS holds what a change of mode took back"
        self._at = self._end
        return self._carries

    def flush(self) -> bool:
        """Write what the network takes; True when the next frame may begin."""
        if self._spoilt:
            raise LinkError(self._spoilt)
        while self._at < self._end:
            taken = self._stream.write(self.buffer, self._at, self._end)
            if not taken:
                self._held = self._stream.secure
                return False
            self._at += taken
        if self._pong is not None:
            data = self._pong
            self._pong = None
            self._send_copy(PONG, data, CONTROL)
            return self.flush()
        return True

    def receive(self) -> "list | None":
        """[(TEXT or BINARY, payload)] that came, and pings answered ([] too); None when nothing came at all.

        A CLOSE from the hub is a LinkError with its reason.
        """
        frames = self._early
        self._early = ()
        if not frames:
            size = self._stream.read_into(self._input)
            if not size:
                return None
            frames = self._reader.feed(self._view[:size])
        out = []
        for opcode, payload in frames:
            if opcode == PING:
                self._pong = payload  # the newest stands for those before it (RFC 6455, 5.5.3)
            elif opcode == CLOSE:
                code = payload[0] << 8 | payload[1] if len(payload) > 1 else 1005
                raise LinkError("the hub closed the link: %d %s" % (code, _printable(payload[2:])))
            elif opcode != PONG:
                out.append((opcode, payload))
        return out

    async def close(self, code: int, reason: str) -> None:
        """Say good-bye if that can still be done at once, and give the socket back."""
        try:
            if self.flush():
                self._send_copy(CLOSE, bytes([code >> 8, code & 0xFF]) + reason.encode()[:100], CONTROL)
                self.flush()
                await sleep_ms(_LOOK_MS)
        except LinkError:
            pass  # it is gone already, which is all that was wanted
        self._stream.close()


def _printable(data: bytes) -> str:
    """Bytes of unknown origin for a log line."""
    return "".join([chr(c) if 32 <= c < 127 else "?" for c in data])
