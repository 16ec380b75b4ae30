"""What the fields of a message may be: a small language of rules, and the error for who breaks them. Pure.

A rule is a tuple: ("str", max bytes), ("id",), ("hex", digits), ("int", low, high), ("num", low, high),
("bool",), ("enum", values), ("list", rule, most, least), ("map", rule, most), ("obj", fields).
A field whose name ends in "?" may be absent or null. Other fields are ignored, so that v1 can grow.
"""

from minerva.errors import WireError


def is_id(text: str) -> bool:
    """Whether `text` can name a device or hub: 1 to 32 of a-z, 0-9 and '-'."""
    if not 1 <= len(text) <= 32:
        return False
    for c in text:
        if not ("a" <= c <= "z" or "0" <= c <= "9" or c == "-"):
            return False
    return True


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and all(c in "0123456789abcdef" for c in text)


def _fits(text: str, limit: int) -> bool:
    """Whether `text` is UTF-8 of at most `limit` bytes; JSON can also spell halves of characters."""
    try:
        return len(text.encode()) <= limit
    except UnicodeError:
        return False


def _bad(path: str, value: object, want: str):
    shown = repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return WireError("bad_field", "%s is %s; it must be %s" % (path, shown, want))


def _check_number(rule, value, path: str) -> None:
    whole = rule[0] == "int"
    right = isinstance(value, int) if whole else isinstance(value, (int, float))
    # `not (low <= value <= high)` also refuses NaN
    if not right or isinstance(value, bool) or not (rule[1] <= value <= rule[2]):
        raise _bad(
            path, value, "a %s from %d to %d" % ("whole number" if whole else "number", rule[1], rule[2])
        )


def _check_text(rule, value, path: str) -> None:
    kind = rule[0]
    if kind == "id":
        if not isinstance(value, str) or not is_id(value):
            raise _bad(path, value, "1 to 32 of a-z, 0-9 and '-'")
    elif kind == "hex":
        if not isinstance(value, str) or not _is_hex(value, rule[1]):
            raise _bad(path, value, "%d lower-case hex digits" % rule[1])
    elif kind == "enum":
        if not isinstance(value, str) or value not in rule[1]:
            raise _bad(path, value, "one of " + ", ".join(rule[1]))
    elif not isinstance(value, str) or not _fits(value, rule[1]):
        raise _bad(path, value, "text of at most %d bytes" % rule[1])


def _check_items(rule, value, path: str) -> None:
    want = list if rule[0] == "list" else dict
    if not isinstance(value, want) or len(value) > rule[2]:
        raise _bad(path, value, "a %s of at most %d items" % (rule[0], rule[2]))
    if len(rule) > 3 and len(value) < rule[3]:
        raise _bad(path, value, "a %s of at least %d item" % (rule[0], rule[3]))
    if want is list:
        for i, item in enumerate(value):
            _check(rule[1], item, "%s[%d]" % (path, i))
    else:
        for key in value:
            if not _fits(key, 32):
                raise _bad(path, key, "keyed by text of at most 32 bytes")
            _check(rule[1], value[key], path + "." + key)


def _check(rule, value, path: str) -> None:
    kind = rule[0]
    if kind == "int" or kind == "num":
        _check_number(rule, value, path)
    elif kind == "bool":
        if not isinstance(value, bool):
            raise _bad(path, value, "true or false")
    elif kind == "list" or kind == "map":
        _check_items(rule, value, path)
    elif kind == "obj":
        if not isinstance(value, dict):
            raise _bad(path, value, "an object")
        check_fields(rule[1], value, path + ".")
    else:
        _check_text(rule, value, path)


def check_fields(fields, value, prefix: str) -> None:
    """WireError unless the object `value` has `fields`, which an error calls by `prefix` and name."""
    for name in fields:
        rule = fields[name]
        optional = name[-1] == "?"
        key = name[:-1] if optional else name
        item = value.get(key)
        if item is None:
            if not optional:
                raise WireError("bad_field", "%s is missing" % (prefix + key))
        else:
            _check(rule, item, prefix + key)
