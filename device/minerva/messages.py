"""Control messages of protocol v1: what each may hold; the same code on the board and in the hub. Pure.

docs/protocol.md is the specification and tests/vectors/ the truth. Everything a peer says is bounded here; a
violation raises WireError with a code of docs/protocol.md.
"""

import json

from minerva.errors import WireError
from minerva.port import MICROPYTHON, const
from minerva.rules import check_fields
from minerva.strict_json import check_object
from minerva.wire import KINDS, MAX_FRAMES, MAX_TEXT, MODES, MUTES, PROTOCOL, U32

_MAX_OPENINGS = const(600)  # brackets in a message; a parser without that bound runs out of a small heap
_MAX_TIME = 1 << 53  # JSON numbers are exact to here; 285,000 years

ERROR_CODES = (
    "bad_json",
    "unknown_type",
    "bad_field",
    "too_long",
    "unsupported_version",
    "unexpected_message",
    "unauthorized",
    "replaced",
    "unsupported_mode",
    "above_ceiling",
    "muted_at_button",
    "bad_media",
    "unknown_kind",
    "forbidden_media",
    "bad_sequence",
    "bad_time",
    "too_fast",
    "timeout",
    "overloaded",
    "unsupported_play",
    "unsupported_update",
    "internal",
)

# A message's fields by name; the rules are those of rules.py.
_TIME = ("int", 0, _MAX_TIME)
_COUNT = ("int", 0, _MAX_TIME)
_MODE = ("enum", MODES)
_KIND = ("enum", tuple(KINDS))
_STREAM = ("int", 0, 255)
_SEQ = ("int", 0, U32)
_DB = ("num", -200, 50)
_NAME = ("str", 64)

_HELLO = {
    "protocol": ("int", 1, 255),
    "device": ("id",),
    "token": ("str", 128),
    "boot_id": ("hex", 16),
    "time_ms": _TIME,
    "firmware": ("obj", {"name": _NAME, "version": _NAME, "variant": _NAME, "board": _NAME}),
    "slot": ("str", 16),
    "kinds": ("list", _KIND, 8, 1),
    "modes": ("list", _MODE, 8, 1),
    "mode": _MODE,
    "ceiling": _MODE,
    "mute": ("enum", MUTES),
    "self_test?": ("hex", 16),
}
_WELCOME = {
    "protocol": ("int", 1, 255),
    "hub": ("str", 64),
    "utc_ms": _TIME,
    "mode": _MODE,
    "mute": ("bool",),
    "kind": _KIND,
    "frames": ("int", 1, MAX_FRAMES),
    "resume?": ("obj", {"stream": _STREAM, "seq": _SEQ}),
}
_CONFIG = {"mode?": _MODE, "kind?": _KIND, "frames?": ("int", 1, MAX_FRAMES)}
_HEALTH = {
    "n": _SEQ,
    "time_ms": _TIME,
    "uptime_s": _COUNT,
    "rssi?": ("int", -128, 0),
    "heap_free": _COUNT,
    "drops": ("map", _COUNT, 8),
    "version": _NAME,
    "slot": ("str", 16),
    "mode": _MODE,
    "mute": ("enum", MUTES),
    "kind": _KIND,
    "noise_db?": _DB,
}
_LEVEL = {"time_ms": _TIME, "rms_db": _DB, "peak_db": _DB}
_EVENT = {"label": ("str", 32), "score": ("num", 0, 1), "start_ms": _TIME, "end_ms": _TIME, "level_db?": _DB}
_ACK = {"stream?": _STREAM, "seq?": _SEQ, "health?": _SEQ}
_ERROR = {
    "code": ("str", 32),
    "message": ("str", 512),
    "fatal": ("bool",),
    "supported?": ("list", ("int", 1, 255), 16),
}
_PLAY = {"action": ("enum", ("start", "stop")), "stream": _STREAM, "kind": _KIND, "volume?": ("int", 0, 100)}

# What a device may send, and what a hub may send.
FROM_DEVICE = {
    "hello": _HELLO,
    "health": _HEALTH,
    "level": _LEVEL,
    "event": _EVENT,
    "mute": {"state": ("enum", MUTES)},
    "update": {"state": ("str", 32), "version?": _NAME, "progress?": ("int", 0, 100), "code?": ("str", 32)},
    "error": _ERROR,
}
FROM_HUB = {
    "welcome": _WELCOME,
    "config": _CONFIG,
    "ack": _ACK,
    "mute": {"on": ("bool",)},
    "play": _PLAY,
    "update": {"action": ("enum", ("check",))},
    "error": _ERROR,
}


def check_message(message: dict, types: dict) -> dict:
    """The message when it is one of `types` (FROM_DEVICE or FROM_HUB) with right fields, else WireError."""
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in types:
        raise WireError(
            "unknown_type", "message type %s is not one of %s" % (repr(kind)[:60], ", ".join(sorted(types)))
        )
    if kind == "hello" or kind == "welcome":
        version = message.get("protocol")
        # Before every other field: a later version may have other fields.
        if isinstance(version, int) and not isinstance(version, bool) and version != PROTOCOL:
            raise WireError(
                "unsupported_version", "peer speaks protocol %d; this side speaks %d" % (version, PROTOCOL)
            )
    check_fields(types[kind], message, kind + ".")
    return message


def _no_json(name: str):
    raise ValueError("%s is no value of JSON" % name)


def decode_message(data: "bytes | bytearray | str", types: dict) -> dict:
    """A text frame -> checked message; or WireError: too_long, bad_json, unknown_type, bad_field."""
    size = len(data)
    if isinstance(data, str) and size <= MAX_TEXT:
        size = len(data.encode())
    if size > MAX_TEXT:
        raise WireError("too_long", "message of %d bytes exceeds the %d-byte limit" % (size, MAX_TEXT))
    text = data.encode() if isinstance(data, str) else bytes(data)
    openings = text.count(b"[") + text.count(b"{")
    if openings > _MAX_OPENINGS:
        raise WireError("bad_json", "message with %d brackets; the limit is %d" % (openings, _MAX_OPENINGS))
    try:
        if MICROPYTHON:  # whose parser takes an object without an end; CPython's takes NaN and UTF-16
            check_object(text)
            message = json.loads(data)  # type: ignore - the stubs know only one type at a time
        else:
            message = json.loads(text.decode(), parse_constant=_no_json)  # type: ignore - MicroPython has none
    # Nested too deep: RuntimeError in MicroPython, RecursionError (one of those) in CPython.
    except (ValueError, RuntimeError) as e:
        raise WireError("bad_json", "message is not JSON: %s" % str(e)[:100])
    if not isinstance(message, dict):
        raise WireError("bad_json", "message is JSON, but not an object")
    return check_message(message, types)


def encode_message(message: dict, types: dict) -> str:
    """A checked message -> the text frame to send; WireError where our own side would break the protocol."""
    text = json.dumps(check_message(message, types))
    if len(text) > MAX_TEXT:
        raise WireError("too_long", "message of %d bytes exceeds the %d-byte limit" % (len(text), MAX_TEXT))
    return text


def error_message(code: str, message: str, fatal: bool) -> dict:
    """An `error` message; unsupported_version also says what this side speaks."""
    # 512 bytes is the field's limit, and a character has at most four.
    out = {"type": "error", "code": code, "message": message[:120], "fatal": fatal}
    if len(message.encode()) <= 512:
        out["message"] = message
    if code == "unsupported_version":
        out["supported"] = [PROTOCOL]
    return out
