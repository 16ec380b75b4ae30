"""What MicroPython's JSON parser does not look at: whether a text is one whole object. Pure.

That parser takes `{"a":1`, `{"a" 1}`, `{"a":1]` and `{,}`. So the structure is checked before it is asked;
what stands in strings, numbers and names is left to it.
"""

from minerva.port import const

MAX_DEPTH = 32

# What may come next.
_START = const(0)
_KEY_OR_END = const(1)
_KEY = const(2)
_COLON = const(3)
_VALUE_OR_END = const(4)
_VALUE = const(5)
_COMMA_OR_END = const(6)
_NOTHING = const(7)
_VALUES = (_VALUE_OR_END, _VALUE)
_ENDS = (_KEY_OR_END, _VALUE_OR_END, _COMMA_OR_END)
_KEYS = (_KEY_OR_END, _KEY)

_SPACE = b" \t\r\n"
_STRUCTURE = b'{}[],:" \t\r\n'
_OBJECT = const(0x7B)
_OBJECT_ENDS = const(0x7D)
_LIST = const(0x5B)
_LIST_ENDS = const(0x5D)
_QUOTE = const(0x22)
_BACKSLASH = const(0x5C)
_COMMA = const(0x2C)
_COLON_SIGN = const(0x3A)


def _after_string(text: bytes, at: int) -> int:
    """Where the text goes on after the string whose first character is at `at`; ValueError without an end."""
    while True:
        end = text.find(b'"', at)
        if end < 0:
            raise ValueError("a string has no end")
        escape = end
        while text[escape - 1] == _BACKSLASH:  # ends at the opening quote at the latest
            escape -= 1
        at = end + 1
        if (end - escape) & 1 == 0:
            return at


def _after_scalar(text: bytes, at: int) -> int:
    """Where a number or name ends."""
    while at < len(text) and text[at] not in _STRUCTURE:
        at += 1
    return at


def check_object(text: bytes) -> None:
    """ValueError unless `text` is exactly one JSON object, closed, with its parts in their places."""
    closers = bytearray(MAX_DEPTH)
    depth = 0
    due = _START
    at = 0
    while at < len(text):
        c = text[at]
        at += 1
        if c in _SPACE:
            continue
        right = True
        if c == _OBJECT or c == _LIST:
            right = due in _VALUES or (due == _START and c == _OBJECT)
            if depth == MAX_DEPTH:
                raise ValueError("nested deeper than %d" % MAX_DEPTH)
            closers[depth] = _OBJECT_ENDS if c == _OBJECT else _LIST_ENDS
            depth += 1
            due = _KEY_OR_END if c == _OBJECT else _VALUE_OR_END
        elif c == _OBJECT_ENDS or c == _LIST_ENDS:
            right = due in _ENDS and closers[depth - 1] == c
            depth -= 1
            due = _COMMA_OR_END if depth else _NOTHING
        elif c == _COMMA:
            right = due == _COMMA_OR_END
            due = _KEY if closers[depth - 1] == _OBJECT_ENDS else _VALUE
        elif c == _COLON_SIGN:
            right = due == _COLON
            due = _VALUE
        elif c == _QUOTE and due in _KEYS:
            at = _after_string(text, at)
            due = _COLON
        else:
            right = due in _VALUES
            at = _after_string(text, at) if c == _QUOTE else _after_scalar(text, at)
            due = _COMMA_OR_END
        if not right:
            raise ValueError("syntax error before byte %d" % at)
    if due != _NOTHING:
        raise ValueError("the object is not closed")
