"""HTTP/1.1 as the client of one server needs it: a request's bytes out, an answer's bytes in. Pure.

    answer = Answer(sink, limit)
    taken = answer.feed(data)       # until answer.done; the body went to sink(view) as it came

hw/fetch.py owns the socket. No redirect is followed, no encoding asked for, and nothing is read beyond the
bounds: a header of 4096 bytes, a body of `limit` bytes or exactly the range that was asked for.
"""

from minerva.errors import TryLaterError, UpdateError
from minerva.port import const

MAX_HEAD = 4096  # bytes of header; hawkBit's have some 600
_MAX_CHUNK_LINE = const(64)  # a size in hex digits, and perhaps an extension
_SPACE = b" \t"  # HTTP knows no other within a line

_HEAD = const(0)
_BODY = const(1)
_CHUNK_SIZE = const(2)
_CHUNK = const(3)
_CHUNK_END = const(4)
_TRAILERS = const(5)
_DONE = const(6)


def request(
    method: str,
    host: str,
    port: int,
    path: str,
    token: str,
    body: "bytes | None" = None,
    first: int = -1,
    last: int = -1,
) -> bytes:
    """A request's bytes; with `first` it asks for the bytes first…last. `path` begins with a slash."""
    lines = [
        "%s %s HTTP/1.1" % (method, path),
        "Host: %s:%d" % ("[%s]" % host if ":" in host else host, port),
        "Authorization: TargetToken %s" % token,
        "Accept: */*" if first >= 0 else "Accept: application/json, */*",
    ]
    if first >= 0:
        lines.append("Range: bytes=%d-%d" % (first, last))
    if body is not None:
        lines.append("Content-Type: application/json")
        lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


def _number(text: bytes, name: str, base: int = 10) -> int:
    """Digits and nothing else, at most ten; bad_answer otherwise."""
    if 0 < len(text) <= 10:
        digits = b"0123456789abcdefABCDEF" if base == 16 else b"0123456789"
        if all([c in digits for c in text]):
            return int(text.decode(), base)
    raise UpdateError("bad_answer", "%s is %r" % (name, text[:40]))


def content_range(text: bytes) -> "tuple[int, int, int]":
    """`bytes 0-99/1000` -> (0, 99, 1000); bad_range when it is none."""
    unit, _, rest = text.partition(b" ")
    places, slash, total = rest.strip(_SPACE).partition(b"/")
    first, dash, last = places.partition(b"-")
    try:
        if unit.lower() == b"bytes" and slash and dash:
            return _number(first, "first"), _number(last, "last"), _number(total, "total")
    except UpdateError:
        pass  # it is told of below, as what it is here
    raise UpdateError("bad_range", "Content-Range is %r" % text[:60])


class Answer:
    """One answer; its body goes to `sink(view)` as it comes. `wanted` is (first, last, total) of a range.

    Without `wanted` any 2xx status but 206 is an answer and `limit` bounds its body; with it only 206 with
    exactly that range is. All else raises UpdateError (bad_answer, bad_range, too_long) or TryLaterError.
    """

    def __init__(self, sink, limit: int, wanted: "tuple[int, int, int] | None" = None):
        self.status = 0
        self.keep = True  # the connection can take another request, once this is done
        self.size = 0  # bytes of body so far
        self._sink = sink
        self._limit = limit
        self.wanted = wanted  # (first, last, total) of a range, or None
        self._state = _HEAD
        self._head = bytearray()
        self._room = MAX_HEAD  # bytes that headers may still have, those of interim answers included
        self._left = 0  # of the body or the chunk

    @property
    def done(self) -> bool:
        """Whether the answer is complete."""
        return self._state == _DONE

    @property
    def begun(self) -> bool:
        """Whether anything of it came."""
        return self._room < MAX_HEAD or len(self._head) > 0

    def feed(self, data: "memoryview") -> int:
        """What came -> how much of it belongs to this answer: all of it, or less when it is done."""
        at = 0
        while at < len(data) and self._state != _DONE:
            state = self._state
            if state == _BODY or state == _CHUNK:
                take = min(self._left, len(data) - at)
                self._sink(data[at : at + take])
                self.size += take
                self._left -= take
                at += take
                if self._left == 0:
                    self._state = _CHUNK_END if state == _CHUNK else _DONE
            elif state == _HEAD:
                at += self._feed_head(data[at:])
            else:
                at += self._feed_line(data[at:])
        return at

    # --- the header -----------------------------------------------------------------------------------

    def _feed_head(self, data: "memoryview") -> int:
        head = self._head
        before = len(head)
        head.extend(data[: self._room + 1 - before])
        end = bytes(head).find(b"\r\n\r\n", max(0, before - 3))  # a bytearray has no find there
        if end < 0 or end + 4 > self._room:
            if len(head) > self._room:
                raise UpdateError("too_long", "the answer's header exceeds %d bytes" % MAX_HEAD)
            return len(data)
        taken = end + 4 - before
        self._room -= end + 4
        lines = bytes(head[:end]).split(b"\r\n")
        for line in lines:
            if b"\n" in line or b"\r" in line:  # others may see the end of a line there
                raise UpdateError("bad_answer", "header line %r" % line[:60])
        self._head = bytearray()
        self._read_status(lines[0])
        if 100 <= self.status < 200:  # an interim answer; the one that counts follows
            if self.status == 101:
                raise UpdateError("bad_answer", "101: another protocol was not asked for")
            return taken
        self._read_fields(lines)
        return taken

    def _read_status(self, line: bytes) -> None:
        parts = line.split(b" ", 2)
        if len(parts) < 2 or parts[0] not in (b"HTTP/1.1", b"HTTP/1.0") or len(parts[1]) != 3:
            raise UpdateError("bad_answer", "not HTTP/1.1: %r" % line[:60])
        self.status = _number(parts[1], "status")
        self.keep = parts[0] == b"HTTP/1.1"

    def _read_fields(self, lines: list) -> None:
        length = -1
        chunked = False
        place = None
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not name or any([not 33 <= c <= 126 for c in name]):
                raise UpdateError("bad_answer", "header line %r" % line[:60])
            name = name.lower()
            value = value.strip(_SPACE)
            if name == b"content-length":
                new = _number(value, "Content-Length")
                if length not in (-1, new):
                    raise UpdateError("bad_answer", "Content-Length %d and %d" % (length, new))
                length = new
            elif name == b"transfer-encoding":
                chunked = True
                if value.lower() != b"chunked":
                    raise UpdateError("bad_answer", "Transfer-Encoding %r" % value[:40])
            elif name == b"content-encoding" and value.lower() != b"identity":
                raise UpdateError("bad_answer", "Content-Encoding %r was not asked for" % value[:40])
            elif name == b"content-range":
                place = value
            elif name == b"connection" and b"close" in value.lower():
                self.keep = False
        self._check_status(place)
        if chunked and length >= 0:
            raise UpdateError("bad_answer", "both Content-Length and chunks")
        self._begin_body(length, chunked)

    def _check_status(self, place: "bytes | None") -> None:
        status = self.status
        if status in (401, 403, 429) or status >= 500:  # a token, too, may be put right
            raise TryLaterError("bad_answer", "the update server answers %d" % status)
        if self.wanted is not None:
            if status == 416 or status == 200:
                raise UpdateError(
                    "bad_range", "%d where bytes %d-%d/%d were asked for" % ((status,) + self.wanted)
                )
            if status == 206:
                got = content_range(place or b"")
                if got != self.wanted:
                    raise UpdateError("bad_range", "bytes %d-%d/%d came for %d-%d/%d" % (got + self.wanted))
                return
        if 300 <= status < 400:
            raise UpdateError("bad_answer", "%d: a redirect is not followed" % status)
        if not 200 <= status < 300 or status == 206 or self.wanted is not None:
            raise UpdateError("bad_answer", "the update server answers %d" % status)

    def _begin_body(self, length: int, chunked: bool) -> None:
        if self.wanted is not None:
            first, last, _ = self.wanted
            self._limit = last - first + 1
            if length not in (-1, self._limit):
                raise UpdateError("bad_range", "%d bytes for a range of %d" % (length, self._limit))
        if self.status == 204:
            self._state = _DONE
        elif chunked:
            self._state = _CHUNK_SIZE
        elif length < 0:
            raise UpdateError("bad_answer", "neither Content-Length nor chunks")
        else:
            self._check_limit(length)
            self._left = length
            self._state = _BODY if length else _DONE

    def _check_limit(self, more: int) -> None:
        if self.size + more > self._limit:
            code = "too_long" if self.wanted is None else "bad_range"
            raise UpdateError(
                code, "a body of %d bytes; at most %d are read" % (self.size + more, self._limit)
            )

    # --- chunks ---------------------------------------------------------------------------------------

    def _feed_line(self, data: "memoryview") -> int:
        """One line between chunks, or of the trailers; they are bounded together by the header's limit."""
        line = self._head
        taken = 0
        for c in data:
            taken += 1
            line.append(c)
            if c == 10:
                break
            limit = MAX_HEAD if self._state == _TRAILERS else _MAX_CHUNK_LINE
            if len(line) >= limit:
                raise UpdateError("too_long", "a chunk's line exceeds %d bytes" % limit)
        if line[-1] != 10:
            return taken
        self._head = bytearray()
        self._read_line(bytes(line).strip(b" \t\r\n"))
        return taken

    def _read_line(self, line: bytes) -> None:
        if self._state == _CHUNK_END:
            if line:
                raise UpdateError("bad_answer", "a chunk is longer than it says")
            self._state = _CHUNK_SIZE
        elif self._state == _CHUNK_SIZE:
            size = _number(line.partition(b";")[0].strip(_SPACE), "a chunk's size", 16)
            self._check_limit(size)
            self._left = size
            self._state = _CHUNK if size else _TRAILERS
            if size == 0 and self.wanted is not None and self.size != self._limit:
                raise UpdateError("bad_range", "%d bytes for a range of %d" % (self.size, self._limit))
        elif not line:
            self._state = _DONE
        else:
            raise UpdateError("bad_answer", "trailers after the chunks")
