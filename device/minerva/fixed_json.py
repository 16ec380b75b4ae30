"""JSON of a fixed shape, read from front to back: the texts that are signed have one reading. Pure.

What stands there must be what is due: keys in their order, so that none can be missing, unknown or there
twice; numbers as plain digits; strings without escapes. Nothing is built that is not asked for.
"""

from binascii import hexlify, unhexlify

from minerva.errors import UpdateError
from minerva.port import const

_SPACE = b" \t\r\n"
_QUOTE = const(0x22)
_BACKSLASH = const(0x5C)
_ZERO = const(0x30)
_MAX_DIGITS = const(16)  # 2^53 has 16
# What may be escaped in the one kind of string that may: a JSON text in a JSON text.
_ESCAPES = ((b'\\"', b'"'), (b"\\n", b"\n"), (b"\\r", b"\r"), (b"\\t", b"\t"))


class Reader:
    """A text and the place in it; whatever is not as it is due raises UpdateError with `code`."""

    def __init__(self, data: bytes, code: str):
        self._data = data
        self._at = 0
        self._first = True  # nothing stands before it in its object or list
        self.code = code

    def fail(self, want: str, code: "str | None" = None) -> UpdateError:
        """The error to raise: `want` is what was due here."""
        return UpdateError(code or self.code, "before byte %d: %s" % (self._at, want))

    def _next(self) -> int:
        """The next byte that is no space; -1 at the end."""
        data = self._data
        while self._at < len(data):
            if data[self._at] not in _SPACE:
                return data[self._at]
            self._at += 1
        return -1

    def _take(self, sign: str) -> None:
        if self._next() != ord(sign):
            raise self.fail("%s is due" % sign)
        self._at += 1

    def begin(self, bracket: str) -> None:
        """Go into an object or list: `{` or `[`."""
        self._take(bracket)
        self._first = True

    def end(self, bracket: str) -> None:
        """Leave it: nothing else may stand in it."""
        self._take(bracket)
        self._first = False

    def more(self) -> bool:
        """Whether another item of the list follows; goes to it, or leaves the list."""
        if self._next() == 0x5D:
            self.end("]")
            return False
        self.item()
        return True

    def item(self) -> None:
        """Go to the next item of a list."""
        if not self._first:
            self._take(",")
        self._first = False

    def key(self, name: str) -> None:
        """Go to the value of the key that is due here."""
        self.item()
        if self.text(32) != name:
            raise self.fail('the key "%s" is due' % name)
        self._take(":")

    def finish(self) -> None:
        """Only space may follow."""
        if self._next() >= 0:
            raise self.fail("the end is due")

    def number(self, low: int, high: int, code: "str | None" = None) -> int:
        """A whole number; one outside low..high is refused with `code`."""
        self._next()
        data = self._data
        start = at = self._at
        while at < len(data) and 0 <= data[at] - _ZERO <= 9:
            at += 1
        if not 1 <= at - start <= _MAX_DIGITS or (data[start] == _ZERO and at - start > 1):
            raise self.fail("a whole number of at most %d digits is due" % _MAX_DIGITS)
        value = int(bytes(data[start:at]))
        if not low <= value <= high:
            raise self.fail("%d is not from %d to %d" % (value, low, high), code)
        self._at = at
        return value

    def _string(self, most: int, code: "str | None") -> bytes:
        """The bytes between two quotes; an escaped quote does not end them."""
        self._take('"')
        start = self._at
        end = start - 1
        while True:
            end = self._data.find(b'"', end + 1)
            if end < 0:
                raise self.fail("a string has no end")
            escape = end
            while self._data[escape - 1] == _BACKSLASH:  # ends at the opening quote at the latest
                escape -= 1
            if (end - escape) & 1 == 0:
                break
        if end - start > most:
            raise self.fail("%d bytes in a string; at most %d are taken" % (end - start, most), code)
        self._at = end + 1
        return self._data[start:end]

    def text(self, most: int, allowed: "str | None" = None, code: "str | None" = None) -> str:
        """A string of 1 to `most` characters, only `allowed` ones; refused with `code` otherwise."""
        raw = self._string(most, code)
        try:
            value = str(raw, "utf-8")
        except ValueError:
            raise self.fail("a string is not UTF-8", code)
        # strip() leaves nothing of a text that has only what may be stripped. Escapes are not undone: what is
        # asked for has none.
        if not raw or (allowed is not None and value.strip(allowed)):
            raise self.fail("%r is not 1 to %d of %s" % (value, most, allowed or "any"), code)
        return value

    def hex(self, size: int) -> bytes:
        """`size` bytes written as lower-case hex digits."""
        raw = self._string(2 * size, None)
        try:
            value = unhexlify(raw)
        except ValueError:
            value = b""
        if len(value) != size or hexlify(value) != raw:
            raise self.fail("%d lower-case hex digits are due" % (2 * size))
        return value

    def escaped(self, most: int, code: str) -> bytes:
        """A string that holds another JSON text, of at most `most` bytes (else `code`), as bytes."""
        raw = self._string(2 * most, code)
        for sign in b"\r\n\t":
            if sign in raw:
                raise self.fail("a control character in a string")
        for written, meant in _ESCAPES:
            raw = raw.replace(written, meant)
        if _BACKSLASH in raw:
            raise self.fail("an escape other than those of quotes and line ends")
        if len(raw) > most:
            raise self.fail("%d bytes in a string; at most %d are taken" % (len(raw), most), code)
        return raw
