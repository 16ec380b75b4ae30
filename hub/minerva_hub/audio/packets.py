"""Payloads of media packets to samples.

ADPCM is decoded in C: plain Python would take 6.6 ms for a second of sound, too much for many devices.
"""

from __future__ import annotations

import struct
import warnings
from typing import Final

import numpy as np
import numpy.typing as npt
from minerva.wire import ADPCM_STATE, FRAME_SAMPLES, MAX_FRAMES, MEL_BANDS

from minerva_hub.errors import PeerError

with warnings.catch_warnings():
    # Deprecated in the standard library up to 3.12; from 3.13 audioop-lts is the same module.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

Samples = npt.NDArray[np.int16]
Features = npt.NDArray[np.uint8]
Payload = bytes | bytearray | memoryview

_STATE = struct.Struct("<hBB")
_MAX_INDEX: Final = 88  # the IMA step table has 89 entries
_FRAME_BYTES: Final = {
    "ima_adpcm": FRAME_SAMPLES // 2,
    "pcm_s16le": FRAME_SAMPLES * 2,
    "logmel_u8": MEL_BANDS,
}


def decode_adpcm(payload: Payload) -> Samples:
    """Payload of an `ima_adpcm` packet (predictor i16, step index u8, reserved u8, nibbles) -> int16 (n,).

    The high nibble of a byte is the earlier sample, as in audioop. PeerError "bad_media" when it is not one.
    """
    data = memoryview(payload)
    if len(data) < ADPCM_STATE:
        raise PeerError(
            "bad_media",
            f"ima_adpcm payload of {len(data)} bytes; its state alone has {ADPCM_STATE}",
        )
    predictor, index, reserved = _STATE.unpack_from(data)
    if index > _MAX_INDEX:
        raise PeerError("bad_media", f"ima_adpcm step index {index}; the limit is {_MAX_INDEX}")
    if reserved:
        raise PeerError("bad_media", f"ima_adpcm reserved byte is {reserved}; it must be 0")
    nibbles = data[ADPCM_STATE:]
    _check_length("ima_adpcm", len(nibbles))
    pcm, _ = audioop.adpcm2lin(nibbles, 2, (predictor, index))
    return np.frombuffer(pcm, np.int16)


def decode_pcm(payload: Payload) -> Samples:
    """Payload of a `pcm_s16le` packet -> int16 (n,), read-only, over the same memory where it can be.

    PeerError "bad_media" when its length is not 1 to 10 frames.
    """
    data = memoryview(payload)
    _check_length("pcm_s16le", len(data))
    return np.frombuffer(data, "<i2").astype(np.int16, copy=False)


def decode_logmel(payload: Payload) -> Features:
    """Payload of a `logmel_u8` packet -> uint8 (n, 64), read-only, over the same memory.

    PeerError "bad_media" when its length is not 1 to 10 frames.
    """
    data = memoryview(payload)
    _check_length("logmel_u8", len(data))
    return np.frombuffer(data, np.uint8).reshape(-1, MEL_BANDS)


def _check_length(kind: str, size: int) -> None:
    frame = _FRAME_BYTES[kind]
    what = "features" if kind == "logmel_u8" else "audio"
    if size % frame or not 0 < size <= MAX_FRAMES * frame:
        raise PeerError(
            "bad_media",
            f"{kind} {what} of {size} bytes; 1 to {MAX_FRAMES} frames of {frame} bytes are allowed",
        )
