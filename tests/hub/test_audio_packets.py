"""Payloads of media packets: hand-derived samples, an independent decoder, every bad length."""

import random
import struct

import numpy as np
import pytest
from minerva_hub.audio import decode_adpcm, decode_pcm
from minerva_hub.errors import PeerError

STEPS = [
    int(step)
    for step in """
7 8 9 10 11 12 13 14 16 17 19 21 23 25 28 31 34 37 41 45 50 55 60 66 73 80 88 97 107 118 130 143 157
173 190 209 230 253 279 307 337 371 408 449 494 544 598 658 724 796 876 963 1060 1166 1282 1411 1552
1707 1878 2066 2272 2499 2749 3024 3327 3660 4026 4428 4871 5358 5894 6484 7132 7845 8630 9493 10442
11487 12635 13899 15289 16818 18500 20350 22385 24623 27086 29794 32767
""".split()
]
INDEX = [-1, -1, -1, -1, 2, 4, 6, 8]


def reference_decode(predictor: int, index: int, nibbles: list[int]) -> list[int]:
    """IMA-ADPCM as its specification writes it."""
    out = []
    for nibble in nibbles:
        step = STEPS[index]
        diff = step >> 3
        for bit, part in ((4, step), (2, step >> 1), (1, step >> 2)):
            if nibble & bit:
                diff += part
        predictor = max(-32768, min(32767, predictor + (-diff if nibble & 8 else diff)))
        index = max(0, min(88, index + INDEX[nibble & 7]))
        out.append(predictor)
    return out


def payload(predictor: int, index: int, nibbles: list[int]) -> bytes:
    pairs = zip(nibbles[::2], nibbles[1::2], strict=True)
    return struct.pack("<hBB", predictor, index, 0) + bytes(high << 4 | low for high, low in pairs)


def test_the_high_nibble_comes_first():
    # Step 7: nibble 4 adds 0 + 7 = 7, then the index is 2 (step 9): nibble 0 adds 9 >> 3 = 1.
    pcm = decode_adpcm(payload(100, 0, [4, 0] + [0] * 318))
    assert pcm[:2].tolist() == [107, 108]


@pytest.mark.parametrize("frames", [1, 3, 10])
def test_equals_the_specification(frames: int):
    rng = random.Random(frames)
    nibbles = [rng.randrange(16) for _ in range(320 * frames)]
    pcm = decode_adpcm(payload(-1234, 40, nibbles))
    assert pcm.dtype == np.int16
    assert pcm.tolist() == reference_decode(-1234, 40, nibbles)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "0 bytes; its state alone has 4"),
        (b"\0\0\0", "3 bytes; its state"),
        (b"\0\0\x59\0" + bytes(160), "step index 89; the limit is 88"),
        (b"\0\0\0\1" + bytes(160), "reserved byte is 1"),
        (b"\0\0\0\0", "audio of 0 bytes; 1 to 10 frames of 160 bytes"),
        (b"\0\0\0\0" + bytes(159), "audio of 159 bytes"),
        (b"\0\0\0\0" + bytes(1760), "audio of 1760 bytes"),
    ],
)
def test_bad_adpcm_names_value_and_limit(raw: bytes, says: str):
    with pytest.raises(PeerError, match=says) as caught:
        decode_adpcm(raw)
    assert caught.value.code == "bad_media"


def test_pcm_is_little_endian():
    pcm = decode_pcm(memoryview(b"\x01\x00\xff\x7f\x00\x80" + bytes(634)))
    assert pcm.dtype == np.int16
    assert pcm[:3].tolist() == [1, 32767, -32768]
    assert len(pcm) == 320


@pytest.mark.parametrize("size", [0, 1, 639, 642, 7040])
def test_bad_pcm_length(size: int):
    with pytest.raises(PeerError, match=f"audio of {size} bytes; 1 to 10 frames of 640 bytes") as caught:
        decode_pcm(bytes(size))
    assert caught.value.code == "bad_media"
