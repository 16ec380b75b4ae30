import struct

from minerva import websocket
from minerva.errors import HubError
from minerva.wire import MAX_MEDIA, MAX_TEXT

# RFC 6455, 1.3
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol:minerva.v1\r\n\r\n"
)


def raises(call, *args):
    try:
        call(*args)
    except HubError as e:
        return str(e)
    raise AssertionError("no HubError")


def server_frame(opcode, payload, fin=True):
    head = bytes([opcode | (0x80 if fin else 0)])
    size = len(payload)
    if size < 126:
        return head + bytes([size]) + payload
    return head + bytes([126]) + struct.pack(">H", size) + payload


def unmask(frame):
    """A client's frame as the server reads it: (opcode, payload)."""
    size = frame[1] & 127
    at = 2
    assert frame[1] & 128
    if size == 126:
        size = struct.unpack(">H", frame[2:4])[0]
        at = 4
    key = frame[at : at + 4]
    body = frame[at + 4 :]
    assert len(body) == size
    return frame[0], bytes([b ^ key[i & 3] for i, b in enumerate(body)]), bytes(key)


def check_handshake_of_the_rfc():
    for end in range(len(ANSWER)):
        assert websocket.check_response(ANSWER[:end], "minerva.v1", KEY) == 0
    assert websocket.check_response(ANSWER + b"\x81\x00", "minerva.v1", KEY) == len(ANSWER)


def check_refusals_of_the_handshake():
    said = raises(websocket.check_response, b"HTTP/1.1 404 Not Found\r\n\r\n", "minerva.v1", KEY)
    assert "404" in said
    said = raises(websocket.check_response, ANSWER, "minerva.v2", KEY)
    assert "unsupported_version" in said
    raises(websocket.check_response, ANSWER, "minerva.v1", b"AAAAIHNhbXBsZSBub25jZQ==")
    raises(websocket.check_response, b"SSH-2.0-x\r\n\r\n", "minerva.v1", KEY)
    raises(websocket.check_response, b"x" * 3000, "minerva.v1", KEY)


def check_request_names_host_path_and_protocol():
    sent = websocket.request("::1", 8484, "/link", "minerva.v1", KEY)
    assert sent.startswith(b"GET /link HTTP/1.1\r\nHost: [::1]:8484\r\n")
    assert b"Sec-WebSocket-Protocol: minerva.v1\r\n" in sent
    assert sent.endswith(b"\r\n\r\n")


def check_frames_are_masked_with_changing_keys():
    masker = websocket.Masker()
    keys = set()
    for size in (0, 1, 125, 126, 127, 496, 6412):
        payload = bytes([i * 7 & 255 for i in range(size)])
        buf = bytearray(websocket.ROOM + size + 5)
        buf[websocket.ROOM : websocket.ROOM + size] = payload
        start = masker.frame(buf, websocket.BINARY, size)
        first, got, key = unmask(bytes(buf[start : websocket.ROOM + size]))
        assert first == 0x82
        assert got == payload
        keys.add(key)
    assert len(keys) == 7


def check_frames_in_any_portions():
    raw = (
        server_frame(websocket.TEXT, b'{"a":1}')
        + server_frame(websocket.PING, b"hi")
        + server_frame(websocket.BINARY, bytes(300))
        + server_frame(websocket.TEXT, b"one ", False)
        + server_frame(websocket.PING, b"between")
        + server_frame(0, b"two", True)
        + server_frame(websocket.CLOSE, b"\x03\xe8")
    )
    want = [
        (1, b'{"a":1}'),
        (9, b"hi"),
        (2, bytes(300)),
        (9, b"between"),
        (1, b"one two"),
        (8, b"\x03\xe8"),
    ]
    assert websocket.FrameReader().feed(raw) == want
    for step in (1, 2, 3, 7, 100):
        reader = websocket.FrameReader()
        got = []
        for at in range(0, len(raw), step):
            got.extend(reader.feed(raw[at : at + step]))
        assert got == want


def check_bad_frames():
    feed = lambda raw: websocket.FrameReader().feed(raw)
    raises(feed, b"\xc1\x00")  # reserved bit
    raises(feed, b"\x81\x80aaaa")  # masked by a server
    raises(feed, b"\x83\x00")  # unknown opcode
    raises(feed, b"\x8b\x00")
    raises(feed, b"\x80\x00")  # a continuation of nothing
    raises(feed, b"\x09\x00")  # a ping in pieces
    raises(feed, b"\x89\x7e\x00\x80")  # a ping of 128 bytes
    raises(feed, b"\x82\x7f" + bytes(8))
    raises(feed, server_frame(1, b"a", False) + server_frame(1, b"b"))


def check_lengths_are_bounded_before_the_bytes_come():
    said = raises(websocket.FrameReader().feed, b"\x81\x7e" + struct.pack(">H", MAX_TEXT + 1))
    assert str(MAX_TEXT) in said
    raises(websocket.FrameReader().feed, b"\x82\x7e" + struct.pack(">H", MAX_MEDIA + 1))
    reader = websocket.FrameReader()
    reader.feed(server_frame(1, bytes(MAX_TEXT), False))
    raises(reader.feed, server_frame(0, b"x"))
