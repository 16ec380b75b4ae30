"""Protocol v1 on the wire: media packets and control messages, the same code on the board and in the hub.

docs/protocol.md is the specification and tests/vectors/ the truth. Bytes and text in, values out; no I/O.
Everything a peer sends is bounded here; a violation raises WireError with a code of docs/protocol.md.
"""

import json
import struct

from minerva.port import MICROPYTHON
from minerva.rules import WireError as WireError  # its users know it as wire.WireError
from minerva.rules import check_fields
from minerva.strict_json import check_object

PROTOCOL = 1
SUBPROTOCOL = "minerva.v1"

SAMPLE_RATE = 16000
FRAME_MS = 20
FRAME_SAMPLES = 320
HOP_MS = 10  # a frame of logmel_u8
MEL_BANDS = 64
MAX_FRAMES = 10  # 200 ms: longer packets would only add delay
DEFAULT_FRAMES = 3  # 60 ms: three times fewer packets than 20 ms, still below what a listener notices

MAX_OPENINGS = 600  # brackets in a message; a parser without that bound runs out of a small heap
MAX_TEXT = 4096  # bytes; the longest valid message, a hello with every field at its limit, has about 1,500
HEADER = 12
ADPCM_STATE = 4
MAX_MEDIA = HEADER + MAX_FRAMES * FRAME_SAMPLES * 2  # 6412: ten frames of pcm_s16le

PCM_S16LE = 1
IMA_ADPCM = 2
LOGMEL_U8 = 3
KINDS = {"pcm_s16le": PCM_S16LE, "ima_adpcm": IMA_ADPCM, "logmel_u8": LOGMEL_U8}
KIND_NAMES = {PCM_S16LE: "pcm_s16le", IMA_ADPCM: "ima_adpcm", LOGMEL_U8: "logmel_u8"}

BEGINS = 1  # first packet after the gate opened, or after a discontinuity of time
ENDS = 2  # the gate closes after this packet
_FLAGS = 3

# From most to least private.
MODES = ("mute", "events", "features", "speech", "full")
MUTES = ("off", "hub", "button")

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

_HEADER = "<BBBBII"
U32 = 0xFFFFFFFF
_MAX_TIME = 1 << 53  # JSON numbers are exact to here; 285,000 years


# --- media ------------------------------------------------------------------------------------------


def payload_size(kind: int, frames: int) -> int:
    """Bytes of payload in a packet of `frames` frames of a known kind."""
    if kind == PCM_S16LE:
        return frames * FRAME_SAMPLES * 2
    if kind == IMA_ADPCM:
        return ADPCM_STATE + frames * (FRAME_SAMPLES // 2)
    if kind == LOGMEL_U8:
        return frames * MEL_BANDS
    raise WireError("unknown_kind", "media kind %d is not one of 1, 2, 3" % kind)


def duration_ms(kind: int, frames: int) -> int:
    """How long a packet sounds."""
    return frames * (HOP_MS if kind == LOGMEL_U8 else FRAME_MS)


def put_u32(buf, at: int, high: int, low: int) -> None:
    """Write a u32 from two 16-bit halves: on a 32-bit MicroPython a number past 2^30 would allocate."""
    buf[at] = low & 0xFF
    buf[at + 1] = low >> 8
    buf[at + 2] = high & 0xFF
    buf[at + 3] = high >> 8


def encode_media(
    kind: int,
    flags: int,
    stream: int,
    frames: int,
    seq: int,
    time_ms: int,
    payload: "bytes | bytearray | memoryview",
) -> bytes:
    """One packet as bytes; `seq` and `time_ms` are taken modulo 2^32. The board writes in place instead."""
    if not 1 <= frames <= MAX_FRAMES:
        raise WireError("bad_media", "%d frames in a packet; 1 to %d are allowed" % (frames, MAX_FRAMES))
    want = payload_size(kind, frames)
    if len(payload) != want:
        raise WireError(
            "bad_media",
            "payload of %d bytes; kind %d with %d frames has %d" % (len(payload), kind, frames, want),
        )
    return struct.pack(_HEADER, kind, flags, stream, frames, seq & U32, time_ms & U32) + bytes(payload)


def decode_media(data: "bytes | bytearray | memoryview"):
    """Packet -> (kind, flags, stream, frames, seq, time_ms, payload memoryview); or WireError."""
    size = len(data)
    if size > MAX_MEDIA:
        raise WireError("too_long", "packet of %d bytes exceeds the %d-byte limit" % (size, MAX_MEDIA))
    if size < HEADER:
        raise WireError("bad_media", "packet of %d bytes is shorter than its %d-byte header" % (size, HEADER))
    kind, flags, stream, frames, seq, time_ms = struct.unpack_from(_HEADER, data, 0)
    if not 1 <= frames <= MAX_FRAMES:
        raise WireError("bad_media", "%d frames in a packet; 1 to %d are allowed" % (frames, MAX_FRAMES))
    if flags & ~_FLAGS:
        raise WireError("bad_media", "flags 0x%02x; only 0x%02x are defined" % (flags, _FLAGS))
    want = HEADER + payload_size(kind, frames)
    if size != want:
        raise WireError(
            "bad_media", "packet of %d bytes; kind %d with %d frames has %d" % (size, kind, frames, want)
        )
    return kind, flags, stream, frames, seq, time_ms, memoryview(data)[HEADER:]


def serial_diff(a: int, b: int) -> int:
    """How far sequence number (or time) a is after b, modulo 2^32: -2^31 <= result < 2^31."""
    d = (a - b) & U32
    return d - (1 << 32) if d & 0x80000000 else d


# --- control messages -------------------------------------------------------------------------------
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
    if openings > MAX_OPENINGS:
        raise WireError("bad_json", "message with %d brackets; the limit is %d" % (openings, MAX_OPENINGS))
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
