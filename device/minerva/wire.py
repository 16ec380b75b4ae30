"""Protocol v1 on the wire: its numbers and its media packets, the same code on the board and in the hub.

docs/protocol.md is the specification and tests/vectors/ the truth; minerva.messages has the control messages.
Bytes in, values out; no I/O. What a peer sends is bounded here; a violation raises WireError.
"""

import struct

from minerva.errors import WireError as WireError  # its users know it as wire.WireError
from minerva.port import const

PROTOCOL = 1
SUBPROTOCOL = "minerva.v1"

SAMPLE_RATE = 16000
FRAME_MS = 20
FRAME_SAMPLES = 320
HOP_MS = 10  # a frame of logmel_u8
MEL_BANDS = 64
MAX_FRAMES = 10  # 200 ms: longer packets would only add delay
DEFAULT_FRAMES = 3  # 60 ms: three times fewer packets than 20 ms, still below what a listener notices

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
_FLAGS = const(3)

# From most to least private.
MODES = ("mute", "events", "features", "speech", "full")
MUTES = ("off", "hub", "button")

_HEADER = "<BBBBII"
U32 = 0xFFFFFFFF


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
